"""Values as they come into the command: from stdin or a file, never as an argument, and asked for unseen on a terminal."""

import sys
from pathlib import Path

import click

MAX_BYTES = 1 << 20
"""The most bytes of any value; what is longer is not even read to its end."""


def read_text(path: Path | None) -> str:
    """A text from a file, or from stdin; a newline at its end does not count.

    Raises:
        ClickException: it is empty, too long, or not UTF-8.
        OSError: the file can't be read.
    """
    if path is None and sys.stdin.isatty():
        return str(click.prompt("Value", hide_input=True, err=True))
    try:
        return _one_line_less(read_bytes(path)).decode()
    except UnicodeDecodeError:  # its text would quote the value
        pass
    raise click.ClickException("the value is not UTF-8 text; with --bytes it is taken as it is")


def read_bytes(path: Path | None) -> bytes:
    """All bytes of a file, or of stdin.

    Raises:
        ClickException: there are none, or more than a value may have.
        OSError: the file can't be read.
    """
    if path is None:
        data = sys.stdin.buffer.read(MAX_BYTES + 3)
    else:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 3)
    if not data.rstrip(b"\r\n"):
        raise click.ClickException("there is no value: give it on stdin or in a file")
    if len(data) > MAX_BYTES + 2:
        raise click.ClickException(f"the value has more than {MAX_BYTES} bytes (1 MiB), the most that the vault takes")
    return data


def _one_line_less(data: bytes) -> bytes:
    return data[:-2] if data.endswith(b"\r\n") else data.removesuffix(b"\n")
