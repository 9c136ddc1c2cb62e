"""A log that was restored, edited or cut, or stands still, gives nobody its tenant's keys; and no integrator makes it worse."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from tests.log.kept import Kept, Writer

from vault.errors import VaultError
from vault.kms.key_manager import Anchored, KmsUnavailableError
from vault.store import tables as t
from vault.store.log.gate import LogGate
from vault.v1 import common_pb2

SECOND_US = 1_000_000
e, n, h = t.audit_entry.c, t.audit_node.c, t.audit_log.c


@dataclass
class Case:
    """A tenant with 350 entries, more than 80 of them beyond the last full tile, published and anchored."""

    kept: Kept
    tenant_uid: bytes
    writer: Writer

    def head(self) -> Any:
        """The log's row."""
        (row,) = self.kept.rows(t.audit_log, self.tenant_uid)
        return row

    def put_head(self, **values: Any) -> None:
        """Edit the log's row."""
        self.kept.execute(t.audit_log.update().where(h.tenant_uid == self.tenant_uid).values(**values))

    def refusal(self) -> str:
        """The reason for which the keys are refused; empty if they are not."""
        try:
            self.kept.node.loader.load(self.tenant_uid)
        except VaultError as error:
            return error.reason_name
        return ""

    def integrates(self) -> bool:
        """Whether a new integrator takes what is pending."""
        self.writer.commit([self.tenant_uid])
        before = self.head()
        self.kept.run(self.kept.integrator())
        assert self.head().size >= before.size
        return bool(self.head().size > before.size)


@pytest.fixture
def case(kept: Kept) -> Iterator[Case]:
    tenant_uid, writer = kept.new_tenant(), Writer(kept)
    for _ in range(3):
        writer.commit([tenant_uid] * 115)
    kept.run(kept.integrator())
    yield Case(kept, tenant_uid, writer)
    with kept.engine.begin() as connection:  # else each later test's integrators would look at a log that is beyond repair
        connection.execute(t.audit_pending.delete().where(t.audit_pending.c.tenant_uid == tenant_uid))


def test_a_log_in_order_gives_its_keys_and_grows(case: Case) -> None:
    assert case.refusal() == ""
    assert case.integrates()
    assert case.refusal() == ""


def restore(case: Case, before: dict[sa.Table, Any]) -> None:
    """Put all tables of the log back to what they were, as a restored database has them."""
    with case.kept.engine.begin() as connection:
        for table, rows in before.items():
            connection.execute(table.delete().where(table.c.tenant_uid == case.tenant_uid))
            if rows:
                connection.execute(table.insert(), [row._asdict() for row in rows])


def copy(case: Case) -> dict[sa.Table, Any]:
    tables = [table for table in t.metadata.sorted_tables if table.name.startswith("audit_") and "tenant_uid" in table.c]
    return {table: case.kept.rows(table, case.tenant_uid) for table in tables}


@pytest.mark.parametrize("commits", [1, 3])
def test_a_database_restored_to_an_older_state_is_behind_its_anchor(case: Case, commits: int) -> None:
    before = copy(case)
    for _ in range(commits):
        case.writer.commit([case.tenant_uid] * 5)
        case.kept.run(case.kept.integrator())
    after = copy(case)
    restore(case, before)
    assert case.refusal() == "LOG_BEHIND_ANCHOR"
    assert not case.integrates()
    assert (case.tenant_uid, "LOG_BEHIND_ANCHOR") in case.kept.watcher.refusals
    assert case.refusal() == "LOG_BEHIND_ANCHOR"
    restore(case, after)
    assert case.refusal() == ""
    assert case.integrates()


