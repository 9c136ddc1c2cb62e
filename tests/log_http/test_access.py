"""Who may read which log, and that each reading leaves its event before a byte leaves the server."""

import secrets
import ssl
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from tests.harness import NewVault
from tests.log_http.checker import Answer, Reader
from tests.log_http.site import Site, site

from vault import principals
from vault.access import issuing
from vault.access.issuing import Issued, create_ca, issue_client, issue_server, principal_uri
from vault.audit.events import SYSTEM_TENANT
from vault.store import tables as t
from vault.v1 import audit_pb2, common_pb2

CHECKPOINT, TILE, ENTRIES = "checkpoint", "tile/0/000.p/2", "tile/entries/000.p/2"
FILES = (CHECKPOINT, TILE, ENTRIES)
Until = Callable[[Callable[[], object]], None]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, new_vault: NewVault, until: Until) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("access")
    prelude = "from vault.server import journal; journal.EVERY_S = 0.2"
    with site(new_vault("postgres", folder), prelude=prelude) as served:
        until(lambda: served.published_size() >= 2)
        yield served


def path(found: Site, file: str, tenant: str = "acme") -> str:
    return f"/{found.uid(tenant).hex()}/{file}"


def action(file: str) -> str:
    return "ReadEntries" if "entries" in file else "ReadHashes"


def check_refused(answer: Answer, status: int, reason: str) -> None:
    assert (answer.status, answer.body) == (status, f"{reason}\n".encode())
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.headers) <= {"content-type", "cache-control", "server", "content-length", "date", "retry-after", "connection"}
    assert answer.headers["server"] == "pdvault"


def event_of(found: Site, until: Until, tenant: str, wanted: Callable[[audit_pb2.AuditEvent], bool]) -> audit_pb2.AuditEvent:
    """The one event that is wanted, once it is in the log that is served."""
    events: list[audit_pb2.AuditEvent] = []

    def there() -> bool:
        events[:] = [event for event in found.events(tenant) if wanted(event)]
        return bool(events)

    until(there)
    (event,) = events
    return event


@pytest.mark.parametrize("file", FILES)
def test_an_auditor_reads_the_own_log(file: str, found: Site) -> None:
    answer = found.principal().ask(path(found, file))
    assert answer.status == 200
    assert answer.headers["content-length"] == str(len(answer.body))
    kinds = {CHECKPOINT: "text/plain; charset=utf-8", TILE: "application/octet-stream", ENTRIES: "application/octet-stream"}
    caching = {CHECKPOINT: "no-cache", TILE: "private, max-age=31536000, immutable", ENTRIES: "no-store"}
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == (kinds[file], caching[file])


@pytest.mark.parametrize("file", FILES)
def test_nobody_without_a_certificate_reads_anything(file: str, found: Site) -> None:
    check_refused(found.reader(None).ask(path(found, file)), 401, "CERTIFICATE_REFUSED")


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("who", ["app", "masked", "plain", "admin", "all"])
def test_no_other_role_reads_a_log(file: str, who: str, found: Site) -> None:
    check_refused(found.principal(who).ask(path(found, file)), 403, "POLICY_DENIED")


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("tenant", ["globex", "system", "nobody"])
def test_no_auditor_reads_another_log_whether_it_is_there_or_not(file: str, tenant: str, found: Site) -> None:
    uid = "ab" * 16 if tenant == "nobody" else found.uid(tenant).hex()
    check_refused(found.principal().ask(f"/{uid}/{file}"), 403, "POLICY_DENIED")


def test_what_an_auditor_asked_of_another_log_is_in_the_own_log(found: Site, until: Until) -> None:
    uid = secrets.token_hex(16)
    found.principal().ask(f"/{uid}/{ENTRIES}")
    event = event_of(found, until, "acme", lambda event: event.details["log"] == uid)
    assert (event.action, event.decision) == ("ReadEntries", audit_pb2.DECISION_DENIED)
    assert event.reason == common_pb2.ERROR_REASON_POLICY_DENIED


def new_auditor(found: Site, name: str, roles: tuple[str, ...] = ("auditor",)) -> Issued:
    tenant = found.vault.tenants["acme"]
    uri = principal_uri("acme", name)
    with found.vault.node() as node:
        node.act(principals.add(tenant.uid, uri, "human", roles))
    return issue_client(tenant.ca, uri, 30)


@pytest.mark.parametrize("file", FILES)
def test_a_suspended_auditor_reads_nothing_from_the_next_request_on(file: str, found: Site) -> None:
    name = f"suspended-{FILES.index(file)}"
    reader = found.reader(new_auditor(found, name))
    assert reader.ask(path(found, file)).status == 200
    with found.vault.node() as node:
        node.act(principals.suspend(found.uid(), principal_uri("acme", name)))
    check_refused(reader.ask(path(found, file)), 403, "PRINCIPAL_SUSPENDED")
    with found.vault.node() as node:
        node.act(principals.resume(found.uid(), principal_uri("acme", name)))
    assert reader.ask(path(found, file)).status == 200


