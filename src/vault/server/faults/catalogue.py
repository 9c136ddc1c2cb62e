"""The faults there are, by the names that people type. What callers get for each, docs/degraded.md says."""

from collections.abc import Callable, Iterable, Set
from enum import StrEnum
from typing import Final

SLOW_KMS_S: Final = 2.0
"""What a slow KMS takes for each answer."""
SLOW_DATABASE_S: Final = 0.5
"""What a slow database takes to begin a transaction: longer, and the logs would not be kept in time."""


class Fault(StrEnum):
    """One way in which KMS or database fail."""

    KMS_DOWN = "kms-down"
    KMS_SEALED = "kms-sealed"
    KMS_SLOW = "kms-slow"
    KMS_DENIED = "kms-denied"
    KMS_RATE_LIMITED = "kms-rate-limited"
    DB_DOWN = "db-down"
    DB_SLOW = "db-slow"
    DB_READ_ONLY = "db-read-only"


Faults = Callable[[], Set[Fault]]
"""Says which faults are on at this moment."""

MEANINGS: Final = {
    Fault.KMS_DOWN: "the KMS can't be reached",
    Fault.KMS_SEALED: "the KMS is sealed",
    Fault.KMS_SLOW: f"the KMS takes {SLOW_KMS_S:.0f} s for each answer",
    Fault.KMS_DENIED: "the KMS refuses the vault's login",
    Fault.KMS_RATE_LIMITED: "the KMS says that it is asked too often",
    Fault.DB_DOWN: "the database is gone",
    Fault.DB_SLOW: f"the database takes {SLOW_DATABASE_S} s to begin a transaction",
    Fault.DB_READ_ONLY: "the database takes no writes",
}


class UnknownFaultError(ValueError):
    """There is no fault of such a name; the message lists those there are."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no fault {name!r}: choose from {', '.join(Fault)}")


def parse(names: Iterable[str]) -> frozenset[Fault]:
    """The faults of these names.

    Raises:
        UnknownFaultError: one of them is none.
    """
    return frozenset(map(_fault, names))


def _fault(name: str) -> Fault:
    try:
        return Fault(name)
    except ValueError:
        raise UnknownFaultError(name) from None
