"""What is sealed inside an item's envelope: a value with its type (docs/formats.md, "Item plaintext")."""

import contextlib
from typing import Final

from vault.crypto.encoding import utf8

_TEXT: Final = b"\x01"
_BYTES: Final = b"\x02"


class PlaintextError(ValueError):
    """Not an item plaintext. The message never holds the content."""


def encode(value: str | bytes) -> bytes:
    """One type byte (1 text, 2 bytes) and the content, text as UTF-8.

    Raises:
        EncodingError: the text holds a lone surrogate.
    """
    return _TEXT + utf8(value) if isinstance(value, str) else _BYTES + value


def decode(data: bytes) -> str | bytes:
    """The value that ``encode`` was given.

    Raises:
        PlaintextError: empty, of an unknown type, or text that is not UTF-8 (RFC 3629).
    """
    kind, content = data[:1], data[1:]
    if kind == _BYTES:
        return content
    if kind == _TEXT:
        with contextlib.suppress(UnicodeDecodeError):
            return content.decode()
    # Not raised inside an except block: a UnicodeDecodeError carries the whole content, and would come as the context.
    raise PlaintextError("an item plaintext is a type byte, 1 or 2, and UTF-8 text or bytes")
