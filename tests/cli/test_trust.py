"""Another CA for a tenant, and the system's own log, which only auditors with a CA of their own read."""

import threading
from pathlib import Path

import grpc
import pytest
from tests.audit_service.wire import Wire, audit_context, error_of
from tests.cli.conftest import Draft, Run
from tests.harness import Caller, NewVault, Server, Vault, context

from vault.access.issuing import Issued, create_ca, issue_client, principal_uri
from vault.audit.events import SYSTEM_TENANT
from vault.v1 import vault_service_pb2
from vault.v1.audit_pb2 import AuditEvent
from vault.v1.audit_service_pb2 import ExportRequest, GetCheckpointRequest, QueryRequest


@pytest.fixture
def vault(tmp_path: Path, new_vault: NewVault) -> Vault:
    return new_vault("postgres", tmp_path)


@pytest.fixture
def admin(vault: Vault, pdvault: Run) -> Run:
    """Runs a command on the vault."""
    return lambda *arguments: pdvault(*arguments, "--config", vault.folder / "vault.toml")


def new_ca(vault: Vault, name: str) -> tuple[Issued, Path]:
    ca = create_ca(name, 30)
    path = vault.folder / f"{name}.pem"
    path.write_bytes(ca.certificate_pem)
    return ca, path


def events(wire: Wire) -> list[AuditEvent]:
    answer = wire.ask(QueryRequest(context=audit_context(), page_size=1000))
    return [AuditEvent.FromString(entry.leaf) for entry in answer.entries]


def test_an_auditor_reads_the_systems_own_log_and_nothing_else(vault: Vault, admin: Run) -> None:
    ca, path = new_ca(vault, "auditors")
    assert admin("tenant", "trust", "system", "--ca", path).rows == [{"tenant": "system", "uid": "00" * 16, "added": 1}]
    assert admin("principal", "add", "system", "revision", "--role", "auditor").code == 0
    client = issue_client(ca, principal_uri("system", "revision"), 30)
    with Server(vault) as server:
        wire = Wire(server, client)
        expected, tick = {"TenantCreated", "IssuingCaAdded", "PrincipalAdded", "NodeStarted"}, threading.Event()
        for _ in range(600):  # until the server's own start is in its log
            found = events(wire)
            if expected <= {event.action for event in found}:
                break
            tick.wait(0.1)
        assert expected <= {event.action for event in found}
        assert {event.tenant_uid for event in found} == {SYSTEM_TENANT}
        assert wire.ask(GetCheckpointRequest(context=audit_context())).checkpoint.startswith(f"pdvault.invalid/{'00' * 16}\n")
        assert wire.all(ExportRequest(context=audit_context()))
        caller = Caller(server.channel(client))
        assert caller.call(vault_service_pb2.ListDataClassesRequest(context=context())).data_classes
        with pytest.raises(grpc.RpcError) as caught:
            caller.call(vault_service_pb2.DescribeRequest(context=context(), tokens=["tok_x"]))
        assert caught.value.code() in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND)


@pytest.mark.parametrize("roles", [("admin",), ("auditor", "reader_plain")])
def test_the_systems_principals_are_auditors_only(roles: tuple[str, ...], vault: Vault, admin: Run) -> None:
    done = admin("principal", "add", "system", "root", *(part for role in roles for part in ("--role", role)))
    assert done.code == 1
    assert "auditor alone" in done.err
    assert admin("principal", "list", "system").rows == []


def test_a_tenants_next_ca_serves_beside_the_first_and_is_in_both_logs(vault: Vault, admin: Run) -> None:
    ca, path = new_ca(vault, "second")
    assert admin("tenant", "trust", "acme", "--ca", path).code == 0
    client = issue_client(ca, principal_uri("acme", "auditor"), 30)
    with Server(vault) as server:
        for each in (client, vault.tenants["acme"].clients["auditor"]):
            (added,) = [event for event in events(Wire(server, each)) if event.action == "IssuingCaAdded"]
        assert len(bytes.fromhex(added.details["ca_sha256"])) == 32
        assert added.principal.startswith("local:")
    (row,) = [row for row in admin("tenant", "list").rows if row["tenant"] == "acme"]
    assert row["cas"] == 2


def test_a_ca_that_could_not_serve_is_not_trusted(vault: Vault, admin: Run) -> None:
    other = vault.folder / "globex.pem"
    other.write_bytes(vault.tenants["globex"].ca.certificate_pem)
    done = admin("tenant", "trust", "acme", "--ca", other)
    assert (done.code, "registered already" in done.err) == (1, True)
    _, path = new_ca(vault, "twice")
    done = admin("tenant", "trust", "acme", "--ca", path, "--ca", path)
    assert (done.code, "registered already" in done.err) == (1, True)
    assert admin("tenant", "trust", "nobody", "--ca", path).code == 1
    assert [row["cas"] for row in admin("tenant", "list").rows] == [1, 1]


def test_another_tenants_auditor_does_not_read_the_systems_log(vault: Vault) -> None:
    with Server(vault) as server:
        wire = Wire(server, vault.tenants["acme"].clients["auditor"])
        assert SYSTEM_TENANT not in {event.tenant_uid for event in events(wire)}
        with pytest.raises(grpc.RpcError) as caught:
            Wire(server, vault.tenants["acme"].clients["admin"]).ask(QueryRequest(context=audit_context()))
        assert error_of(caught) == ("PERMISSION_DENIED", "POLICY_DENIED")


def test_without_the_systems_ca_nobody_reads_its_log(initialised: Draft, pdvault: Run) -> None:
    done = pdvault("principal", "list", "system", "--config", initialised.config)
    assert (done.code, done.rows) == (0, [])
