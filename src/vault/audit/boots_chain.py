"""One boot's chain, as far as it was read: what must hold of its end, and in which ways an entry can fail to continue it."""

from vault.audit.chain import CHAIN_START, signed_by
from vault.audit.note import Verifier
from vault.audit.verify_errors import UncheckedError, WrongError
from vault.v1.audit_pb2 import AuditEvent


class Boot:
    """One chain, as far as it was read."""

    __slots__ = ("absent", "absent_at_start", "allowed", "endorsed", "key", "last", "last_index", "sequence", "signed", "time_us")

    def __init__(self, key: Verifier | None, absent: int) -> None:
        self.key = key  # None if its beginning is not in the bundle
        self.absent_at_start = absent  # how many entries had been left out before its first leaf
        self.absent = absent  # and before the end of its last run
        self.endorsed = False
        self.allowed: int | None = None  # index of the first event that needs an endorsement
        self.sequence = 0  # of the next leaf
        self.last = CHAIN_START  # hash of the last leaf
        self.last_index = -1
        self.signed: tuple[int, bytes] | None = None  # index and bytes of the last signed leaf of its run
        self.time_us = 0  # the newest of its leaves' times

    @property
    def is_cut(self) -> bool:
        """Whether leaves follow the last signed one."""
        return self.key is not None and (self.signed is None or self.signed[0] != self.last_index)

    def check_signature(self, boot_id: bytes) -> None:
        """Verify the last signature of the run, which covers the run up to there.

        Raises:
            WrongError: it is not by the boot's key.
        """
        if self.key is None or self.signed is None:
            return
        index, leaf = self.signed
        if not signed_by(leaf, self.key):
            raise WrongError(f"entry {index}: its signature is not by the key of boot {boot_id.hex()}")

    def check_endorsed(self, boot_id: bytes, absent: int) -> None:
        """Check that the boot was endorsed if it allowed anything; ``absent`` is how many entries were left out so far.

        Raises:
            WrongError: it was not.
            UncheckedError: its endorsement may be among the entries left out.
        """
        if self.key is None or self.endorsed or self.allowed is None:
            return
        what = f"entry {self.allowed} is of boot {boot_id.hex()}, which the log's key has not endorsed, and yet was allowed"
        if absent > self.absent_at_start:
            raise UncheckedError(f"{what}: forged, or its BootEndorsed is missing from the bundle")
        raise WrongError(what)


def breach(event: AuditEvent, expected: int) -> str:
    """In which way an entry does not follow its boot's last one."""
    boot, number = event.boot_id.hex(), event.boot_sequence
    if number > expected:
        return f"is number {number} of boot {boot}: number {expected} is missing before it"
    if number < expected:
        return f"is number {number} of boot {boot}, which stood before already: moved, or there twice"
    return f"is number {number} of boot {boot}, but does not follow number {number - 1}: one of them was replaced"
