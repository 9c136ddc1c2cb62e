"""Synthetic people's data that must never be found where it does not belong, and the search for it byte by byte."""

import base64
import struct
from collections.abc import Iterator, Mapping

SUBJECT = "subject-canary-4c1d9b7e"
VALUES: Mapping[str, str | bytes] = {
    "bank_account": "GB29NWBK60161331926819",
    "cn_resident_id": "999999198307140011",
    "email": "canary.quillfeather@example.org",
    "face_template": struct.pack("<512f", *(n / 7919 for n in range(512))),
    "free_text": "Canary Quillfeather asked about her second mortgage.",
    "payment_card": "4012888888881881",
    "person_name": "Zebedee Quillfeather",
    "phone": "+447700900815",
}
"""A valid value of every class."""


_SHORTEST = 9


def traces(haystack: bytes, *needles: str | bytes) -> list[str]:
    """Which of the needles (all canaries if none are given) occur in the bytes, and how they are written there."""
    wanted = needles or (SUBJECT, *VALUES.values())
    found = ((needle, how) for needle in wanted for how, form in _forms(needle) if form in haystack)
    return [f"{needle!r:.40} as {how}" for needle, how in found]


def _forms(needle: str | bytes) -> Iterator[tuple[str, bytes]]:
    """UTF-8, hexadecimal, base64 at each of the three alignments; of long needles a piece is enough."""
    raw = (needle.encode() if isinstance(needle, str) else needle)[:96]
    if len(raw) < _SHORTEST:
        raise ValueError("so short a needle is found in any haystack")
    yield "UTF-8", raw
    yield "hexadecimal", raw.hex().encode()
    yield "upper-case hexadecimal", raw.hex().upper().encode()
    for before in range(3):
        length = (len(raw) + before) // 3 * 3
        code = base64.b64encode((bytes(before) + raw)[:length])
        middle = code[4 if before else 0 :]
        yield "base64", middle
        yield "URL-safe base64", middle.replace(b"+", b"-").replace(b"/", b"_")
