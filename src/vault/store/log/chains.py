"""Following the boots' chains as their leaves enter the tree, to say at once where one was touched (docs/formats.md).

What breaks a chain never keeps a leaf out of the tree: the log must not stand still because somebody edited one row.
"""

from collections.abc import Collection, Mapping
from copy import copy
from typing import NamedTuple

from vault.audit.chain import CHAIN_START, announcement, ends_signed, signed_by
from vault.audit.endorsement import needs_endorsement
from vault.audit.note import NoteError, Verifier, verifier
from vault.store.log.rows import BootRow, PendingRow
from vault.v1.audit_pb2 import AuditEvent


class Trouble(NamedTuple):
    """A place where a log is not as its boots wrote it. ``problem`` is one of a few fixed texts.

    Attributes:
        boot_id: whose leaf, as far as that is known; it may be of any length.
        boot_sequence: its number among the boot's.
        problem: what is wrong with it.
        leaf_index: where in the log it stands; None if it became no entry, or none that is there is wrong.
    """

    boot_id: bytes
    boot_sequence: int
    problem: str
    leaf_index: int | None = None


class Boot:
    """How far one boot's chain has come in one log: the columns of its row, and what is known of it beside.

    Attributes:
        public_key: its key, 32 bytes; empty if it began without one.
        is_endorsed: whether the log's key has endorsed it.
        unsigned: its last leaf, while no signature of the boot is known to cover it.
        allowed: number and index of the first leaf since then that only an endorsed boot may have, if it is not endorsed.
    """

    def __init__(self, row: BootRow) -> None:
        self.tenant_uid, self.boot_id, self.start_index, self.endorse_index, self.next_sequence, self.last_hash = row
        self.public_key = b""
        self.is_endorsed = False
        self.unsigned: bytes | None = None
        self.allowed: tuple[int, int] | None = None

    @property
    def row(self) -> BootRow:
        """The boot as its row."""
        return BootRow(self.tenant_uid, self.boot_id, self.start_index, self.endorse_index, self.next_sequence, self.last_hash)

    def endorse(self, log_key: Verifier, endorsement: bytes) -> bool:
        """Note a signature of the log's key over what the boot announced; whether it is one."""
        self.is_endorsed = log_key.accepts(endorsement, announcement(self.tenant_uid, self.boot_id, self.public_key))
        return self.is_endorsed


class Chains:
    """The chains of a log while one batch enters it. What was known is not changed: a batch may yet fail."""

    def __init__(self, tenant_uid: bytes, log_key: Verifier, known: Mapping[bytes, Boot]) -> None:
        """Go on from ``known``, which must hold every boot of the batch that the log knows."""
        self.changed: dict[bytes, Boot] = {}
        self.troubles: list[Trouble] = []
        self._tenant_uid = tenant_uid
        self._log_key = log_key
        self._known = known
        self._told: set[bytes] = set()

    def follow(self, row: PendingRow, event: AuditEvent, leaf_hash: bytes, leaf_index: int) -> None:
        """Take the next leaf of the batch; its event must be of this tenant, and well-formed."""
        boot_id, sequence = event.boot_id, event.boot_sequence
        if boot_id != row.boot_id or sequence != row.boot_sequence or event.time_us != row.time_us:
            self.note(row, "the columns of its pending row are not what the leaf says: it was edited", leaf_index)
        boot = self._boot(boot_id, leaf_index)
        problem = _breach(boot, event, sequence)
        if problem:
            self._tell(boot_id, sequence, problem, leaf_index)
        if sequence == boot.next_sequence == 0 and event.boot_public_key:
            boot.public_key = event.boot_public_key
        if boot.endorse_index is None and event.boot_endorsement:
            boot.endorse_index = leaf_index
            if not boot.endorse(self._log_key, event.boot_endorsement):
                self._tell(boot_id, sequence, "the boot was not endorsed by the log's key", leaf_index)
        if boot.allowed is None and not boot.is_endorsed and needs_endorsement(event.action, event.decision):
            boot.allowed = sequence, leaf_index
        boot.next_sequence = sequence + 1
        boot.last_hash = leaf_hash
        boot.unsigned = row.leaf

    def cut(self) -> list[Boot]:
        """The boots whose last leaf bears no signature: the rest of its transaction may be pending."""
        boots = {**self._known, **self.changed}
        return [boot for boot in boots.values() if boot.unsigned and not ends_signed(boot.unsigned)]

    def settle(self, cut: Collection[bytes] = ()) -> None:
        """Check that each chain ends signed, as each transaction does, and that only endorsed boots did what only they may.

        Those that are ``cut`` are settled with the rest of their last transaction.
        """
        for boot_id in {*self.changed, *(boot_id for boot_id, boot in self._known.items() if boot.unsigned)}.difference(cut):
            boot = self._boot(boot_id, 0)
            if boot.unsigned and not _signed(boot.unsigned, boot.public_key):
                self._tell(boot_id, boot.next_sequence - 1, "the chain does not end with a signature of its boot", None)
            if boot.allowed and not boot.is_endorsed:
                self._tell(boot_id, boot.allowed[0], "it was allowed, and the log's key has not endorsed its boot", boot.allowed[1])
            boot.unsigned = boot.allowed = None

    def _boot(self, boot_id: bytes, leaf_index: int) -> Boot:
        """The boot as this batch has it so far."""
        boot = self.changed.get(boot_id)
        if boot is None:
            known = self._known.get(boot_id)
            boot = copy(known) if known else Boot(BootRow(self._tenant_uid, boot_id, leaf_index, None, 0, CHAIN_START))
            self.changed[boot_id] = boot
        return boot

    def note(self, row: PendingRow, problem: str, leaf_index: int | None) -> None:
        """Note what is wrong with a row that no chain is followed through; ``leaf_index`` is of its entry, if it became one."""
        self._tell(row.boot_id, row.boot_sequence, problem, leaf_index)

    def _tell(self, boot_id: bytes, sequence: int, problem: str, leaf_index: int | None) -> None:
        """One trouble a boot and batch is enough to send somebody looking."""
        if boot_id not in self._told:
            self._told.add(boot_id)
            self.troubles.append(Trouble(boot_id, sequence, problem, leaf_index))


def _breach(boot: Boot, event: AuditEvent, sequence: int) -> str | None:
    """Why a leaf is not the next of its boot, if it is not."""
    if sequence > boot.next_sequence:
        return "leaves before this one are missing"
    if sequence < boot.next_sequence:
        return "there was a leaf of this number already"
    if event.previous_hash != boot.last_hash:
        return "it does not continue the leaf before it: one of the two was edited"
    if sequence == 0 and not event.boot_public_key:
        return "the chain does not begin with the start of its boot"
    return None


def _signed(leaf: bytes, public_key: bytes) -> bool:
    try:
        return signed_by(leaf, verifier("boot", public_key))
    except NoteError:  # it has no key
        return False