def test_a_restored_database_that_grew_again_is_not_consistent_with_its_anchor(case: Case) -> None:
    """Somebody integrates by himself, with another history of the same length and more."""
    before = copy(case)
    case.writer.commit([case.tenant_uid] * 5)
    case.kept.run(case.kept.integrator())
    restore(case, before)
    case.writer.commit([case.tenant_uid] * 50)
    old = case.kept.node.key_manager

    class Forgetful:
        """A KMS whose anchor is as old as the database."""

        def __getattr__(self, name: str) -> Any:
            return getattr(old, name)

        def read_anchor(self, _tenant_uid: bytes) -> Anchored:
            return Anchored(before[t.audit_log][0].checkpoint, 1)

    assert case.kept.integrator(key_manager=Forgetful()).round().entries
    assert case.head().size > case.kept.anchored(case.tenant_uid)[0]
    assert case.refusal() == "LOG_BEHIND_ANCHOR"
    assert not case.integrates()


@pytest.mark.parametrize("delta", [-1, 1, 100])
def test_an_edited_size_is_named(case: Case, delta: int) -> None:
    case.put_head(size=case.head().size + delta)
    assert case.refusal() == ("LOG_BEHIND_ANCHOR" if delta < 0 else "INTEGRITY")
    assert not case.integrates()


def test_an_edited_root_is_named(case: Case) -> None:
    case.put_head(root=bytes(32))
    assert case.refusal() == "INTEGRITY"
    assert not case.integrates()


def test_another_origin_is_named(case: Case) -> None:
    case.put_head(origin="elsewhere.example.org/log")
    assert case.refusal() == "LOG_BEHIND_ANCHOR"
    assert not case.integrates()


def test_a_missing_head_is_named(case: Case) -> None:
    row = case.head()
    case.kept.execute(t.audit_log.delete().where(h.tenant_uid == case.tenant_uid))
    assert case.refusal() == "INTEGRITY"
    with case.kept.engine.begin() as connection:
        connection.execute(t.audit_log.insert().values(**row._asdict()))
    assert case.refusal() == ""


def of(case: Case, index: int) -> sa.ColumnElement[bool]:
    return (e.tenant_uid == case.tenant_uid) & (e.leaf_index == index)


@pytest.mark.parametrize("back", [1, 2, 80])
def test_a_row_deleted_at_the_right_edge_is_named(case: Case, back: int) -> None:
    case.kept.execute(t.audit_entry.delete().where(of(case, case.head().size - back)))
    assert case.refusal() == "INTEGRITY"
    assert not case.integrates()


def test_a_hash_edited_at_the_right_edge_is_named(case: Case) -> None:
    case.kept.execute(t.audit_entry.update().where(of(case, case.head().size - 1)).values(leaf_hash=bytes(32)))
    assert case.refusal() == "LOG_BEHIND_ANCHOR"
    assert not case.integrates()


@pytest.mark.parametrize("what", ["edited", "deleted"])
def test_an_edited_or_deleted_node_is_named(case: Case, what: str) -> None:
    node = (n.tenant_uid == case.tenant_uid) & (n.level == 1) & (n.node_index == 0)
    case.kept.execute(
        t.audit_node.update().where(node).values(hash=bytes(32)) if what == "edited" else t.audit_node.delete().where(node)
    )
    assert case.refusal() == ("LOG_BEHIND_ANCHOR" if what == "edited" else "INTEGRITY")
    assert not case.integrates()


def test_an_entry_added_beyond_the_head_is_named(case: Case) -> None:
    row = case.kept.rows(t.audit_entry, case.tenant_uid)[-1]
    beyond = row._asdict() | {"leaf_index": row.leaf_index + 4}
    with case.kept.engine.begin() as connection:
        connection.execute(t.audit_entry.insert().values(**beyond))
    assert case.refusal() == "INTEGRITY"
    assert not case.integrates()


class Anchors:
    """A KMS with another anchor than its own."""

    def __init__(self, kept: Kept, anchor: Anchored | None) -> None:
        self._key_manager = kept.node.key_manager
        self._anchor = anchor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._key_manager, name)

    def read_anchor(self, _tenant_uid: bytes) -> Anchored | None:
        """That one."""
        return self._anchor


