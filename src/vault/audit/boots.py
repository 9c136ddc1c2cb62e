"""The chains of boots in a log, as docs/formats.md describes them: who wrote each leaf, and whether any of theirs is missing.

Entries are given in the order of the log. A bundle of a range also holds entries from before and after it, with gaps between:
within a run of entries a chain must be whole, across a gap it is joined by its sequence numbers. One signature a chain and run is
verified, the last one: ``previous_hash`` makes it cover all before it.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vault.audit.actions import BOOT_ENDED, BOOT_ENDORSED, BOOT_STARTED
from vault.audit.boots_chain import Boot, breach
from vault.audit.chain import MAX_SKEW_S, announcement
from vault.audit.endorsement import needs_endorsement
from vault.audit.note import Verifier, verifier
from vault.audit.verify_errors import UncheckedError, WrongError
from vault.audit.verify_leaves import OWN, Links
from vault.v1.audit_pb2 import AuditEvent

MAX_STEP_BACK_US = int(2 * MAX_SKEW_S * 1_000_000)
"""How far time may go back within a boot: a node believes the database's clock to within so much of its own, either way."""


class ChainCounts(NamedTuple):
    """How many boots there were, and how their chains stand.

    Args:
        boots: whose chains were checked.
        ended: with BootEnded.
        open: without: they still run, ended uncleanly, or end outside of the range.
        unendorsed: without the endorsement of the log's key; they only refused.
        cut: end in leaves that their boot signs only after the range, or after the log's end.
        outside: occur beside the range only, without their beginnings; not checked, and in no other number.
    """

    boots: int
    ended: int
    open: int
    unendorsed: int
    cut: int
    outside: int


