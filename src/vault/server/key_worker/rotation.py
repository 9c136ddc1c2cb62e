"""One rotation, phase by phase. Each step is a transaction, and notes in it how far it came; any of them may be done twice."""

import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property

import sqlalchemy as sa

from vault.audit.events import Caller
from vault.crypto.binding import kms_context
from vault.crypto.keys import Key
from vault.errors import VaultError
from vault.keys import acts
from vault.keys.rekeying import NewFieldKey
from vault.kms.kek import Kek
from vault.kms.key_manager import Wrapped
from vault.kms.tenant_keys import AUTHORITY, EPOCH, INDEX, KeysMissingError, TenantKeys
from vault.kms.wrapped_by import wrapped_by
from vault.server.key_worker.desk import Desk
from vault.server.key_worker.erased import check_nobody_is_back, erased_subjects
from vault.server.key_worker.held_up import held_up
from vault.server.key_worker.renewal import Renewal
from vault.store import tables as t
from vault.store.engine import reading
from vault.store.rotation import reindex, rewrap
from vault.store.rotation.census import Census, census
from vault.store.rotation.part import Part, Pass
from vault.store.rotation.progress import Pace, Place, advance, keep
from vault.store.rotation.turnstile import pinning
from vault.store.rows import OperationRow, TenantRow
from vault.v1 import common_pb2, key_service_pb2

CENSUS, KEYS, REKEY = "CENSUS", "KEYS", "REKEY"
REWRAP, REQUESTS, OPENINGS = "REWRAP", "REWRAP_REQUESTS", "REWRAP_OPENINGS"
SUBJECTS, ALIASES, ITEMS, RETIRE = "REINDEX_SUBJECTS", "REINDEX_ALIASES", "REINDEX_ITEMS", "RETIRE"
_BEFORE = struct.Struct(">III")
"""KEK version, epoch and index key before the rotation: the cursor of CENSUS and KEYS, and the beginning of all others."""
_IDLE_PASSES = 3
_PATIENCE_S = 600.0
"""How long a scan of all rows may take."""


