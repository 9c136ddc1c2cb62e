"""Who is let in: certificates of every wrong kind, and rights that end while a connection is open."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.harness import Caller, Tenant, Vault, add_tenant
from tests.server.conftest import Served
from tests.server.refusal import Refusal, refused
from tests.server.requests import good

from vault import principals
from vault.access.issuing import Issued, create_ca, issue_client, principal_uri
from vault.administration import Act, next_authority, operator
from vault.kms.tenant_keys import TenantKeys
from vault.server.trust import Trust
from vault.store import tables as t
from vault.store.reads import Rows
from vault.store.sealing import sealed
from vault.store.writes import Writes

Until = Callable[[Callable[[], Any]], None]


def _crafted(ca: Issued, uri: str, begins: timedelta, ends: timedelta, **changes: Any) -> Issued:
    """A client certificate like those that are issued, but valid when the test says."""
    issuer = x509.load_pem_x509_certificate(ca.certificate_pem)
    issuer_key: Any = serialization.load_pem_private_key(ca.key_pem, None)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    usage = changes.get("usage", ExtendedKeyUsageOID.CLIENT_AUTH)
    names = [x509.UniformResourceIdentifier(name) for name in changes.get("names", [uri])]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names or [x509.DNSName("localhost")]), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    pkcs8 = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Issued(certificate.public_bytes(serialization.Encoding.PEM), pkcs8)


@pytest.fixture(scope="module")
def tenant(served: Served, until: Until) -> Tenant:
    """A tenant of this module's own, created while the server runs; the server needs no restart to know it."""
    with served.vault.node() as node:
        tenant = add_tenant(node, "initech")
    served.vault.tenants["initech"] = tenant

    def is_known() -> bool:
        try:
            served.server.caller("all", "initech").call(good("Tokenize"))
        except Exception:  # noqa: BLE001  not yet
            return False
        return True

    until(is_known)
    return tenant


DAY = timedelta(days=1)
UNTRUSTED: dict[str, Callable[[Tenant], Issued | None]] = {
    "none": lambda tenant: None,
    "an expired one": lambda tenant: _crafted(tenant.ca, principal_uri("initech", "all"), -2 * DAY, -DAY),
    "one that is not yet valid": lambda tenant: _crafted(tenant.ca, principal_uri("initech", "all"), DAY, 2 * DAY),
    "one of a CA that nobody registered": lambda tenant: issue_client(
        create_ca("initech CA", 30), principal_uri("initech", "all"), 30
    ),
    "a self-signed one": lambda tenant: create_ca("all", 30),
    "the CA itself": lambda tenant: tenant.ca,
    "one for servers": lambda tenant: _crafted(
        tenant.ca, principal_uri("initech", "all"), -DAY, DAY, usage=ExtendedKeyUsageOID.SERVER_AUTH
    ),
}


@pytest.mark.parametrize("what", UNTRUSTED)
def test_a_connection_with_a_certificate_that_no_tenant_issued_is_not_made(served: Served, tenant: Tenant, what: str) -> None:
    rows, leaves = served.ledger.rows(), served.ledger.leaves()
    refusal = refused(lambda: Caller(served.server.channel(UNTRUSTED[what](tenant))).call(good("Tokenize")))
    assert refusal.code == "UNAVAILABLE"  # TLS's own refusal: there is no call yet that could have a reason
    assert (served.ledger.rows(), served.ledger.leaves()) == (rows, leaves)


NAMELESS: dict[str, Callable[[Tenant], Issued]] = {
    "no name": lambda tenant: _crafted(tenant.ca, "", -DAY, DAY, names=[]),
    "two names": lambda tenant: _crafted(tenant.ca, "", -DAY, DAY, names=[principal_uri("initech", n) for n in ("all", "app")]),
    "a name that is no SPIFFE ID": lambda tenant: _crafted(tenant.ca, "https://example.org/all", -DAY, DAY),
}


@pytest.mark.parametrize("what", NAMELESS)
def test_a_certificate_that_names_nobody_is_unauthenticated_and_leaves_no_event(served: Served, tenant: Tenant, what: str) -> None:
    rows, leaves = served.ledger.rows(), served.ledger.leaves()
    refusal = refused(lambda: Caller(served.server.channel(NAMELESS[what](tenant))).call(good("Tokenize")))
    _check_unauthenticated(refusal)
    assert (served.ledger.rows(), served.ledger.leaves()) == (rows, leaves)


def _check_unauthenticated(refusal: Refusal) -> None:
    assert (refusal.code, refusal.reason, refusal.domain) == ("UNAUTHENTICATED", "CERTIFICATE_REFUSED", "vault.v1")
    assert "certificate" in refusal.message


