"""Creating a tenant: its keys in the KMS, its first epoch, index and authority key, its log, its row and its issuing CAs."""

from collections.abc import Sequence
from dataclasses import dataclass

from vault.administration import Act, operator
from vault.audit.actions import TENANT_CREATED
from vault.audit.chain import announcement
from vault.audit.checkpoint import Checkpoint, open_checkpoint
from vault.audit.events import SYSTEM_TENANT, Draft
from vault.audit.merkle import EMPTY_ROOT
from vault.audit.note import NoteError, sign_note, verifier
from vault.crypto.binding import kms_context
from vault.crypto.keys import Key
from vault.errors import VaultError
from vault.kms.key_manager import AnchorMovedError, KeyManager, KeyProvisioner
from vault.kms.tenant_keys import AUTHORITY, EPOCH, INDEX, Authority, TenantKeys
from vault.store.key_loader import Boot
from vault.store.log.rows import LogRow
from vault.store.reads import Rows
from vault.store.rows import UNKNOWN_S, CaRow, KeyScheduleRow, TenantKeyRow, TenantRow
from vault.store.runner import Outcome
from vault.store.sealing import sealed
from vault.store.states import TenantState
from vault.store.writes import Writes
from vault.v1 import common_pb2

_KINDS = (EPOCH, INDEX, AUTHORITY)


@dataclass(frozen=True)
class FirstKeys:
    """A new tenant's keys, wrapped and unwrapped."""

    rows: list[TenantKeyRow]
    keys: TenantKeys


def make_first_keys(uid: bytes, manager: KeyManager, provisioner: KeyProvisioner, boot: Boot) -> FirstKeys:
    """Make the tenant's keys in the KMS, and wrap its first epoch, index and authority key with them.

    Raises:
        VaultError: the KMS refuses or does not answer.
    """
    provisioner.create_tenant_keys(uid)
    fresh = [Key.generate() for _ in _KINDS]
    wrapped = manager.wrap(uid, [(key, kms_context(uid, kind, 1)) for kind, key in zip(_KINDS, fresh, strict=True)])
    rows = [TenantKeyRow(uid, kind, 1, w.kek_version, w.blob, 0) for kind, w in zip(_KINDS, wrapped, strict=True)]
    epoch, index, authority = fresh
    boot_id, public_key = boot
    endorsement = manager.sign(uid, announcement(uid, boot_id, public_key))
    keys = TenantKeys(uid, 1, {1: epoch}, {1: index}, Authority(1, {1: authority}), boot_id, endorsement, rows[0].kek_version)
    return FirstKeys(rows, keys)


def begin_log(uid: bytes, origin: str, manager: KeyManager) -> LogRow:
    """Anchor the empty log of a tenant that is about to be written, so that a log without an anchor is always wrong.

    Args:
        uid: the tenant's; its keys are in the KMS.
        origin: the log's name, for ever.
        manager: the KMS.

    Raises:
        VaultError: the KMS refuses or does not answer; LOG_BEHIND_ANCHOR, if it remembers entries of such a log.
    """
    log_key = verifier(origin, manager.log_public_key(uid))
    empty = Checkpoint(origin, 0, EMPTY_ROOT)
    anchored = manager.read_anchor(uid)
    try:
        if anchored is None or open_checkpoint(anchored.text, log_key)[0] != empty:
            note = sign_note(empty.text(), log_key, lambda text: manager.sign(uid, text)).encode()
            manager.write_anchor(uid, note, 0)
        else:  # an earlier attempt came as far as here
            note = anchored.text
    except (NoteError, AnchorMovedError):
        raise VaultError(
            common_pb2.ERROR_REASON_LOG_BEHIND_ANCHOR,
            f"the KMS remembers another log in the place of {origin}: it belongs to a vault that was made before; "
            "restore that one's database, or give the new vault keys and an anchor of its own",
        ) from None
    return LogRow(uid, origin, 0, EMPTY_ROOT, 0, 0, note)


class CreateTenant(Act):
    """The act that writes a new tenant; its keys must be in the runner's cache already."""

    def __init__(self, uid: bytes, name: str, first: FirstKeys, log: LogRow, authorities: Sequence[tuple[bytes, bytes]]) -> None:
        """Make the act; ``authorities`` are pairs (SHA-256, DER) of issuing CAs, already checked."""
        self._name = name

        def effect(rows: Rows, keys: TenantKeys) -> Writes:
            if rows.tenant is not None:
                raise VaultError(common_pb2.ERROR_REASON_CONFLICT, "a tenant with this uid exists")
            tenant = sealed(keys.authority, TenantRow(uid, name, TenantState.ACTIVE, 1, 1, 1, 1))
            cas = [sealed(keys.authority, CaRow(sha256, uid, der)) for sha256, der in authorities]
            schedule = sealed(keys.authority, KeyScheduleRow(uid, 0, UNKNOWN_S, UNKNOWN_S))
            dated = [row._replace(create_us=rows.now_us) for row in first.rows]
            return Writes(inserted=[tenant, *dated, schedule, *cas, log._replace(integrate_us=rows.now_us)])

        super().__init__(operator(uid), TENANT_CREATED, "", {"tenant": name, "issuing_cas": str(len(authorities))}, effect)

    def decide(self, rows: Rows, keys: TenantKeys | None) -> Outcome:
        """Write the tenant, and note it in the system's log as well."""
        outcome = super().decide(rows, keys)
        if not isinstance(outcome.answer, VaultError) and self.caller.tenant_uid != SYSTEM_TENANT:
            details = {"tenant": self._name, "tenant_uid": self.caller.tenant_uid.hex()}
            outcome.also.append(Draft(operator(SYSTEM_TENANT), TENANT_CREATED, common_pb2.CallContext(), details=details))
        return outcome
