"""Who may call: adding principals, suspending them and letting them back, each effective on the next call of every node."""

from collections.abc import Sequence

from vault.administration import AuthorityAct, next_authority, operator
from vault.audit.actions import PRINCIPAL_ADDED, PRINCIPAL_RESUMED, PRINCIPAL_SUSPENDED
from vault.audit.events import SYSTEM_TENANT
from vault.errors import FieldViolation, VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.safe import new_uid
from vault.store.reads import Rows
from vault.store.rows import PrincipalRow
from vault.store.sealing import check, sealed
from vault.store.states import PrincipalState
from vault.store.writes import Writes
from vault.v1 import common_pb2

AUDITOR = "auditor"
"""The role that reads the log."""


def add(tenant_uid: bytes, name: str, kind: str, roles: Sequence[str]) -> AuthorityAct:
    """The act that adds a principal.

    Args:
        tenant_uid: its tenant.
        name: the URI in its certificates.
        kind: ``service`` or ``human``.
        roles: names of roles.
    """
    chosen = ",".join(sorted(set(roles)))

    def effect(rows: Rows, keys: TenantKeys) -> Writes:
        if tenant_uid == SYSTEM_TENANT and set(roles) != {AUDITOR}:
            rule = f"must be {AUDITOR} alone: the system has a log, and nothing else that anybody could use"
            raise VaultError(common_pb2.ERROR_REASON_INVALID_FIELD, f"roles {rule}", violations=[FieldViolation("roles", rule)])
        if rows.principal is not None:
            rule = "must be new: a principal with this name exists"
            raise VaultError(common_pb2.ERROR_REASON_CONFLICT, f"name {rule}", violations=[FieldViolation("name", rule)])
        old, new = next_authority(rows, keys)
        row = PrincipalRow(tenant_uid, name, new_uid(), kind, PrincipalState.ACTIVE, chosen, new.authority_version)
        return Writes(inserted=[sealed(keys.authority, row)], replaced=[(old, new)])

    return AuthorityAct(operator(tenant_uid), PRINCIPAL_ADDED, name, {"principal": name, "kind": kind, "roles": chosen}, effect)


def suspend(tenant_uid: bytes, name: str) -> AuthorityAct:
    """The act that stops a principal, for example one whose certificate was stolen."""
    return _set_state(tenant_uid, name, PrincipalState.SUSPENDED, PRINCIPAL_SUSPENDED)


def resume(tenant_uid: bytes, name: str) -> AuthorityAct:
    """The act that lets a suspended principal back."""
    return _set_state(tenant_uid, name, PrincipalState.ACTIVE, PRINCIPAL_RESUMED)


def _set_state(tenant_uid: bytes, name: str, state: str, action: str) -> AuthorityAct:
    def effect(rows: Rows, keys: TenantKeys) -> Writes:
        if rows.principal is None:
            raise VaultError(common_pb2.ERROR_REASON_PRINCIPAL_UNKNOWN, "the tenant has no principal of this name")
        check(keys.authority, rows.principal)
        old, new = next_authority(rows, keys)
        row = rows.principal._replace(state=state, authority_version=new.authority_version)
        return Writes(replaced=[(old, new), (rows.principal, sealed(keys.authority, row))])

    return AuthorityAct(operator(tenant_uid), action, name, {"principal": name}, effect)
