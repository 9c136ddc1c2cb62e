"""The demo: a vault with invented people in it."""
