"""The reading half of the runner's transaction: a module a kind of need, each in one query a table for a group of calls."""