def test_grpc_is_given_a_snapshot_once_lest_it_crashes_when_many_connect_at_once(sqlite_vault: Vault) -> None:
    with sqlite_vault.node() as node:
        trust = Trust(node.engine, sqlite_vault.config.server)
        for _ in range(2):
            trust.refresh()
            assert trust._changed() is None
        add_tenant(node, "initech")
        trust.refresh()
        assert trust._changed() is not None
        assert trust._changed() is None


def test_a_certificate_that_expires_is_refused_on_the_open_connection(served: Served, tenant: Tenant, until: Until) -> None:
    def has_expired(caller: Caller) -> bool:
        try:
            caller.call(good("ListDataClasses"))
        except Exception:  # noqa: BLE001  looked at below
            return True
        return False

    for seconds in (2, 4, 8, 16, 32):  # until it has time enough to connect
        caller = Caller(
            served.server.channel(_crafted(tenant.ca, principal_uri("initech", "all"), -DAY, timedelta(seconds=seconds)))
        )
        if not has_expired(caller):
            break
    else:
        pytest.fail("it never had")
    until(lambda: has_expired(caller))
    _check_unauthenticated(refused(lambda: caller.call(good("ListDataClasses"))))


def test_a_name_counts_only_within_the_tenant_whose_ca_issued_it(served: Served, tenant: Tenant) -> None:
    for whose in ("acme", "initech"):  # globex's CA signs names of other tenants' principals, and one of nobody
        for name in ("all", "nobody"):
            forged = issue_client(served.vault.tenants["globex"].ca, principal_uri(whose, name), 30)
            caller = Caller(served.server.channel(forged))
            refusal = served.check_refused(caller, good("Tokenize"), "PERMISSION_DENIED", "PRINCIPAL_UNKNOWN")
            assert "principal add" in refusal.message
            (event,) = served.ledger.events()[-1:]
            assert event.tenant_uid == served.vault.tenants["globex"].uid
            assert event.principal_uid == b""


def test_a_stolen_certificate_is_stopped_on_its_open_connection_and_let_back(served: Served, tenant: Tenant) -> None:
    thief, name = served.server.caller("app", "initech"), principal_uri("initech", "app")
    thief.call(good("Tokenize"))
    with served.vault.node() as node:
        node.act(principals.suspend(tenant.uid, name))
        served.check_refused(thief, good("Tokenize"), "PERMISSION_DENIED", "PRINCIPAL_SUSPENDED")
        served.check_refused(thief, ("Tokenize", b"\xff"), "PERMISSION_DENIED", "PRINCIPAL_SUSPENDED")
        served.server.caller("all", "initech").call(good("Tokenize"))
        node.act(principals.resume(tenant.uid, name))
    thief.call(good("Tokenize"))


def test_a_sealed_tenant_is_refused_on_its_open_connection(served: Served, tenant: Tenant) -> None:
    caller, other = served.server.caller("all", "initech"), served.server.caller("all")
    caller.call(good("Tokenize"))
    with served.vault.node() as node:
        node.act(_set_state(tenant, "SEALED"))
        refusal = served.check_refused(caller, good("Tokenize"), "PERMISSION_DENIED", "TENANT_SEALED")
        assert "sealed" in refusal.message
        other.call(good("Tokenize"))
        node.act(_set_state(tenant, "ACTIVE"))
    caller.call(good("Tokenize"))


def _set_state(tenant: Tenant, state: str) -> Act:
    def effect(rows: Rows, keys: TenantKeys) -> Writes:
        old, new = next_authority(rows, keys)
        return Writes(replaced=[(old, sealed(keys.authority, new._replace(state=state)))])

    return Act(operator(tenant.uid), "TenantSealed", "", {}, effect)


def test_a_principal_that_edited_its_own_roles_in_the_database_is_not_believed(served: Served, tenant: Tenant) -> None:
    name = principal_uri("initech", "masked")
    caller = served.server.caller("masked", "initech")
    where = (t.principal.c.tenant_uid == tenant.uid) & (t.principal.c.name == name)
    served.ledger.execute(sa.update(t.principal).where(where).values(roles="reader_plain"))
    served.check_refused(caller, good("Reveal"), "DATA_LOSS", "INTEGRITY")
    served.ledger.execute(sa.update(t.principal).where(where).values(roles="reader_masked"))
    served.check_refused(caller, good("Reveal"), "NOT_FOUND", "TOKEN_NOT_FOUND")


def test_a_ca_that_is_withdrawn_is_refused_on_its_open_connections_at_once(served: Served, tenant: Tenant, until: Until) -> None:
    caller = served.server.caller("all", "initech")
    caller.call(good("Tokenize"))
    served.ledger.execute(sa.delete(t.tenant_ca).where(t.tenant_ca.c.tenant_uid == tenant.uid))
    _check_unauthenticated(refused(lambda: caller.call(good("Tokenize"))))
    until(lambda: refused(lambda: served.server.caller("all", "initech").call(good("Tokenize"))).code == "UNAVAILABLE")
    _check_unauthenticated(refused(lambda: caller.call(good("Tokenize"))))
