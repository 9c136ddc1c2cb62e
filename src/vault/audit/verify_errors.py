"""How a verification ends if it does not end well: something is wrong, or it could not be checked."""


class WrongError(Exception):
    """What is there is not what the log promised. The message names it, with its index where it has one."""


class UncheckedError(Exception):
    """It could not be checked: unreadable, incomplete, or a key is missing. Says nothing about the log."""
