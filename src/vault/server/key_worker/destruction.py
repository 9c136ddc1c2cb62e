"""The end of KEK versions: looked at once more, destroyed in the KMS, read back, noted, and the horizons that it brings."""

from collections.abc import Sequence

import sqlalchemy as sa

from vault.audit.events import Caller
from vault.crypto.binding import kms_context
from vault.errors import VaultError
from vault.keys import acts
from vault.kms.tenant_keys import EPOCH, INDEX
from vault.server.key_worker.desk import Desk
from vault.store import tables as t
from vault.store.engine import reading
from vault.store.key_loader import LIVE
from vault.store.rotation.progress import Place, advance, keep
from vault.store.rows import OperationRow, TenantKeyRow
from vault.v1 import common_pb2, key_service_pb2

LOOK, DESTROY, HORIZONS = "LOOK", "DESTROY", "HORIZONS"
_PATIENCE_S = 600.0


class Destruction:
    """One destruction on its way.

    Attributes:
        place: how far it is.
    """

    def __init__(self, desk: Desk, row: OperationRow, _batch: int) -> None:
        """Go on from where it is."""
        self._desk, self._row = desk, row
        self.place = Place(row.phase or LOOK, row.cursor, row.done, row.total)
        self._keep_from = key_service_pb2.DestroyRequest.FromString(row.request).keep_from_version
        self._caller = Caller(row.tenant_uid, desk.name)
        self._details = {"operation": row.uid.hex(), "keep_from": str(self._keep_from)}

    def step(self) -> bool:
        """Do the next step; False if it was the last.

        Raises:
            VaultError: KEY_IN_USE, if something hangs on a key that would go; of the KMS.
            NotOursError, sqlalchemy.exc.SQLAlchemyError: as ``Rotation.step``.
        """
        if self.place.phase == LOOK:
            self._refuse_what_is_in_use()
            self._note(DESTROY)
        elif self.place.phase == DESTROY:
            self._refuse_what_is_in_use()  # once more: how far an operation is stands under no MAC
            kek = self._desk.administrator.destroy_before(self._row.tenant_uid, self._keep_from)
            details = self._details | {"oldest": str(kek.oldest), "latest": str(kek.latest)}
            self._desk.act(acts.destroy(self._caller, details, self._keep_from))
            self._note(HORIZONS)
        else:
            return self._reach_horizons()
        return True

    def result(self) -> bytes:
        """What is gone."""
        attestation = key_service_pb2.Attestation(
            destroyed_kek_versions=range(1, self._keep_from), horizons_reached=self.place.done, kek_version=self._keep_from
        )
        return attestation.SerializeToString(deterministic=True)

    def _refuse_what_is_in_use(self) -> None:
        """By the keys' states, and by a scan that believes no state. What stays is opened, lest it only says what wrapped it."""
        keep(self._desk.engine, self._row, self._desk.name, _PATIENCE_S)
        with reading(self._desk.engine, _PATIENCE_S) as connection:
            rows = _keys(connection, self._row.tenant_uid)
            self._check_opens([row for row in rows if row.state in LIVE])
            hanging = acts.in_use(rows, self._keep_from)
            stays = {kind: _staying(rows, kind, self._keep_from) for kind in (EPOCH, INDEX)}
            for table, column, versions in (
                (t.subject_key, t.subject_key.c.epoch, stays[EPOCH]),
                (t.subject, t.subject.c.index_key_version, stays[INDEX]),
                (t.subject_alias, t.subject_alias.c.index_key_version, stays[INDEX]),
                (t.item, t.item.c.index_key_version, stays[INDEX]),
            ):
                under = (table.c.tenant_uid == self._row.tenant_uid) & column.not_in(versions)
                count = connection.scalar(sa.select(sa.func.count()).select_from(table).where(under)) or 0
                hanging += [f"{count} rows of {table.name}"] if count else []
        if hanging:
            raise VaultError(
                common_pb2.ERROR_REASON_KEY_IN_USE,
                f"KEK versions before {self._keep_from} still keep {', '.join(hanging)} alive; let a rotation end first",
            )

    def _check_opens(self, rows: Sequence[TenantKeyRow]) -> None:
        """Refuse keys in use that the KMS does not open as they stand there.

        Raises:
            VaultError: INTEGRITY.
        """
        contexts = [(row.wrapped, kms_context(row.tenant_uid, row.kind, row.version)) for row in rows]
        self._desk.manager.unwrap(self._row.tenant_uid, contexts)

    def _reach_horizons(self) -> bool:
        """Say whom no copy brings back any more: erasures as old as keys that are gone together with all before them."""
        oldest = self._desk.administrator.kek(self._row.tenant_uid).oldest
        with reading(self._desk.engine, _PATIENCE_S) as connection:
            rows = _keys(connection, self._row.tenant_uid)
            epoch, index = _gone(rows, EPOCH, oldest), _gone(rows, INDEX, oldest)
            c = t.erasure.c
            waiting = (c.tenant_uid == self._row.tenant_uid) & (c.horizon_us == 0) & (c.state == "DONE")
            covered = waiting & (c.epoch <= epoch) & (c.index_key_version <= index)
            count = connection.scalar(sa.select(sa.func.count()).select_from(t.erasure).where(covered)) or 0
        if not count:
            return False
        self._desk.act(acts.HorizonAct(self._caller, self._details, epoch, index))
        self._note(HORIZONS, min(count, acts.MAX_HORIZONS))
        return True

    def _note(self, phase: str, done: int = 0) -> None:
        self.place = self.place._replace(phase=phase, done=self.place.done + done)
        with self._desk.engine.begin() as connection:
            advance(connection, self._row, self._desk.name, self.place)


def _keys(connection: sa.Connection, tenant_uid: bytes) -> list[TenantKeyRow]:
    select = sa.select(t.tenant_key).where(t.tenant_key.c.tenant_uid == tenant_uid)
    return list(map(TenantKeyRow._make, connection.execute(select)))


def _staying(rows: list[TenantKeyRow], kind: str, keep_from: int) -> list[int]:
    """The keys on which something may hang: those in use that these KEK versions don't take with them."""
    live = (row for row in rows if row.kind == kind and row.state in LIVE)
    return [row.version for row in live if acts.outlives(row) >= keep_from]


def _gone(rows: list[TenantKeyRow], kind: str, oldest: int) -> int:
    """The newest version that is gone, and all before it: 0 if the first one is not.

    Rows of keys are under no MAC, so the KMS has the last word: a key's version is never above that of the KEK that wrapped it,
    since each rotation makes one of both. A version without a row is not known to be gone.
    """
    ended = {row.version for row in rows if row.kind == kind and row.state == "DESTROYED" and row.kek_version < oldest}
    return next(version for version in range(oldest) if version + 1 not in ended or version + 1 >= oldest)
