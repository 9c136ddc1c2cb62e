"""Creating a tenant: its keys in the KMS, its first epoch, index and authority key, its row and its issuing CAs."""

from collections.abc import Sequence
from dataclasses import dataclass

from vault.administration import Act, operator
from vault.audit.chain import announcement
from vault.audit.events import SYSTEM_TENANT, Draft
from vault.crypto.binding import kms_context
from vault.crypto.keys import Key
from vault.errors import VaultError
from vault.kms.key_manager import KeyManager, KeyProvisioner
from vault.kms.tenant_keys import AUTHORITY, EPOCH, INDEX, Authority, TenantKeys
from vault.store.key_loader import Boot
from vault.store.reads import Rows
from vault.store.rows import CaRow, TenantKeyRow, TenantRow
from vault.store.runner import Outcome
from vault.store.sealing import sealed
from vault.store.writes import Writes
from vault.v1 import common_pb2

ACTION = "TenantCreated"
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
    return FirstKeys(rows, TenantKeys(uid, 1, {1: epoch}, {1: index}, Authority(1, {1: authority}), boot_id, endorsement))


class CreateTenant(Act):
    """The act that writes a new tenant; its keys must be in the runner's cache already."""

    def __init__(self, uid: bytes, name: str, first: FirstKeys, authorities: Sequence[tuple[bytes, bytes]]) -> None:
        """Make the act; ``authorities`` are pairs (SHA-256, DER) of issuing CAs, already checked."""
        self._name = name

        def effect(rows: Rows, keys: TenantKeys) -> Writes:
            if rows.tenant is not None:
                raise VaultError(common_pb2.ERROR_REASON_CONFLICT, "a tenant with this uid exists")
            tenant = sealed(keys.authority, TenantRow(uid, name, "ACTIVE", 1, 1, 1, 1))
            cas = [sealed(keys.authority, CaRow(sha256, uid, der)) for sha256, der in authorities]
            dated = [row._replace(create_us=rows.now_us) for row in first.rows]
            return Writes(inserted=[tenant, *dated, *cas])

        super().__init__(operator(uid), ACTION, "", {"tenant": name, "issuing_cas": str(len(authorities))}, effect)

    def decide(self, rows: Rows, keys: TenantKeys | None) -> Outcome:
        """Write the tenant, and note it in the system's log as well."""
        outcome = super().decide(rows, keys)
        if not isinstance(outcome.answer, VaultError) and self.caller.tenant_uid != SYSTEM_TENANT:
            details = {"tenant": self._name, "tenant_uid": self.caller.tenant_uid.hex()}
            outcome.also.append(Draft(operator(SYSTEM_TENANT), ACTION, common_pb2.CallContext(), details=details))
        return outcome
