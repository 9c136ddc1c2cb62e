"""Committing to a name without telling it: what an erasure's statement has in place of a subject_id (docs/formats.md).

HMAC-SHA-256 (RFC 2104) under a random key, which is in the caller's receipt: who has the receipt can show whom it is about, and
nobody else can tell, however few names there are to try.
"""

import hmac

from vault.crypto.encoding import utf8
from vault.crypto.keys import Key


def commitment(key: Key, subject_id: str) -> bytes:
    """The 32 bytes that stand for a name.

    Args:
        key: random, for this one commitment.
        subject_id: the caller's name of the subject.

    Raises:
        EncodingError: the name is no valid Unicode.
    """
    return hmac.digest(key.raw, utf8(subject_id), "sha256")


def opens(key: Key, subject_id: str, committed: bytes) -> bool:
    """Whether a commitment is to this name, in constant time."""
    return hmac.compare_digest(commitment(key, subject_id), committed)
