"""What a request did to each of its items, as its row keeps it (docs/formats.md, "Idempotency digest and results"). Pure."""

import struct
from typing import Final

RESULT: Final = struct.Struct(">16s16sIH")
"""Of one item: the uids of its subject and its token, zeros if it was refused; its revision; and why it was refused, or 0."""

_NOBODY: Final = bytes(16)


def subject_uids(results: bytes) -> frozenset[bytes]:
    """Whom a request was about, by uid (16 bytes).

    Args:
        results: of a row whose MAC was checked.
    """
    return frozenset(uid for uid, *_ in RESULT.iter_unpack(results)) - {_NOBODY}
