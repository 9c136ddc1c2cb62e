"""Synthetic people's data that must never be found where it does not belong, and the search for it byte by byte."""

import base64
import struct
from collections.abc import Mapping
from functools import cache

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
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def traces(haystack: bytes, *needles: str | bytes) -> list[str]:
    """Which of the needles (all canaries if none are given) occur in the bytes, and how they are written there."""
    return [what for form, what in _forms(needles or (SUBJECT, *VALUES.values())) if form in haystack]


@cache
def _forms(needles: tuple[str | bytes, ...]) -> list[tuple[bytes, str]]:
    """Every way to write the needles, each once: UTF-8, hexadecimal, base64 at each of its three alignments."""
    found: dict[bytes, str] = {}
    for needle in needles:
        raw = (needle.encode() if isinstance(needle, str) else needle)[:96]  # of long ones a piece is enough
        if len(raw) < _SHORTEST:
            raise ValueError("so short a needle is found in any haystack")
        codes = [base64.b64encode((bytes(n) + raw)[: (len(raw) + n) // 3 * 3])[4 if n else 0 :] for n in range(3)]
        forms = [raw, raw.hex().encode(), raw.hex().upper().encode(), *codes, *(code.translate(_URL_SAFE) for code in codes)]
        found |= {form: f"{needle!r:.40} as {form[:40]!r}" for form in forms}
    return list(found.items())
