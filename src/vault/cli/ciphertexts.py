"""Ciphertexts as they come into a command: as arguments, which anybody may read, or as lines on stdin."""

import sys
from collections.abc import Iterator, Sequence

import click

BATCH = 100
"""Ciphertexts a call, so that request and answer stay below 4 MiB where values are a few KiB."""


def batches(arguments: Sequence[str]) -> Iterator[Sequence[str]]:
    """Those that were given, or else those on stdin, in their order and at most ``BATCH`` at a time.

    Raises:
        UsageError: there are none, or one is no ciphertext: which one is said before any is sent.
    """
    from pdvault_client import ciphertext_from_text

    piped = () if arguments or sys.stdin.isatty() else tuple(line.strip() for line in sys.stdin if line.strip())
    chosen = arguments or piped
    if not chosen:
        raise click.UsageError("give at least one ciphertext, as an argument or on stdin")
    for number, text in enumerate(chosen, 1):
        try:
            ciphertext_from_text(text)
        except ValueError as error:
            raise click.UsageError(f"{'line' if piped else 'argument'} {number}: {error}") from None
    return (chosen[begin : begin + BATCH] for begin in range(0, len(chosen), BATCH))
