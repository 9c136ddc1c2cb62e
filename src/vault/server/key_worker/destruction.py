"""The end of KEK versions: looked at once more, destroyed in the KMS, read back, noted, and what that brings to the erased."""

from contextlib import ExitStack

import structlog

from vault.keys import acts, horizon
from vault.kms.kek import Kek
from vault.server.key_worker.forgetting import forget
from vault.server.key_worker.held_operation import HeldOperation
from vault.server.key_worker.last_look import LastLook
from vault.store.rotation import horizons
from vault.store.rotation.turnstile import pinning
from vault.store.sealing import fits
from vault.v1 import key_service_pb2

log = structlog.get_logger(__name__)

LOOK, DESTROY, HORIZONS, FORGET = "LOOK", "DESTROY", "HORIZONS", "FORGET"
_PATIENCE_S = 600.0


class Destruction:
    """One destruction on its way. It moves no rows, and so has no rate."""

    def __init__(self, held: HeldOperation, _batch: int) -> None:
        """Go on from where it is."""
        self.held = held
        if not held.place.phase:
            held.place = held.place._replace(phase=LOOK)
        self._keep_from = key_service_pb2.DestroyRequest.FromString(held.row.request).keep_from_version
        self._look = LastLook(held.desk, held.tenant_uid, self._keep_from, _PATIENCE_S)
        self._details = {**held.details, "keep_from": str(self._keep_from)}

    def step(self) -> bool:
        """Do the next step; False if it was the last.

        Raises:
            VaultError: KEY_IN_USE, if something hangs on a key that would go; of the KMS.
            NotOursError, sqlalchemy.exc.SQLAlchemyError: as ``Rotation.step``.
        """
        held = self.held
        if held.place.phase == LOOK:
            held.keep(_PATIENCE_S)
            self._look.check()
            held.note(held.place._replace(phase=DESTROY))
        elif held.place.phase == DESTROY:
            kek = self._destroy()
            details = self._details | {"oldest": str(kek.oldest), "latest": str(kek.latest)}
            held.desk.act(acts.destroy(held.caller, details, self._keep_from))
            held.note(held.place._replace(phase=HORIZONS, cursor=b""))
        elif held.place.phase == HORIZONS:
            self._reach_horizons()
        else:
            return self._forget()
        return True

    def result(self) -> bytes:
        """What is gone, as the KMS says."""
        oldest = self.held.desk.administrator.kek(self.held.tenant_uid).oldest
        attestation = key_service_pb2.Attestation(
            destroyed_kek_versions=range(1, oldest), horizons_reached=self.held.place.done, kek_version=oldest
        )
        return attestation.SerializeToString(deterministic=True)

    def _destroy(self) -> Kek:
        """Destroy what nothing needs: everything is looked at again, and what is needed must open with those versions suspended.

        How far an operation is stands under no MAC, so what was found before is not relied on. Looking takes long enough for
        somebody to think better of it: whether it is still wanted is asked last of all.
        """
        administrator, uid = self.held.desk.administrator, self.held.tenant_uid
        oldest = administrator.kek(uid).oldest
        self.held.keep(_PATIENCE_S)
        with ExitStack() as undo:
            undo.callback(administrator.suspend_before, uid, oldest)
            self._look.check()
            if oldest < self._keep_from:
                administrator.suspend_before(uid, self._keep_from)
                self._look.check_opens()
            self.held.keep(_PATIENCE_S)
            undo.pop_all()
        return administrator.destroy_before(uid, self._keep_from)

    def _reach_horizons(self) -> None:
        """Say whom no copy brings back any more: erasures as old as keys that are gone together with all before them."""
        held, place = self.held, self.held.place
        gone = horizon.gone(held.desk.administrator.kek(held.tenant_uid))
        keys = held.keys()
        with pinning(held.desk.engine, keys) as (connection, tenant):
            erasures = horizons.waiting(connection, tenant.uid, place.cursor, horizon.MAX_ERASURES)
        if not erasures:
            held.note(place._replace(phase=FORGET, cursor=b""))
            return
        told = [row.uid for row in erasures if gone.covers(row) or not fits(keys.authority, row)]
        reached = self._say(told, gone) if told else 0
        held.note(place._replace(cursor=erasures[-1].uid, done=place.done + reached))

    def _say(self, erasures: list[bytes], gone: horizon.Gone) -> int:
        """Say of how many of these the horizon is reached; whoever runs the vault hears of those that were altered."""
        act = horizon.HorizonAct(self.held.caller, self._details, erasures, gone)
        self.held.desk.act(act)
        for row in act.altered:
            log.error(
                "an erasure was altered in the database, and no horizon is said for it: the operator must investigate",
                tenant=row.tenant_uid.hex(),
                erasure=row.uid.hex(),
            )
        return len(act.reached)

    def _forget(self) -> bool:
        last = forget(self.held, self._details, self.held.place.cursor)
        if last is not None:
            self.held.note(self.held.place._replace(cursor=last))
        return last is not None
