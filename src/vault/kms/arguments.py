"""What can be no argument of a KeyManager, refused before anything is sent."""

from collections.abc import Sequence
from typing import Final

TENANT_UID_BYTES: Final = 16
ERASURE_UID_BYTES: Final = 16
MAX_ANCHOR_BYTES: Final = 64 * 1024
"""Of an anchor's text in UTF-8: a checkpoint with its signature has some 200."""

MAX_DESTROYED_BYTES: Final = 64 * 1024
"""Of the text that says what an erasure destroys, in UTF-8."""


def check_tenant_uid(tenant_uid: bytes) -> None:
    """Refuse what is no tenant uid, before it becomes part of a path or a key's name.

    Raises:
        ValueError: it is not 16 bytes.
    """
    if type(tenant_uid) is not bytes or len(tenant_uid) != TENANT_UID_BYTES:
        raise ValueError("a tenant uid must be exactly 16 bytes")


def check_contexts(items: Sequence[tuple[object, bytes]]) -> None:
    """Refuse an empty context, which would bind a key to nothing.

    Raises:
        ValueError: a context is empty.
    """
    if not all(context for _, context in items):
        raise ValueError("a context must not be empty")


def check_anchor(text: str, version: int) -> None:
    """Refuse what can be no anchor, before it is written.

    Raises:
        ValueError: the text is empty or longer than MAX_ANCHOR_BYTES, or the version is below 0.
    """
    if not 0 < len(text.encode()) <= MAX_ANCHOR_BYTES:
        raise ValueError(f"an anchor's text must have 1 to {MAX_ANCHOR_BYTES} bytes")
    if version < 0:
        raise ValueError("an anchor's version must be 0, for a new one, or above")


def check_erasure_uid(erasure_uid: bytes) -> None:
    """Refuse what is no erasure's uid, before it becomes part of a path.

    Raises:
        ValueError: it is not 16 bytes.
    """
    if type(erasure_uid) is not bytes or len(erasure_uid) != ERASURE_UID_BYTES:
        raise ValueError("an erasure uid must be exactly 16 bytes")


def check_destroyed(erasure_uid: bytes, text: str) -> None:
    """Refuse what can be no note of an erasure, before it is written.

    Raises:
        ValueError: the erasure uid is not 16 bytes, or the text is empty or longer than MAX_DESTROYED_BYTES.
    """
    check_erasure_uid(erasure_uid)
    if not 0 < len(text.encode()) <= MAX_DESTROYED_BYTES:
        raise ValueError(f"what an erasure destroys must be said in 1 to {MAX_DESTROYED_BYTES} bytes")
