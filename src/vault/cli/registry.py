"""Which tenants, issuing CAs and principals a vault has."""

import click
import sqlalchemy as sa

from vault.access.identity import TrustedCa, is_principal_name
from vault.access.issuing import principal_uri
from vault.audit.continuing import parse_name
from vault.audit.events import SYSTEM_TENANT
from vault.audit.note import NoteError, verifier
from vault.server.node import Node
from vault.store import tables as t
from vault.store.log.queries import altered
from vault.store.rows import PrincipalRow, TenantRow
from vault.store.sealing import check


def tenants(node: Node) -> list[TenantRow]:
    """Every tenant but the system, by name. The rows' MACs are not checked: that takes each tenant's keys."""
    query = sa.select(t.tenant).where(t.tenant.c.uid != SYSTEM_TENANT).order_by(t.tenant.c.name)
    with node.engine.connect() as connection:
        return [TenantRow(*row) for row in connection.execute(query)]


def find_tenant(node: Node, name: str) -> TenantRow:
    """The tenant of this name; ``system`` is the one whose log is the system's own.

    Raises:
        ClickException: there is none.
    """
    with node.engine.connect() as connection:
        found = connection.execute(sa.select(t.tenant).where(t.tenant.c.name == name)).first()
    if found is None:
        raise click.ClickException(
            f"there is no tenant {name}: `pdvault tenant list` names them, `pdvault tenant create` makes one"
        )
    return TenantRow(*found)


def log_key(node: Node, tenant_uid: bytes) -> str:
    """The verifier key of a tenant's log: the name that the log has now, and the key as the KMS has it.

    Raises:
        VaultError: INTEGRITY, if the name was altered; or the KMS does not answer.
    """
    with node.engine.connect() as connection:
        origin = connection.scalar(sa.select(t.audit_log.c.origin).where(t.audit_log.c.tenant_uid == tenant_uid))
    try:
        parse_name(origin or "", tenant_uid)
        return verifier(origin or "", node.key_manager.log_public_key(tenant_uid)).vkey
    except NoteError:
        raise altered(t.audit_log.name, "the origin") from None


def authorities(node: Node) -> list[TrustedCa]:
    """Every issuing CA of every tenant."""
    with node.engine.connect() as connection:
        rows = connection.execute(sa.select(t.tenant_ca)).all()
    return [TrustedCa.from_der(row.tenant_uid, row.certificate) for row in rows]


def principals(node: Node, tenant_uid: bytes) -> list[PrincipalRow]:
    """The tenant's principals, by name, each with its MAC checked.

    Raises:
        VaultError: INTEGRITY, if a row was altered; or the KMS does not answer.
    """
    query = sa.select(t.principal).where(t.principal.c.tenant_uid == tenant_uid).order_by(t.principal.c.name)
    with node.engine.connect() as connection:
        rows = [PrincipalRow(*row) for row in connection.execute(query)]
    authority = node.loader.load(tenant_uid).authority
    for row in rows:
        check(authority, row)
    return rows


def uri(tenant_name: str, name: str) -> str:
    """The URI of a principal that is named by it, or by its short name.

    Raises:
        ClickException: no certificate could hold that URI.
        VaultError: INVALID_FIELD, for a short name that can't be one.
    """
    if "://" not in name:
        return principal_uri(tenant_name, name)
    if not is_principal_name(name):
        raise click.ClickException("a principal's URI must be a SPIFFE ID with a path, at most 255 characters (docs/access.md)")
    return name
