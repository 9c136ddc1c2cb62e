"""The states that rows can be in, and the kinds of long work, as their columns hold them."""

from typing import Final


class TenantState:
    """Of a tenant; only an ACTIVE one is served."""

    ACTIVE: Final = "ACTIVE"
    SEALED: Final = "SEALED"
    CLOSED: Final = "CLOSED"


class PrincipalState:
    """Of whoever may call."""

    ACTIVE: Final = "ACTIVE"
    SUSPENDED: Final = "SUSPENDED"


class KeyState:
    """Of a tenant's key (docs/decisions/0008)."""

    ACTIVE: Final = "ACTIVE"
    OLD: Final = "OLD"
    RETIRED: Final = "RETIRED"
    DESTROYED: Final = "DESTROYED"


class SubjectState:
    """Of a subject."""

    ACTIVE: Final = "ACTIVE"
    RESTRICTED: Final = "RESTRICTED"
    ERASING: Final = "ERASING"


class ErasureState:
    """Of an erasure."""

    BEGUN: Final = "BEGUN"
    DONE: Final = "DONE"


class OperationKind:
    """Of long work: the method that asks for it."""

    ROTATE: Final = "Rotate"
    REKEY: Final = "Rekey"
    DESTROY: Final = "Destroy"
    BULK_ERASE: Final = "BulkErase"


class OperationState:
    """Of long work; the last three have ended."""

    WAITING: Final = "WAITING"
    RUNNING: Final = "RUNNING"
    PAUSED: Final = "PAUSED"
    DONE: Final = "DONE"
    FAILED: Final = "FAILED"
    CANCELLED: Final = "CANCELLED"


class ApprovalState:
    """Of what a second principal has to decide."""

    ASKED: Final = "ASKED"
    APPROVED: Final = "APPROVED"
    DENIED: Final = "DENIED"
    USED: Final = "USED"


KEYS_IN_USE: Final = (KeyState.ACTIVE, KeyState.OLD)
"""Those of keys that something live hangs on."""