def refused_with(case: Case, anchor: Anchored | None) -> str:
    """The reason that the gate gives with this anchor; an integrator does not touch the log either."""
    key_manager: Any = Anchors(case.kept, anchor)
    with pytest.raises(VaultError) as refusal:
        LogGate(case.kept.engine, key_manager).check(case.tenant_uid)
    case.writer.commit([case.tenant_uid])
    assert not case.kept.run(case.kept.integrator(key_manager=key_manager))
    return refusal.value.reason_name


def test_a_missing_anchor_is_named(case: Case) -> None:
    assert refused_with(case, None) == "INTEGRITY"


def test_the_anchor_of_another_log_is_named(case: Case) -> None:
    other = case.kept.node.key_manager.read_anchor(case.kept.new_tenant())
    assert refused_with(case, other) == "LOG_BEHIND_ANCHOR"


@pytest.mark.parametrize(
    "change", [lambda text: text + "x", lambda text: text.replace("\n3", "\n1"), lambda _: "", lambda _: "\n\n"]
)
def test_an_anchor_that_the_log_did_not_sign_is_named(case: Case, change: Callable[[str], str]) -> None:
    anchor = case.kept.node.key_manager.read_anchor(case.tenant_uid)
    assert anchor
    assert refused_with(case, Anchored(change(anchor.text), anchor.version)) == "LOG_BEHIND_ANCHOR"


def test_a_longer_log_than_its_anchor_is_in_order(case: Case) -> None:
    """An integrator died between commit and anchor: its successor signs what it left."""
    case.writer.commit([case.tenant_uid])
    case.kept.integrator().round()
    assert case.head().size > case.kept.anchored(case.tenant_uid)[0]
    assert case.refusal() == ""
    case.kept.run(case.kept.integrator(lease=case.kept.lease("next")))
    case.kept.check(case.tenant_uid)


@pytest.mark.parametrize(
    "forge",
    [
        lambda head: {"checkpoint": head.checkpoint.replace("\n3", "\n4")},
        lambda head: {"checkpoint": ""},
        lambda head: {"checkpoint_size": head.checkpoint_size - 1},
        lambda head: {"checkpoint_size": 2**62},
    ],
    ids=["text", "nothing", "smaller", "larger"],
)
def test_a_forged_published_checkpoint_is_named_and_replaced(case: Case, forge: Callable[[Any], dict[str, Any]]) -> None:
    case.put_head(**forge(case.head()))
    assert case.refusal() == "INTEGRITY"
    assert case.integrates()
    assert case.refusal() == ""
    case.kept.check(case.tenant_uid)


def test_an_older_published_checkpoint_is_soon_replaced(case: Case) -> None:
    old = case.head()
    assert case.integrates()
    case.put_head(checkpoint=old.checkpoint, checkpoint_size=old.checkpoint_size)
    assert case.refusal() == ""
    assert case.integrates()
    case.kept.check(case.tenant_uid)


def server_gate(case: Case, sleep: Callable[[float], None]) -> LogGate:
    gate = LogGate(case.kept.engine, case.kept.node.key_manager, sleep)
    gate.expects_integration = True
    return gate


def test_events_that_wait_for_more_than_ten_seconds_close_the_gate_until_they_are_integrated(case: Case) -> None:
    waits: list[float] = []
    gate = server_gate(case, waits.append)
    case.writer.commit([case.tenant_uid], shift_us=-8 * SECOND_US)
    gate.check(case.tenant_uid)
    assert not waits
    case.writer.commit([case.tenant_uid], shift_us=-11 * SECOND_US)
    with pytest.raises(VaultError) as refusal:
        gate.check(case.tenant_uid)
    assert (refusal.value.reason_name, len(waits)) == ("LOG_STALLED", 1)
    assert refusal.value.retry_after_s
    assert case.refusal() == ""  # at the command line nobody waits for an integrator
    case.kept.run(case.kept.integrator())
    gate.check(case.tenant_uid)


def test_an_old_event_that_is_integrated_at_once_does_not_close_the_gate(case: Case) -> None:
    case.writer.commit([case.tenant_uid], shift_us=-11 * SECOND_US)
    server_gate(case, lambda _: None if case.kept.run(case.kept.integrator()) else pytest.fail("nothing to do")).check(
        case.tenant_uid
    )


