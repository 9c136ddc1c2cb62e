"""Keys looked after through the client, of a served vault: as the security team does it."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from tests.harness import NewVault, Server, tokenize_request
from tests.keys.requests import DAY_S
from tests.server.conftest import metrics

from pdvault_client.approvals import ApprovalClient
from pdvault_client.connection import Connection
from pdvault_client.errors import PermissionDeniedError, VaultError
from pdvault_client.key_types import KeySchedule, KeyState
from pdvault_client.keys import KeyClient
from pdvault_client.operations import OperationClient
from vault.store import tables as t
from vault.store.engine import postgres

Client = TypeVar("Client", bound=Connection)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest, new_vault: NewVault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(new_vault(request.param, tmp_path_factory.mktemp("served"))) as served:
        yield served


@pytest.fixture
def as_(server: Server) -> Callable[[str, type[Client]], Client]:
    """Makes a client of somebody."""
    folder = server.vault.folder

    def client(who: str, kind: type[Client]) -> Client:
        issued = server.vault.tenants["acme"].clients[who]
        files = {"ca.pem": server.vault.server_ca.certificate_pem, "me.pem": issued.certificate_pem, "me.key": issued.key_pem}
        for name, content in files.items():
            path = folder / f"{who}-{name}"
            path.touch(mode=0o600)
            path.write_bytes(content)
        ca, certificate, key = (folder / f"{who}-{name}" for name in files)
        return kind(server.address, ca_file=ca, certificate_file=certificate, key_file=key, purpose="incident")

    return client


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    """Waits for something to be true, for at most a minute; what it was."""
    tick = threading.Event()

    def wait(condition: Callable[[], Any]) -> Any:
        for _ in range(600):
            found = condition()
            if found:
                return found
            tick.wait(0.1)
        pytest.fail("the condition never held")

    return wait


def test_status_is_counted_beside_the_lane(server: Server, as_: Any) -> None:
    server.caller().call(tokenize_request(("customer-1", "email", "p1@example.org")))
    with as_("security", KeyClient) as keys:
        status = keys.status()
    assert (status.tenant, status.tenant_state) == ("acme", "ACTIVE")
    assert status.epochs[0].state is KeyState.ACTIVE
    assert status.epochs[0].live >= 1
    assert status.index_keys[0].live >= 2
    assert status.kek_versions[0].create_time
    assert not status.proves_destruction


def test_a_schedule_is_set_and_told(server: Server, as_: Any) -> None:
    wanted = KeySchedule(timedelta(days=90), timedelta(days=7), timedelta(0))
    with as_("security", KeyClient) as keys:
        keys.set_schedule(wanted)
        status = keys.status()
        assert status.schedule == wanted
        assert status.next_rotation_time == status.epochs[0].create_time + timedelta(days=90)
        assert not status.is_overdue
        keys.set_schedule(KeySchedule())
        assert keys.status().next_rotation_time is None


def test_overdue_tenants_are_counted_and_not_named(server: Server, as_: Any, until: Any) -> None:
    assert "vault_tenants_overdue 0.0" in metrics(server)
    url = server.vault.config.database.url
    if url is None:  # nobody else opens an SQLite file; what is counted there is held in test_schedule
        return
    with as_("security", KeyClient) as keys:
        keys.set_schedule(KeySchedule(timedelta(days=1)))
        engine = postgres(url)
        age = t.tenant_key.c.tenant_uid == server.vault.tenants["acme"].uid
        with engine.begin() as connection:
            connection.execute(t.tenant_key.update().where(age).values(create_us=t.tenant_key.c.create_us - 2 * DAY_S * 1_000_000))
        engine.dispose()
        assert keys.status().is_overdue
        until(lambda: "vault_tenants_overdue 1.0" in metrics(server))
        assert not [line for line in metrics(server) if "acme" in line]
        keys.set_schedule(KeySchedule())
        assert not keys.status().is_overdue


def test_one_seals_two_unseal_and_meanwhile_nothing_is_served(server: Server, as_: Any) -> None:
    caller = server.caller()
    with as_("security", KeyClient) as keys, as_("security-2", ApprovalClient) as other, as_("security", ApprovalClient) as own:
        keys.seal()
        with pytest.raises(Exception, match="sealed"):
            caller.call(tokenize_request(("customer-1", "email", "p2@example.org")))
        assert keys.status().tenant_state == "SEALED"
        asked = keys.ask_to_unseal()
        with pytest.raises(VaultError) as refusal:
            keys.unseal(asked.uid)
        assert refusal.value.reason == "APPROVAL_NEEDED"
        with pytest.raises(PermissionDeniedError):
            own.approve(asked.uid)
        (listed,) = other.list()
        assert (listed.uid, listed.state, listed.asked_by) == (asked.uid, "ASKED", "spiffe://pdvault/acme/security")
        other.approve(listed.uid)
        keys.unseal(asked.uid)
        assert own.list() == ()
    caller.call(tokenize_request(("customer-1", "email", "p2@example.org")))


def test_operations_are_begun_listed_and_steered(server: Server, as_: Any, until: Any) -> None:
    with as_("security", KeyClient) as keys, as_("security", OperationClient) as operations:
        begun = keys.rotate(max_rows_per_second=5)
        assert (begun.kind, begun.is_ended) == ("Rotate", False)
        assert begun.name in {one.name for one in operations.list()}
        if server.vault.config.database.sqlite_file:  # its server works on keys itself
            ended = until(lambda: (found := operations.get(begun.name)).is_ended and found)
            assert ended.error is None
            assert set(ended.attestation.left.values()) == {0}
            version = ended.attestation.kek_version
            approval = keys.ask_to_destroy(version)
            with as_("security-2", ApprovalClient) as other:
                other.approve(approval.uid)
            destroyed = keys.destroy(version, approval.uid)
            ended = until(lambda: (found := operations.get(destroyed.name)).is_ended and found)
            assert ended.attestation.destroyed_kek_versions == tuple(range(1, version))
            assert {key.state for key in keys.status().epochs} == {KeyState.ACTIVE, KeyState.DESTROYED}
        else:
            operations.pause(begun.name)
            assert operations.get(begun.name).state == "PAUSED"
            operations.resume(begun.name)
            operations.cancel(begun.name)
            assert operations.get(begun.name).error.code.name == "CANCELLED"


def test_other_roles_get_nothing(as_: Any) -> None:
    for who in ("admin", "privacy", "auditor", "app"):
        with as_(who, KeyClient) as keys, as_(who, ApprovalClient) as approvals:
            for call in (keys.status, keys.rotate, keys.seal, keys.ask_to_unseal, approvals.list):
                with pytest.raises(PermissionDeniedError):
                    call()