class Rotation:
    """One rotation on its way; made anew for each run of its operation.

    Attributes:
        place: how far it is.
    """

    def __init__(self, desk: Desk, row: OperationRow, batch: int) -> None:
        """Go on from where it is; ``batch`` is how many rows a step takes."""
        self._desk, self._row, self._batch = desk, row, batch
        self.place = Place(row.phase or CENSUS, row.cursor, row.done, row.total)
        self._caller = Caller(row.tenant_uid, desk.principal)
        self._details = {"operation": row.uid.hex()}
        self._idle, self._done_before = 0, row.done
        self._pace = Pace()
        self._steps: Mapping[str, Callable[[], bool]] = {
            CENSUS: self._census,
            KEYS: self._keys,
            REKEY: self._rekey,
            REWRAP: self._rewrap,
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
        kek = self._desk.administrator.kek(self._row.tenant_uid)
        keys = self._desk.serving_keys(self._row.tenant_uid)
        check_nobody_is_back(self._desk, keys, _PATIENCE_S)
        epoch, index = max(keys.epochs), max(keys.indexes)
        counted = self._count(epoch + 1, index + 1)
        self._note(Place(KEYS, _BEFORE.pack(self._wrapping(kek, epoch), epoch, index), 0, sum(counted)))
        return True

    def _wrapping(self, kek: Kek, epoch: int) -> int:
        """The KEK version before the rotation. Of a KEK that was brought along, the next one must be there already.

        Raises:
            VaultError: WRONG_STATE, if it is not.
        """
        if kek.may_rotate:
            return kek.latest
        c = t.tenant_key.c
        current = (c.tenant_uid == self._row.tenant_uid) & (c.kind == EPOCH) & (c.version == epoch)
        with reading(self._desk.engine, _PATIENCE_S) as connection:
            version = wrapped_by(connection.scalar(sa.select(c.wrapped).where(current)) or b"")
        if kek.latest <= version:
            raise VaultError(
                common_pb2.ERROR_REASON_WRONG_STATE,
                "the tenant's KEK was imported, and so must be its next version: `pdvault tenant import-kek`; nothing was changed",
            )
        return version

    def _next_kek_version(self, before: int) -> int:
        """The version that wraps from now on: made by the KMS, or brought along."""
        kek = self._desk.administrator.kek(self._row.tenant_uid)
        return kek.latest if not kek.may_rotate else self._desk.administrator.rotate(self._row.tenant_uid, before)

    def _keys(self) -> bool:
        kek_version, epoch, index = _BEFORE.unpack_from(self.place.cursor)
        tenant_uid = self._row.tenant_uid
        new_version = self._next_kek_version(kek_version)
        keys = self._desk.serving_keys(tenant_uid)
        if max(keys.epochs) == epoch:
            fresh = self._fresh(keys, epoch + 1, index + 1, new_version)
            details = self._details | {"kek_version": str(new_version), "epoch": str(epoch + 1), "index_key": str(index + 1)}
            self._desk.act(acts.rotate(self._caller, details, epoch, fresh))
        self._note(self.place._replace(phase=REKEY, cursor=self.place.cursor[: _BEFORE.size]))
        return True

    def _fresh(self, keys: TenantKeys, epoch: int, index: int, kek_version: int) -> dict[tuple[str, int], Wrapped]:
        """New epoch and index key, and the authority keys, wrapped by the new KEK version."""
        made = {(EPOCH, epoch): Key.generate(), (INDEX, index): Key.generate()}
        made |= {(AUTHORITY, version): key for version, key in keys.authority.keys.items()}
        contexts = [(key, kms_context(keys.tenant_uid, kind, version)) for (kind, version), key in made.items()]
        wrapped = self._desk.manager.wrap(keys.tenant_uid, contexts)
        if {one.kek_version for one in wrapped} != {kek_version}:
            raise VaultError(common_pb2.ERROR_REASON_CONFLICT, "the KEK was rotated by somebody else meanwhile")
        return dict(zip(made, wrapped, strict=True))

    def _rekey(self) -> bool:
        """Make new keys before old ones move: else those of what was deleted would get to the new epoch, and into copies."""
        after = self.place.cursor[_BEFORE.size :]
        c = t.subject.c
        due = sa.select(c.uid).where(c.tenant_uid == self._row.tenant_uid, c.rekey_due, c.uid > after)
        with reading(self._desk.engine, _PATIENCE_S) as connection:
            uids = list(connection.scalars(due.order_by(c.uid).limit(max(1, self._batch // 10))))
        done = Renewal(self._desk, self._caller, self._details, NewFieldKey.NEVER).renew(uids)
        with self._desk.engine.begin() as connection:
            place = self._advance(connection, Pass(done, len(uids) - done, uids[-1] if uids else None), REWRAP)
        self.place = place
        return True

    def _rewrap(self) -> bool:
        erased = self._erased  # before the transaction, since the KMS is asked
        return self._by(REQUESTS, lambda part: rewrap.rewrap_subject_keys(part, self._new[0], erased))()

    def _by(self, following: str, make: Callable[[Part], Pass]) -> Callable[[], bool]:
        def step() -> bool:
            keys = self._loaded()
            with pinning(self._desk.engine, keys) as (connection, tenant):
                self._check_current(tenant)
                done = make(Part(connection, keys, self.place.cursor[_BEFORE.size :], self._batch, passes_by=not self._idle))
                place = self._advance(connection, done, following)
            self.place = place
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
        epoch, index = self._new
        left = self._count(epoch, index)
        if not left.is_empty:
            self._begin_again(left)
            return True
        check_nobody_is_back(self._desk, keys, _PATIENCE_S)
        details = self._details | {f"left_{name}": str(count) for name, count in left._asdict().items() if name != "rekey_due"}
        details["rows_done"] = str(self.place.done)
        retirement = acts.retire(self._caller, details, epoch, index)
        self._desk.act(retirement)
        self._desk.keys(self._row.tenant_uid)
        self._attestation.retired_epochs.extend(row.version for row in retirement.ended if row.kind == EPOCH)
        self._attestation.retired_index_keys.extend(row.version for row in retirement.ended if row.kind == INDEX)
        self._attestation.kek_version = _BEFORE.unpack_from(self.place.cursor)[0] + 1
        self._attestation.done["rows"] = self.place.done
        for name, count in left._replace(rekey_due=0)._asdict().items():
            self._attestation.left[name] = count
        self._note(
            self.place._replace(total=self.place.done)
        )  # re-keying has moved some rows along that were counted for themselves
        return False

    def _begin_again(self, left: Census) -> None:
        """Another pass over what was locked, or changed, in the one before.

        Raises:
            VaultError: some passes in a row moved nothing; see ``held_up``.
        """
        self._idle = 0 if self.place.done > self._done_before else self._idle + 1
        self._done_before = self.place.done
        if self._idle == _IDLE_PASSES:
            raise held_up(self._desk, self._row, self._loaded(), left)
        self._note(self.place._replace(phase=REKEY, cursor=self.place.cursor[: _BEFORE.size]))

    @cached_property
    def _erased(self) -> frozenset[bytes]:
        """Who was erased before the new keys were made; whoever was since had keys under the new epoch, and waits for its end."""
        return erased_subjects(self._desk, self._row.tenant_uid)

    @property
    def _new(self) -> tuple[int, int]:
        """The epoch and index key that the rotation has made."""
        _, epoch, index = _BEFORE.unpack_from(self.place.cursor)
        return epoch + 1, index + 1

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
        return self._desk.serving_keys(self._row.tenant_uid)

    def _count(self, epoch: int, index: int) -> Census:
        keep(self._desk.engine, self._row, self._desk.name, _PATIENCE_S)
        with reading(self._desk.engine, _PATIENCE_S) as connection:
            return census(connection, self._row.tenant_uid, epoch, index)

    def _advance(self, connection: sa.Connection, step: Pass, following: str) -> Place:
        """Note a step of a pass, in its transaction; the place that it has come to once that is committed."""
        head = self.place.cursor[: _BEFORE.size]
        phase, after = (following, b"") if step.last is None else (self.place.phase, step.last)
        done = self.place.done + step.done
        place = Place(phase, head + after, done, self.place.total, self._pace.after(step.done))
        advance(connection, self._row, self._desk.name, place)
        return place

    def _note(self, place: Place) -> None:
        with self._desk.engine.begin() as connection:
            advance(connection, self._row, self._desk.name, place)
        self.place = place
