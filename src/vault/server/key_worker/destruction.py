"""The end of KEK versions: looked at once more, destroyed in the KMS, read back, noted, and what that brings to the erased."""

from contextlib import ExitStack

import sqlalchemy as sa
import structlog

from vault.audit.events import Caller
from vault.keys import acts, horizon
from vault.kms.kek import Kek
from vault.server.key_worker.desk import Desk
from vault.server.key_worker.forgetting import forget
from vault.server.key_worker.last_look import LastLook
from vault.store import tables as t
from vault.store.rotation.progress import Place, advance, keep
from vault.store.rotation.turnstile import pinning
from vault.store.rows import ErasureRow, OperationRow
from vault.store.sealing import fits
from vault.v1 import key_service_pb2

log = structlog.get_logger(__name__)

LOOK, DESTROY, HORIZONS, FORGET = "LOOK", "DESTROY", "HORIZONS", "FORGET"
_PATIENCE_S = 600.0


class Destruction:
    """One destruction on its way.

    Attributes:
        place: how far it is.
        moved: nothing; a destruction has no rate.
    """

    moved = 0

    def __init__(self, desk: Desk, row: OperationRow, _batch: int) -> None:
        """Go on from where it is."""
        self._desk, self._row = desk, row
        self.place = Place(row.phase or LOOK, row.cursor, row.done, row.total)
        self._keep_from = key_service_pb2.DestroyRequest.FromString(row.request).keep_from_version
        self._look = LastLook(desk, row.tenant_uid, self._keep_from, _PATIENCE_S)
        self._caller = Caller(row.tenant_uid, desk.principal)
        self._details = {"operation": row.uid.hex(), "keep_from": str(self._keep_from)}

    def step(self) -> bool:
        """Do the next step; False if it was the last.

        Raises:
            VaultError: KEY_IN_USE, if something hangs on a key that would go; of the KMS.
            NotOursError, sqlalchemy.exc.SQLAlchemyError: as ``Rotation.step``.
        """
        if self.place.phase == LOOK:
            keep(self._desk.engine, self._row, self._desk.name, _PATIENCE_S)
            self._look.check()
            self._note(self.place._replace(phase=DESTROY))
        elif self.place.phase == DESTROY:
            kek = self._destroy()
            details = self._details | {"oldest": str(kek.oldest), "latest": str(kek.latest)}
            self._desk.act(acts.destroy(self._caller, details, self._keep_from))
            self._note(self.place._replace(phase=HORIZONS, cursor=b""))
        elif self.place.phase == HORIZONS:
            self._reach_horizons()
        else:
            return self._forget()
        return True

    def result(self) -> bytes:
        """What is gone, as the KMS says."""
        oldest = self._desk.administrator.kek(self._row.tenant_uid).oldest
        attestation = key_service_pb2.Attestation(
            destroyed_kek_versions=range(1, oldest), horizons_reached=self.place.done, kek_version=oldest
        )
        return attestation.SerializeToString(deterministic=True)

    def _destroy(self) -> Kek:
        """Destroy what nothing needs: everything is looked at again, and what is needed must open with those versions suspended.

        How far an operation is stands under no MAC, so what was found before is not relied on. Looking takes long enough for
        somebody to think better of it: whether it is still wanted is asked last of all.
        """
        administrator, uid = self._desk.administrator, self._row.tenant_uid
        oldest = administrator.kek(uid).oldest
        keep(self._desk.engine, self._row, self._desk.name, _PATIENCE_S)
        with ExitStack() as undo:
            undo.callback(administrator.suspend_before, uid, oldest)
            self._look.check()
            if oldest < self._keep_from:
                administrator.suspend_before(uid, self._keep_from)
                self._look.check_opens()
            keep(self._desk.engine, self._row, self._desk.name, _PATIENCE_S)
            undo.pop_all()
        return administrator.destroy_before(uid, self._keep_from)

    def _reach_horizons(self) -> None:
        """Say whom no copy brings back any more: erasures as old as keys that are gone together with all before them."""
        oldest = self._desk.administrator.kek(self._row.tenant_uid).oldest
        keys = self._desk.keys(self._row.tenant_uid)
        with pinning(self._desk.engine, keys) as (connection, tenant):
            gone = horizon.gone(tenant, keys, oldest)
            c = t.erasure.c
            waiting = (c.tenant_uid == self._row.tenant_uid) & (c.horizon_us == 0) & (c.uid > self.place.cursor)
            page = sa.select(t.erasure).where(waiting).order_by(c.uid).limit(horizon.MAX_ERASURES)
            erasures = list(map(ErasureRow._make, connection.execute(page)))
        if not erasures:
            self._note(self.place._replace(phase=FORGET, cursor=b""))
            return
        told = [row.uid for row in erasures if gone.covers(row) or not fits(keys.authority, row)]
        reached = self._say(told, gone) if told else 0
        self._note(self.place._replace(cursor=erasures[-1].uid, done=self.place.done + reached))

    def _say(self, erasures: list[bytes], gone: horizon.Gone) -> int:
        """Say of how many of these the horizon is reached; whoever runs the vault hears of those that were altered."""
        act = horizon.HorizonAct(self._caller, self._details, erasures, gone)
        self._desk.act(act)
        for row in act.altered:
            log.error(
                "an erasure was altered in the database, and no horizon is said for it: the operator must investigate",
                tenant=row.tenant_uid.hex(),
                erasure=row.uid.hex(),
            )
        return len(act.reached)

    def _forget(self) -> bool:
        last = forget(self._desk, self._caller, self._details, self.place.cursor)
        if last is not None:
            self._note(self.place._replace(cursor=last))
        return last is not None

    def _note(self, place: Place) -> None:
        with self._desk.engine.begin() as connection:
            advance(connection, self._row, self._desk.name, place)
        self.place = place
