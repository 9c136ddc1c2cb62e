"""The end of a rotation: the old keys are retired, the log says what of, and the operation's result attests the same."""

from vault.keys import acts
from vault.kms.tenant_keys import EPOCH, INDEX
from vault.server.key_worker.held_operation import HeldOperation
from vault.store.rotation.census import Census
from vault.v1.key_service_pb2 import Attestation


def retire(held: HeldOperation, left: Census, epoch: int, index: int) -> Attestation:
    """Retire each key older than these.

    Args:
        held: the rotation.
        left: what a scan has found under older keys: nothing.
        epoch: the current one.
        index: the current index key's version.

    Raises:
        VaultError: INTEGRITY, if these are not the current ones; CONFLICT, TENANT_SEALED.
    """
    found, place = left.hanging(), held.place
    details = {f"left_{kind}": str(count) for kind, count in found.items()}
    details |= {f"done_{kind}": str(count) for kind, count in place.kinds.items()}
    act = acts.retire(held.caller, {**held.details, **details, "rows_done": str(place.done)}, epoch, index)
    held.desk.act(act)
    said = Attestation(kek_version=held.keys().kek_version, done={"rows": place.done, **place.kinds}, left=found)
    said.retired_epochs.extend(row.version for row in act.ended if row.kind == EPOCH)
    said.retired_index_keys.extend(row.version for row in act.ended if row.kind == INDEX)
    return said