class Boots:
    """All chains of a log."""

    def __init__(self, tenant_uid: bytes, log_key: Verifier, start: int, end: int) -> None:
        """Begin.

        Args:
            tenant_uid: whose log it is.
            log_key: what endorses boots.
            start: the first index of the range, within which every chain is checked.
            end: one beyond the last.
        """
        self._tenant_uid = tenant_uid
        self._log_key = log_key
        self._start, self._end = start, end
        self._next = 0
        self._absent = 0  # how many entries were left out so far
        self._running: dict[bytes, Boot] = {}  # seen in this run
        self._parked: dict[bytes, Boot] = {}  # last seen before a gap
        self._over: dict[bytes, int] = {}  # index of BootEnded
        self._ended = self._unendorsed = self._outside = 0

    def follow(self, first: int, leaves: Sequence[bytes], hashes: Sequence[bytes], links: Links) -> None:
        """Go on with consecutive entries.

        Args:
            first: the index of the first; those between the last call's and this one are not known.
            leaves: as they were hashed.
            hashes: their leaf hashes.
            links: what they say of their chains; each was found to be a sound event of this log (``verify_leaves``).

        Raises:
            WrongError: an entry breaks its chain; the message names the first.
            UncheckedError: the beginning of a chain is missing from the bundle.
        """
        if first != self._next or first == self._start:
            self._park(first)
        running, about_boots = self._running, not OWN.isdisjoint(links.actions)
        entries = zip(leaves, hashes, *links, strict=True)
        for index, (leaf, digest, boot_id, sequence, previous, time_us, signature, action, decision) in enumerate(entries, first):
            boot = running.get(boot_id)
            if boot is None:
                boot = self._enter(index, AuditEvent.FromString(leaf))
            if sequence != boot.sequence or previous != boot.last:
                raise WrongError(f"entry {index} {breach(AuditEvent.FromString(leaf), boot.sequence)}")
            if time_us > boot.time_us:
                boot.time_us = time_us
            elif time_us + MAX_STEP_BACK_US < boot.time_us:
                back_s = (boot.time_us - time_us) // 1_000_000
                raise WrongError(f"entry {index} is dated {back_s} s before an earlier one of its boot")
            if signature:
                boot.signed = index, leaf
            boot.sequence, boot.last, boot.last_index = sequence + 1, digest, index
            if not boot.endorsed and boot.allowed is None and needs_endorsement(action, decision):
                boot.allowed = index
            if about_boots and action in OWN:
                self._note_own(index, AuditEvent.FromString(leaf), boot)
        self._next = first + len(leaves)

    def finish(self, size: int) -> ChainCounts:
        """Check how the chains end.

        A log may end within a commit, since commits enter it in batches: the last leaf of all may be one that its boot signs next.

        Args:
            size: of the whole log.

        Raises:
            WrongError: a chain's last signature is bad or missing, or a boot did what it had no endorsement for.
            UncheckedError: its endorsement may be among the entries left out.
        """
        for boot_id, boot in self._running.items():
            boot.check_signature(boot_id)
            if boot.is_cut and self._next == size and boot.last_index != size - 1:
                raise WrongError(f"entry {boot.last_index} is the last one of boot {boot_id.hex()}, and not signed by it")
        still = {**self._parked, **self._running}
        for boot_id, boot in still.items():
            boot.check_endorsed(boot_id, self._absent + size - self._next)
        known = [boot for boot in still.values() if boot.key]
        return ChainCounts(
            boots=len(known) + self._ended,
            ended=self._ended,
            open=len(known),
            unendorsed=self._unendorsed + sum(not boot.endorsed for boot in known),
            cut=sum(boot.is_cut for boot in known),
            outside=self._outside,
        )

    def problems(self) -> Iterator[tuple[bytes, str]]:
        """Boot id and what is wrong with the end of its chain so far: a bad signature, or something done without endorsement."""
        for boot_id, boot in self._running.items():
            try:
                boot.check_signature(boot_id)
                boot.check_endorsed(boot_id, self._absent)
            except (WrongError, UncheckedError) as error:
                yield boot_id, str(error)

    def _park(self, first: int) -> None:
        """Note a gap before ``first``, or that the range begins there."""
        for boot_id, boot in self._running.items():
            boot.check_signature(boot_id)
            boot.absent = self._absent
        self._absent += first - self._next
        self._parked.update(self._running)
        self._running.clear()

    def _enter(self, index: int, event: AuditEvent) -> Boot:
        """The boot of an event that is its first, or its first since a gap."""
        boot_id = event.boot_id
        if boot_id in self._over:
            raise WrongError(f"entry {index} follows the end of its boot, which is entry {self._over[boot_id]}")
        boot = self._parked.pop(boot_id, None)
        if boot is not None:
            self._join(index, event, boot)
        elif event.action == BOOT_STARTED:
            boot = Boot(verifier("boot", event.boot_public_key), self._absent)
        else:
            boot = self._without_beginning(index, event)
        self._running[boot_id] = boot
        return boot

    def _without_beginning(self, index: int, event: AuditEvent) -> Boot:
        if not self._absent:
            what = f"number {event.boot_sequence} of boot {event.boot_id.hex()}"
            raise WrongError(f"entry {index} is {what}, whose beginning is missing")
        self._need_beginning(index, event)
        boot = Boot(None, self._absent)
        boot.sequence, boot.last = event.boot_sequence, event.previous_hash
        self._outside += 1
        return boot

    def _join(self, index: int, event: AuditEvent, boot: Boot) -> None:
        """Go on after a gap: leaves between may be among the entries left out, but no more of them than were."""
        if boot.key is None:
            self._need_beginning(index, event)
        between = event.boot_sequence - boot.sequence
        if not 0 <= between <= self._absent - boot.absent:
            raise WrongError(f"entry {index} {breach(event, boot.sequence)}")
        if between:
            boot.sequence, boot.last = event.boot_sequence, event.previous_hash
        boot.signed = None

    def _need_beginning(self, index: int, event: AuditEvent) -> None:
        if self._start <= index < self._end:
            raise UncheckedError(
                f"the bundle is incomplete: entry {index} is of boot {event.boot_id.hex()}, whose BootStarted it does not hold"
            )

    def _note_own(self, index: int, event: AuditEvent, boot: Boot) -> None:
        """Note an event of the boot itself."""
        if event.action == BOOT_STARTED and event.boot_sequence:
            raise WrongError(f"entry {index} begins boot {event.boot_id.hex()} again")
        if event.action == BOOT_ENDORSED:
            self._note_endorsed(index, event, boot)
        elif event.action == BOOT_ENDED:
            self._note_ended(index, event.boot_id, boot)

    def _note_endorsed(self, index: int, event: AuditEvent, boot: Boot) -> None:
        if boot.endorsed:
            raise WrongError(f"entry {index} endorses boot {event.boot_id.hex()} again")
        boot.endorsed = True
        if boot.key:
            message = announcement(self._tenant_uid, event.boot_id, boot.key.public_key)
            if not self._log_key.accepts(event.boot_endorsement, message):
                raise WrongError(f"entry {index}: the endorsement of boot {event.boot_id.hex()} is not by the log's key")

    def _note_ended(self, index: int, boot_id: bytes, boot: Boot) -> None:
        boot.check_signature(boot_id)
        if boot.is_cut:
            raise WrongError(f"entry {index} ends boot {boot_id.hex()}, and is not signed by it")
        boot.check_endorsed(boot_id, self._absent)
        del self._running[boot_id]
        self._over[boot_id] = index
        if boot.key:
            self._ended += 1
            self._unendorsed += not boot.endorsed