def test_other_tenants_events_do_not_close_the_gate(case: Case) -> None:
    other = case.kept.new_tenant()
    case.writer.commit([other], shift_us=-11 * SECOND_US)
    server_gate(case, lambda _: None).check(case.tenant_uid)


def test_while_the_kms_is_down_a_verified_log_grows_and_is_published_when_it_is_back(case: Case) -> None:
    key_manager = case.kept.node.key_manager

    class Flaky:
        """A KMS that can be down, and can lose an answer."""

        is_down = False

        def __getattr__(self, name: str) -> Any:
            def answer(*arguments: Any) -> Any:
                if self.is_down:
                    raise KmsUnavailableError("down")
                return getattr(key_manager, name)(*arguments)

            return answer

    flaky: Any = Flaky()
    integrator = case.kept.integrator(key_manager=flaky)
    case.writer.commit([case.tenant_uid])
    case.kept.run(integrator)
    flaky.is_down = True
    case.writer.commit([case.tenant_uid])
    assert case.kept.run(integrator) == 1
    published = case.head().checkpoint_size
    assert published < case.head().size
    assert integrator.publisher.age_s() > 0
    with pytest.raises(VaultError) as refusal:
        LogGate(case.kept.engine, flaky).check(case.tenant_uid)
    assert refusal.value.reason == common_pb2.ERROR_REASON_KMS_UNAVAILABLE
    flaky.is_down = False
    case.kept.run(integrator)
    assert integrator.publisher.age_s() == 0
    case.kept.check(case.tenant_uid)


@pytest.mark.parametrize("arrives", [True, False])
def test_an_anchor_whose_answer_was_lost_is_looked_up_before_the_next_is_written(case: Case, arrives: bool) -> None:
    key_manager = case.kept.node.key_manager

    class Lossy:
        """A KMS that loses the answer to the next write, or the write itself."""

        loses = False

        def __getattr__(self, name: str) -> Any:
            return getattr(key_manager, name)

        def write_anchor(self, *arguments: Any) -> int:
            if not self.loses or arrives:
                version = key_manager.write_anchor(*arguments)
            if self.loses:
                self.loses = False
                raise KmsUnavailableError("no answer")
            return version

    lossy: Any = Lossy()
    integrator = case.kept.integrator(key_manager=lossy)
    case.writer.commit([case.tenant_uid])
    integrator.round()
    lossy.loses = True
    integrator.publisher.publish(every_s=0.0)
    for _ in range(3):
        case.writer.commit([case.tenant_uid])
        case.kept.run(integrator)
    case.kept.run(integrator)
    case.kept.check(case.tenant_uid)
    assert case.tenant_uid not in dict(case.kept.watcher.refusals)


def test_the_database_s_word_is_not_taken_for_rows_it_swallows(case: Case) -> None:
    """A trigger that keeps what the integrator deletes, or drops what it adds: the log does not move."""
    with case.kept.engine.begin() as connection:
        for statement in _SWALLOW[case.kept.engine.dialect.name]:
            connection.exec_driver_sql(statement)
    case.writer.commit([case.tenant_uid])
    size = case.head().size
    assert case.kept.run(case.kept.integrator()) == 0
    assert case.head().size == size
    assert (case.tenant_uid, "INTEGRITY") in case.kept.watcher.refusals
    with case.kept.engine.begin() as connection:
        connection.exec_driver_sql(
            "DROP TRIGGER swallow" + (" ON audit_event" if case.kept.engine.dialect.name == "postgresql" else "")
        )
    assert case.kept.run(case.kept.integrator()) == 1
    case.kept.check(case.tenant_uid)


_SWALLOW = {
    "sqlite": ["CREATE TRIGGER swallow BEFORE INSERT ON audit_event BEGIN SELECT RAISE(IGNORE); END"],
    "postgresql": [
        "CREATE OR REPLACE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TRIGGER swallow BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION swallow()",
    ],
}
