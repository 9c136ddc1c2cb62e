"""Logs under a running server: every event of it ends up in them, and what is touched behind its back is named and not served."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.harness import NewVault, Server, Vault, reveal_request
from tests.log import naive
from tests.server.conftest import metrics
from tests.server.refusal import refusal_of, refused
from tests.server.requests import good, tokenize

from vault.server.node import Node
from vault.store import engine as engines
from vault.store import tables as t
from vault.v1 import common_pb2
from vault.v1.audit_pb2 import AuditEvent

Until = Callable[[Callable[[], Any]], None]
h = t.audit_log.c


class Watched:
    """A served vault on PostgreSQL and its database."""

    def __init__(self, vault: Vault, server: Server) -> None:
        self.vault = vault
        self.server = server
        self.tenant_uid = vault.tenants["acme"].uid
        self.engine = engines.postgres(vault.config.database.url or "")

    def head(self) -> Any:
        """The log's row."""
        with self.engine.connect() as connection:
            return connection.execute(sa.select(t.audit_log).where(h.tenant_uid == self.tenant_uid)).one()

    def pending(self) -> list[AuditEvent]:
        """Those that are not."""
        select = sa.select(t.audit_pending.c.leaf).where(t.audit_pending.c.tenant_uid == self.tenant_uid)
        with self.engine.connect() as connection:
            return [AuditEvent.FromString(leaf) for leaf in connection.scalars(select)]

    def events(self) -> list[AuditEvent]:
        """Those that are in the log."""
        c = t.audit_entry.c
        select = sa.select(c.leaf).where(c.tenant_uid == self.tenant_uid).order_by(c.leaf_index)
        with self.engine.connect() as connection:
            return [AuditEvent.FromString(leaf) for leaf in connection.scalars(select)]

    def execute(self, *statements: sa.Executable) -> None:
        """Do to the database what its administrator can do, all at once."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(statement)

    def reason(self) -> str:
        """The reason for which a call is refused; empty if it is answered."""
        try:
            self.server.caller("all").call(good("ListDataClasses"))
        except Exception as error:  # noqa: BLE001  which one, the helper says
            return refusal_of(error).reason
        return ""


@contextmanager
def watching(vault: Vault, prelude: str = "") -> Iterator[Watched]:
    with Server(vault, prelude) as server:
        served = Watched(vault, server)
        yield served
        served.engine.dispose()


@pytest.fixture
def watched(new_vault: NewVault, tmp_path: Path) -> Iterator[Watched]:
    with watching(new_vault("postgres", tmp_path)) as served:
        yield served


@pytest.fixture
def hasty(new_vault: NewVault, tmp_path: Path) -> Iterator[Watched]:
    """One that waits for its log for four seconds instead of ten, and looks more often."""
    prelude = (
        "from vault.store.log import late; late.MAX_PENDING_S = 4.0\nfrom vault.server.keeping import guard; guard.EVERY_S = 0.5"
    )
    with watching(new_vault("postgres", tmp_path), prelude) as served:
        yield served


def check_all(vault: Vault) -> None:
    """All logs are whole, published and anchored, and nothing is pending."""
    with vault.node() as node, node.engine.connect() as connection:
        for tenant_uid in connection.scalars(sa.select(h.tenant_uid)).all():
            found = naive.check(connection, tenant_uid, node.key_manager.log_public_key(tenant_uid))
            naive.check_chains(found.leaves)
            assert (found.pending, found.published[0]) == ([], len(found.leaves))
            _check_anchor(node, tenant_uid, found)


def _check_anchor(node: Node, tenant_uid: bytes, found: naive.Found) -> None:
    anchor = node.key_manager.read_anchor(tenant_uid)
    assert anchor
    public_key = node.key_manager.log_public_key(tenant_uid)
    assert naive.check_note(anchor.text, found.origin, public_key) == found.published


def test_when_a_server_has_ended_every_event_of_it_is_in_its_log_and_published(vault: Vault) -> None:
    with Server(vault) as server:
        caller = server.caller("all")
        tokens = [caller.call(tokenize("phone")).results[0].token for _ in range(30)]
        caller.call(reveal_request(*tokens[:5]))
        lines = metrics(server)
        assert any(line.startswith("vault_log_lag_seconds ") for line in lines)
        assert not [line for line in lines if line.startswith("vault_log_broken_chains_total ") and not line.endswith(" 0.0")]
        assert server.stop() == 0
    check_all(vault)
    with vault.node() as node, node.engine.connect() as connection:
        c = t.audit_entry.c
        select = sa.select(c.leaf).where(c.tenant_uid == vault.tenants["acme"].uid).order_by(c.leaf_index)
        leaves = connection.scalars(select)
        actions = [AuditEvent.FromString(leaf).action for leaf in leaves]
    assert (actions.count("Tokenize"), actions.count("Reveal"), actions[-1]) == (30, 1, "BootEnded")


def test_events_are_integrated_and_published_while_the_server_runs(watched: Watched, until: Until) -> None:
    before = watched.head()
    watched.server.caller("all").call(tokenize("phone"))
    until(lambda: "Tokenize" in [event.action for event in watched.events()])
    until(lambda: watched.head().checkpoint_size > before.size)


def test_a_killed_server_s_events_are_in_the_log_before_the_next_one_serves(vault: Vault) -> None:
    for _ in range(2):
        with Server(vault) as server:
            server.caller("all").call(tokenize("phone"))
            server.kill()
    with Server(vault) as server:
        assert server.stop() == 0
    check_all(vault)


def test_a_touched_pending_row_is_told_to_the_auditors_in_the_log_itself(watched: Watched, until: Until) -> None:
    watched.server.caller("all").call(tokenize("phone"))
    until(lambda: "Tokenize" in [event.action for event in watched.events()])
    last = next(event for event in watched.events() if event.action == "Tokenize")
    forged = AuditEvent()
    forged.CopyFrom(last)
    forged.ClearField("boot_signature")
    forged.boot_sequence = last.boot_sequence + 5
    row = {"boot_id": forged.boot_id, "boot_sequence": forged.boot_sequence, "time_us": forged.time_us}
    leaf = forged.SerializeToString(deterministic=True)
    watched.execute(t.audit_pending.insert().values(tenant_uid=watched.tenant_uid, leaf=leaf, **row))
    until(lambda: "ChainBroken" in [event.action for event in watched.events()])
    told = next(event for event in watched.events() if event.action == "ChainBroken")
    assert told.details["boot_id"] == last.boot_id.hex()
    assert told.details["boot_sequence"] == str(forged.boot_sequence)
    assert told.details["problem"] == "leaves before this one are missing"
    assert "a chain of audit events was touched" in watched.server.log.read_text()
    assert any(line.startswith("vault_log_broken_chains_total ") and not line.endswith(" 0.0") for line in metrics(watched.server))


def _restore(watched: Watched, size: int, head: Any) -> None:
    e, tenant = t.audit_entry.c, watched.tenant_uid
    watched.execute(
        t.audit_entry.delete().where(e.tenant_uid == tenant, e.leaf_index >= size),
        t.audit_log.update().where(h.tenant_uid == tenant).values(**{name: getattr(head, name) for name in head._fields}),
    )


def test_a_database_restored_under_a_running_server_is_served_no_longer(watched: Watched, until: Until) -> None:
    old = watched.head()
    caller = watched.server.caller("all")
    caller.call(tokenize("phone"))
    until(lambda: watched.head().checkpoint_size > old.size)
    _restore(watched, old.size, old)
    until(lambda: watched.reason() == "LOG_BEHIND_ANCHOR")
    refusal = refused(lambda: caller.call(good("Tokenize")))
    assert (refusal.code, refusal.reason) == ("FAILED_PRECONDITION", "LOG_BEHIND_ANCHOR")
    assert watched.server.caller("all", "globex").call(good("ListDataClasses"))
    assert "a tenant is no longer served" in watched.server.log.read_text()
    assert common_pb2.ERROR_REASON_LOG_BEHIND_ANCHOR in [event.reason for event in watched.pending()]


def test_a_server_that_starts_on_a_restored_database_serves_nothing_of_that_tenant(watched: Watched) -> None:
    old = watched.head()
    watched.server.caller("all").call(tokenize("phone"))
    assert watched.server.stop() == 0
    _restore(watched, old.size, old)
    with Server(watched.vault) as server:
        refusal = refused(lambda: server.caller("all").call(good("ListDataClasses")))
        assert (refusal.code, refusal.reason) == ("FAILED_PRECONDITION", "LOG_BEHIND_ANCHOR")
        assert server.caller("all", "globex").call(good("ListDataClasses"))


def test_an_sqlite_file_put_back_from_a_copy_is_not_served(sqlite_vault: Vault, tmp_path: Path) -> None:
    with Server(sqlite_vault) as server:
        assert server.stop() == 0
    database = tmp_path / "vault.db"
    copy = database.read_bytes()
    with Server(sqlite_vault) as server:
        server.caller("all").call(tokenize("phone"))
        assert server.stop() == 0
    for suffix in ("-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    database.write_bytes(copy)
    with Server(sqlite_vault) as server:
        refusal = refused(lambda: server.caller("all").call(good("ListDataClasses")))
        assert (refusal.code, refusal.reason) == ("FAILED_PRECONDITION", "LOG_BEHIND_ANCHOR")


def test_an_integrator_that_is_kept_from_its_work_stops_calls_until_it_has_caught_up(hasty: Watched, until: Until) -> None:
    watched, caller = hasty, hasty.server.caller("all")
    until(lambda: watched.reason() == "")
    with watched.engine.begin() as connection:
        connection.execute(sa.select(t.audit_log).where(h.tenant_uid == watched.tenant_uid).with_for_update())
        caller.call(tokenize("phone"))
        until(lambda: watched.reason() == "LOG_STALLED")
        refusal = refused(lambda: caller.call(good("Tokenize")))
        assert (refusal.code, refusal.reason) == ("UNAVAILABLE", "LOG_STALLED")
        assert refusal.retry_after_s
    until(lambda: watched.reason() == "")
    assert watched.server.stop() == 0
    check_all(watched.vault)
