"""The subcommands, a module each: what they are called, what they take, and what they print."""
