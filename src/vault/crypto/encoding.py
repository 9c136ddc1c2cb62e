"""Packing: the one unambiguous encoding of several fields as bytes (docs/formats.md, "Packing"). And base64url in one spelling."""

import base64
from functools import cache
from typing import Final

_SIZES: Final = [size.to_bytes(4, "big") for size in range(256)]  # some 20 times an item


class EncodingError(ValueError):
    """A field has no packed form. The message never holds the field."""


def utf8(text: str) -> bytes:
    """The text as UTF-8 (RFC 3629).

    Raises:
        EncodingError: the text holds a lone surrogate.
    """
    try:  # some 30 times an item, where contextlib.suppress would cost more than the encoding
        return text.encode()
    except UnicodeEncodeError:
        pass
    # Raised out here because a UnicodeEncodeError carries the whole text, and would come along as the context.
    raise EncodingError("text must be valid Unicode: it holds a lone surrogate")


def pack(label: str, *fields: bytes | int | str) -> bytes:
    """Label and fields, each as u32 big-endian length and content.

    Different lists of contents give different bytes. Types are not written: a label fixes number, order and types.

    Args:
        label: the use, for example "pdvault/v1/item"; no label serves two uses.
        fields: bytes as they are, text as UTF-8, integers from 0 to 2**64 - 1 as 8 bytes big-endian.

    Raises:
        EncodingError: an integer is out of range, or text holds a lone surrogate.
        TypeError: a field is of another type (a bool is no integer here).
    """
    parts = [_label(label)]
    for field in fields:
        content = field if type(field) is bytes else _content(field)
        size = len(content)
        parts += (_SIZES[size] if size < len(_SIZES) else size.to_bytes(4, "big"), content)
    return b"".join(parts)


def decode_base64url(text: str) -> bytes:
    """The bytes of base64url with padding (RFC 4648 section 5), in the one spelling that ``base64.urlsafe_b64encode`` writes.

    Raises:
        EncodingError: it is anything else.
    """
    try:
        raw = base64.b64decode(text, altchars=b"-_", validate=True)
    except ValueError:
        raw = b""
    if base64.urlsafe_b64encode(raw).decode() != text:
        raise EncodingError("not base64url with padding as it is written")
    return raw


@cache
def _label(label: str) -> bytes:
    content = utf8(label)
    return len(content).to_bytes(4, "big") + content


def _content(field: object) -> bytes:
    if type(field) is str:
        return utf8(field)
    if type(field) is int:
        if not 0 <= field < 2**64:
            raise EncodingError("an integer must be from 0 to 2**64 - 1")
        return field.to_bytes(8, "big")
    raise TypeError("a field must be bytes, int or str")
