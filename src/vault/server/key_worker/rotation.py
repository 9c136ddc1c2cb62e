"""One rotation, phase by phase. Each step is a transaction, and notes in it how far it came; any of them may be done twice."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property

import sqlalchemy as sa

from vault.audit.events import Caller
from vault.errors import VaultError
from vault.keys import acts
from vault.kms.tenant_keys import EPOCH, INDEX, KeysMissingError, TenantKeys
from vault.server.key_worker.desk import Desk
from vault.server.key_worker.due_subjects import DueSubjects
from vault.server.key_worker.erased import Living, check_nobody_is_back, erased_subjects
from vault.server.key_worker.held_up import held_up
from vault.server.key_worker.new_keys import BEFORE_BYTES, Before, before, bring_in
from vault.server.key_worker.remembered import Remembered
from vault.store.engine import reading
from vault.store.rotation import reindex, rewrap
from vault.store.rotation.census import Census, census
from vault.store.rotation.part import Part, Pass
from vault.store.rotation.progress import Pace, Place, advance, keep, kinds_of
from vault.store.rotation.turnstile import pinning
from vault.store.rows import OperationRow, TenantKeyRow, TenantRow
from vault.v1 import common_pb2, key_service_pb2

CENSUS, KEYS, REKEY = "CENSUS", "KEYS", "REKEY"
REWRAP, REQUESTS, OPENINGS = "REWRAP", "REWRAP_REQUESTS", "REWRAP_OPENINGS"
SUBJECTS, ALIASES, ITEMS, RETIRE = "REINDEX_SUBJECTS", "REINDEX_ALIASES", "REINDEX_ITEMS", "RETIRE"
_KINDS = {
    REKEY: "subjects_rekeyed",
    REWRAP: "subject_keys",
    REQUESTS: "requests",
    OPENINGS: "openings",
    SUBJECTS: "subjects",
    ALIASES: "aliases",
    ITEMS: "items",
}
"""What a phase moves, as the attestation counts it."""
_IDLE_PASSES = 3
_PATIENCE_S = 600.0
"""How long a scan of all rows may take."""


class Rotation:
    """One rotation on its way; made anew for each run of its operation.

    Attributes:
        place: how far it is.
        moved: rows that this run has moved, items of re-keyed subjects among them.
    """

    def __init__(self, desk: Desk, row: OperationRow, batch: int) -> None:
        """Go on from where it is; ``batch`` is how many rows a step takes."""
        self._desk, self._row, self._batch = desk, row, batch
        self.place = Place(row.phase or CENSUS, row.cursor, row.done, row.total, kinds=kinds_of(row))
        self._caller = Caller(row.tenant_uid, desk.principal)
        self._details = {"operation": row.uid.hex()}
        self._idle, self._done_before = 0, row.done
        self._pace = Pace()
        self._remembered = Remembered(desk.manager, row.tenant_uid)
        self.moved = 0
        self._steps: Mapping[str, Callable[[], bool]] = {
            CENSUS: self._census,
            KEYS: self._keys,
            REKEY: self._rekey,
            REWRAP: self._by(REQUESTS, lambda part: rewrap.rewrap_subject_keys(part, self._new[0])),
            REQUESTS: self._by(OPENINGS, lambda part: rewrap.rewrap_requests(part, self._new[0])),
            OPENINGS: self._by(SUBJECTS, lambda part: rewrap.rewrap_openings(part, *self._new)),
            SUBJECTS: self._by(ALIASES, lambda part: reindex.reindex_subjects(part, self._new[1])),
            ALIASES: self._by(ITEMS, lambda part: reindex.reindex_aliases(part, self._new[1])),
            ITEMS: self._by(RETIRE, lambda part: reindex.reindex_items(part, self._desk.taxonomy, self._new[1])),
            RETIRE: self._retire,
        }
        self._attestation = key_service_pb2.Attestation()

    def step(self) -> bool:
        """Do the next step; False if it was the last.

        Raises:
            VaultError: it can't be done; what was done is noted.
            NotOursError: the operation was steered or taken over.
            sqlalchemy.exc.SQLAlchemyError, psycopg.Error: the database refuses or does not answer.
        """
        return self._steps[self.place.phase]()

    def result(self) -> bytes:
        """The attestation, once there is no further step."""
        return self._attestation.SerializeToString(deterministic=True)

    def _census(self) -> bool:
        keys = self._desk.keys(self._row.tenant_uid)
        keep(self._desk.engine, self._row, self._desk.name, _PATIENCE_S)
        check_nobody_is_back(self._desk, keys, self._remembered, _PATIENCE_S)
        old = before(self._desk, keys)
        counted = self._count(*old.new)
        self._note(Place(KEYS, old.packed, 0, sum(counted)))
        return True

    def _keys(self) -> bool:
        bring_in(self._desk, self._caller, self._details, Before.of(self.place.cursor))
        self._note(self.place._replace(phase=REKEY, cursor=self.place.cursor[:BEFORE_BYTES]))
        return True

    def _rekey(self) -> bool:
        """Make new keys before old ones move: else those of what was deleted would get to the new epoch, and into copies."""
        before = self._rekeyed.rows
        done = self._rekeyed.step(self.place.cursor[BEFORE_BYTES:], max(1, self._batch // 10))
        with self._desk.engine.begin() as connection:
            place = self._advance(connection, done, REWRAP)
        self.place, self.moved = place, self.moved + self._rekeyed.rows - before
        return True

    def _by(self, following: str, make: Callable[[Part], Pass]) -> Callable[[], bool]:
        def step() -> bool:
            keys, erased = self._loaded(), self._erased  # before the transaction, since the KMS is asked
            with pinning(self._desk.engine, keys) as (connection, tenant):
                self._check_current(tenant)
                done = make(Part(connection, keys, self.place.cursor[BEFORE_BYTES:], self._batch, not self._idle, erased))
                place = self._advance(connection, done, following)
            self.place, self.moved = place, self.moved + done.done
            return True

        return step

    def _check_current(self, tenant: TenantRow) -> None:
        """Refuse to move anything to keys that are not the current ones: how far an operation is stands under no MAC."""
        if (tenant.epoch, tenant.index_key_version) != self._new:
            raise VaultError(
                common_pb2.ERROR_REASON_INTEGRITY,
                "the current keys are not those that this rotation has made: somebody has altered how far it is; rotate anew",
            )

    def _retire(self) -> bool:
        """Retire the old keys if a scan finds nothing under them, which then stays so; else begin again with what it found."""
        keys = self._loaded()
        left = self._count(*self._new)
        if not left.is_empty:
            self._begin_again(left)
            return True
        check_nobody_is_back(self._desk, keys, self._remembered, _PATIENCE_S)
        found = left.hanging()
        details = {f"left_{kind}": str(count) for kind, count in found.items()}
        details |= {f"done_{kind}": str(count) for kind, count in self.place.kinds.items()}
        retirement = acts.retire(self._caller, {**self._details, **details, "rows_done": str(self.place.done)}, *self._new)
        self._desk.act(retirement)
        self._attest(found, retirement.ended)
        # Re-keying has moved some rows along that were counted for themselves.
        self._note(self.place._replace(total=self.place.done))
        return False

    def _attest(self, left: Mapping[str, int], retired: Sequence[TenantKeyRow]) -> None:
        said = self._attestation
        said.kek_version = self._desk.keys(self._row.tenant_uid).kek_version
        said.retired_epochs.extend(row.version for row in retired if row.kind == EPOCH)
        said.retired_index_keys.extend(row.version for row in retired if row.kind == INDEX)
        for kind, count in {"rows": self.place.done, **self.place.kinds}.items():
            said.done[kind] = count
        for kind, count in left.items():
            said.left[kind] = count

    def _begin_again(self, left: Census) -> None:
        """Another pass over what was locked, or changed, in the one before.

        Raises:
            VaultError: some passes in a row moved nothing; see ``held_up``.
        """
        self._idle = 0 if self.place.done > self._done_before else self._idle + 1
        self._done_before = self.place.done
        if self._idle == _IDLE_PASSES:
            raise held_up(self._desk, self._row, self._loaded(), left, self._rekeyed.late)
        self._note(self.place._replace(phase=REKEY, cursor=self.place.cursor[:BEFORE_BYTES]))

    @cached_property
    def _erased(self) -> frozenset[bytes]:
        """Who was erased before the new keys were made; whoever was since had keys under the new epoch, and waits for its end.

        Asked once they are made, and so never too early.
        """
        keep(self._desk.engine, self._row, self._desk.name, _PATIENCE_S)
        return erased_subjects(self._remembered)

    @cached_property
    def _rekeyed(self) -> DueSubjects:
        living = Living(self._new[0], self._erased)
        return DueSubjects(self._desk, self._caller, self._details, self._batch, living)

    @property
    def _new(self) -> tuple[int, int]:
        """The epoch and index key that the rotation has made."""
        return Before.of(self.place.cursor).new

    def _loaded(self) -> TenantKeys:
        """The tenant's keys, old and new; those in memory may be from before the new ones.

        Raises:
            VaultError: TENANT_SEALED, if only the authority key can be had; else as ``Desk.keys``.
        """
        with suppress(KeysMissingError):
            keys = self._desk.node.keys.get(self._row.tenant_uid)
            epoch, index = self._new
            if epoch in keys.epochs and index in keys.indexes:
                return keys
        return self._desk.keys(self._row.tenant_uid)

    def _count(self, epoch: int, index: int) -> Census:
        keep(self._desk.engine, self._row, self._desk.name, _PATIENCE_S)
        with reading(self._desk.engine, _PATIENCE_S) as connection:
            return census(connection, self._row.tenant_uid, epoch, index)

    def _advance(self, connection: sa.Connection, step: Pass, following: str) -> Place:
        """Note a step of a pass, in its transaction; the place that it has come to once that is committed."""
        head, kind = self.place.cursor[:BEFORE_BYTES], _KINDS[self.place.phase]
        phase, after = (following, b"") if step.last is None else (self.place.phase, step.last)
        done, kinds = self.place.done + step.done, {**self.place.kinds, kind: self.place.kinds.get(kind, 0) + step.done}
        place = Place(phase, head + after, done, self.place.total, self._pace.after(step.done), kinds)
        advance(connection, self._row, self._desk.name, place)
        return place

    def _note(self, place: Place) -> None:
        with self._desk.engine.begin() as connection:
            advance(connection, self._row, self._desk.name, place)
        self.place = place