@pytest.mark.parametrize("file", FILES)
def test_a_good_certificate_of_nobody_known_reads_nothing(file: str, found: Site) -> None:
    client = issue_client(found.vault.tenants["acme"].ca, principal_uri("acme", "nobody"), 30)
    check_refused(found.reader(client).ask(path(found, file)), 403, "PRINCIPAL_UNKNOWN")


def refused_by_tls(reader: Reader, where: str) -> bool:
    try:
        reader.ask(where)
    except (ssl.SSLError, ConnectionError):
        return True
    return False


def test_certificates_of_no_tenants_ca_do_not_pass_tls(found: Site) -> None:
    tenant = found.vault.tenants["acme"]
    uri = principal_uri("acme", "auditor")
    stranger = issue_client(create_ca("acme CA", 30), uri, 30)
    for_servers = issue_server(tenant.ca, ["localhost"], 30)
    itself = tenant.ca
    for client in (stranger, for_servers, itself):
        assert refused_by_tls(found.reader(client), path(found, CHECKPOINT))


def test_a_certificate_without_a_principals_name_is_refused(found: Site) -> None:
    ca = found.vault.tenants["acme"].ca
    names = [x509.UniformResourceIdentifier("https://example.org/somebody")]
    nameless = issuing._issue(ca, names, x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH, 30)
    check_refused(found.reader(nameless).ask(path(found, CHECKPOINT)), 401, "CERTIFICATE_REFUSED")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("file", FILES)
def test_each_reading_leaves_an_event(file: str, method: str, found: Site, until: Until) -> None:
    client = new_auditor(found, f"reader-{method.lower()}-{FILES.index(file)}")
    assert found.reader(client).ask(path(found, file), method).status == 200
    leaf = x509.load_pem_x509_certificate(client.certificate_pem)
    sha256 = leaf.fingerprint(hashes.SHA256())
    event = event_of(found, until, "acme", lambda event: event.certificate_sha256 == sha256)
    assert (event.action, event.decision, event.reason) == (action(file), audit_pb2.DECISION_ALLOWED, 0)
    assert dict(event.details) == {"path": file}
    assert (list(event.roles), list(event.policy_ids)) == (["auditor"], ["auditor-reads"])
    assert len(event.request_id) == 16
    assert not event.touched


def test_each_refusal_leaves_an_event(found: Site, until: Until) -> None:
    client = new_auditor(found, "no-auditor", ("tokenizer",))
    sha256 = x509.load_pem_x509_certificate(client.certificate_pem).fingerprint(hashes.SHA256())
    found.reader(client).ask(path(found, "tile/entries/000"))
    event = event_of(found, until, "acme", lambda event: event.certificate_sha256 == sha256)
    assert (event.action, event.decision) == ("ReadEntries", audit_pb2.DECISION_DENIED)
    assert event.reason == common_pb2.ERROR_REASON_POLICY_DENIED
    assert dict(event.details) == {"path": "tile/entries/000"}


def test_what_lies_beyond_the_checkpoint_is_told_to_auditors_only(found: Site, until: Until) -> None:
    beyond = ("tile/0/x999/999", "tile/1/000", "tile/63/000.p/1", "tile/entries/x123/456.p/7")
    for file in beyond:
        check_refused(found.principal().ask(path(found, file)), 404, "LOG_RANGE")
        check_refused(found.principal("app").ask(path(found, file)), 403, "POLICY_DENIED")
    event = event_of(
        found, until, "acme", lambda event: event.details["path"] == beyond[-1] and event.decision == audit_pb2.DECISION_FAILED
    )
    assert (event.action, event.reason) == ("ReadEntries", common_pb2.ERROR_REASON_LOG_RANGE)


def test_there_is_no_cosigned_checkpoint_without_a_witness(found: Site) -> None:
    check_refused(found.principal().ask(path(found, "cosigned-checkpoint")), 404, "LOG_RANGE")


def test_refused_certificates_are_told_in_the_systems_log(found: Site, until: Until) -> None:
    found.reader(None).ask(path(found, ENTRIES))
    mine = t.audit_entry.c.tenant_uid == SYSTEM_TENANT
    with found.vault.node() as node:

        def told() -> bool:
            with node.engine.connect() as connection:
                leaves = connection.scalars(sa.select(t.audit_entry.c.leaf).where(mine)).all()
            events = [audit_pb2.AuditEvent.FromString(leaf) for leaf in leaves]
            return any("ReadEntries CERTIFICATE_REFUSED" in event.details for event in events)

        until(told)
