"""Deciding by two: what one principal asks for, another approves, and it is done once."""
