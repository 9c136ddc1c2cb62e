"""Ciphertexts as they come into a command: as arguments, which anybody may read, or as lines on stdin."""

import sys
from collections.abc import Iterator, Sequence

import click

BATCH = 100
"""Ciphertexts a call, so that request and answer stay below 4 MiB where values are a few KiB."""


def batches(arguments: Sequence[str]) -> Iterator[Sequence[str]]:
    """Those that were given, or else those on stdin, in their order and at most ``BATCH`` at a time.

    Raises:
        UsageError: there are none.
    """
    piped = () if arguments or sys.stdin.isatty() else tuple(line.strip() for line in sys.stdin if line.strip())
    chosen = arguments or piped
    if not chosen:
        raise click.UsageError("give at least one ciphertext, as an argument or on stdin")
    return (chosen[begin : begin + BATCH] for begin in range(0, len(chosen), BATCH))
