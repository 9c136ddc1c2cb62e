"""One rotation, phase by phase. Each step is a transaction, and notes in it how far it came; any of them may be done twice."""

from collections.abc import Callable, Mapping
from functools import cached_property

from vault.server.key_worker.due_subjects import DueSubjects
from vault.server.key_worker.erased import Living, check_nobody_is_back, erased_subjects
from vault.server.key_worker.held_operation import HeldOperation
from vault.server.key_worker.held_up import held_up
from vault.server.key_worker.new_keys import BEFORE_BYTES, Before, before, bring_in, check_current, loaded
from vault.server.key_worker.remembered import Remembered
from vault.server.key_worker.retirement import retire
from vault.store.engine import reading
from vault.store.rotation import reindex, rewrap
from vault.store.rotation.census import Census, census
from vault.store.rotation.pass_part import Moved, PassPart
from vault.store.rotation.progress import Place
from vault.store.rotation.turnstile import pinning
from vault.v1.key_service_pb2 import Attestation

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
    """One rotation on its way; made anew for each run of its operation."""

    def __init__(self, held: HeldOperation, batch: int) -> None:
        """Go on from where it is; ``batch`` is how many rows a step takes."""
        self.held, self._batch = held, batch
        if not held.place.phase:
            held.place = held.place._replace(phase=CENSUS)
        self._idle, self._done_before = 0, held.place.done
        self._remembered = Remembered(held.desk.manager, held.tenant_uid)
        self._attestation = Attestation()
        self._steps: Mapping[str, Callable[[], bool]] = {
            CENSUS: self._census,
            KEYS: self._keys,
            REKEY: self._rekey,
            REWRAP: self._by(REQUESTS, lambda part: rewrap.rewrap_subject_keys(part, self._new[0])),
            REQUESTS: self._by(OPENINGS, lambda part: rewrap.rewrap_requests(part, self._new[0])),
            OPENINGS: self._by(SUBJECTS, lambda part: rewrap.rewrap_openings(part, *self._new)),
            SUBJECTS: self._by(ALIASES, lambda part: reindex.reindex_subjects(part, self._new[1])),
            ALIASES: self._by(ITEMS, lambda part: reindex.reindex_aliases(part, self._new[1])),
            ITEMS: self._by(RETIRE, lambda part: reindex.reindex_items(part, held.desk.taxonomy, self._new[1])),
            RETIRE: self._retire,
        }

    def step(self) -> bool:
        """Do the next step; False if it was the last.

        Raises:
            VaultError: it can't be done; what was done is noted.
            NotOursError: the operation was steered or taken over.
            sqlalchemy.exc.SQLAlchemyError, psycopg.Error: the database refuses or does not answer.
        """
        return self._steps[self.held.place.phase]()

    def result(self) -> bytes:
        """The attestation, once there is no further step."""
        return self._attestation.SerializeToString(deterministic=True)

    def _census(self) -> bool:
        keys = self.held.keys()
        self.held.keep(_PATIENCE_S)
        check_nobody_is_back(self.held.desk, keys, self._remembered, _PATIENCE_S)
        old = before(self.held.desk, keys)
        counted = self._count(*old.new)
        self.held.note(Place(KEYS, old.packed, 0, sum(counted)))
        return True

    def _keys(self) -> bool:
        bring_in(self.held, Before.of(self.held.place.cursor))
        self._begin_pass()
        return True

    def _rekey(self) -> bool:
        """Make new keys before old ones move: else those of what was deleted would get to the new epoch, and into copies."""
        before = self._rekeyed.rows
        done = self._rekeyed.step(self.held.place.cursor[BEFORE_BYTES:], max(1, self._batch // 10))
        self.held.note(self._after(done, REWRAP))
        self.held.moved += self._rekeyed.rows - before
        return True

    def _by(self, following: str, make: Callable[[PassPart], Moved]) -> Callable[[], bool]:
        held = self.held

        def step() -> bool:
            keys, erased = loaded(held, self._new), self._erased  # before the transaction, since the KMS is asked
            with pinning(held.desk.engine, keys) as (connection, tenant):
                check_current(tenant, self._new)
                done = make(PassPart(connection, keys, held.place.cursor[BEFORE_BYTES:], self._batch, not self._idle, erased))
                place = self._after(done, following)
                held.advance(connection, place)
            held.place = place
            held.moved += done.done
            return True

        return step

    def _retire(self) -> bool:
        """Retire the old keys if a scan finds nothing under them, which then stays so; else begin again with what it found."""
        keys = loaded(self.held, self._new)
        left = self._count(*self._new)
        if not left.is_empty:
            self._begin_again(left)
            return True
        check_nobody_is_back(self.held.desk, keys, self._remembered, _PATIENCE_S)
        self._attestation = retire(self.held, left, *self._new)
        # Re-keying has moved some rows along that were counted for themselves.
        self.held.note(self.held.place._replace(total=self.held.place.done))
        return False

    def _begin_again(self, left: Census) -> None:
        """Another pass over what was locked, or changed, in the one before.

        Raises:
            VaultError: some passes in a row moved nothing; see ``held_up``.
        """
        done = self.held.place.done
        self._idle = 0 if done > self._done_before else self._idle + 1
        self._done_before = done
        if self._idle == _IDLE_PASSES:
            raise held_up(self.held, loaded(self.held, self._new), left, self._rekeyed.late)
        self._begin_pass()

    def _begin_pass(self) -> None:
        self.held.note(self.held.place._replace(phase=REKEY, cursor=self.held.place.cursor[:BEFORE_BYTES]))

    @cached_property
    def _erased(self) -> frozenset[bytes]:
        """Who was erased before the new keys were made; whoever was since had keys under the new epoch, and waits for its end.

        Asked once they are made, and so never too early.
        """
        self.held.keep(_PATIENCE_S)
        return erased_subjects(self._remembered)

    @cached_property
    def _rekeyed(self) -> DueSubjects:
        with pinning(self.held.desk.engine, loaded(self.held, self._new)) as (_, tenant):
            check_current(tenant, self._new)  # else each part would be refused as one for older keys, for ever
        return DueSubjects(self.held, self._batch, Living(self._new[0], self._erased))

    @property
    def _new(self) -> tuple[int, int]:
        """The epoch and index key that the rotation has made."""
        return Before.of(self.held.place.cursor).new

    def _count(self, epoch: int, index: int) -> Census:
        self.held.keep(_PATIENCE_S)
        with reading(self.held.desk.engine, _PATIENCE_S) as connection:
            return census(connection, self.held.tenant_uid, epoch, index)

    def _after(self, moved: Moved, following: str) -> Place:
        """The place that a step of a pass has come to."""
        place, kind = self.held.place, _KINDS[self.held.place.phase]
        phase, after = (following, b"") if moved.last is None else (place.phase, moved.last)
        kinds = {**place.kinds, kind: place.kinds.get(kind, 0) + moved.done}
        cursor, rate = place.cursor[:BEFORE_BYTES] + after, self.held.pace.after(moved.done)
        return Place(phase, cursor, place.done + moved.done, place.total, rate, kinds)
