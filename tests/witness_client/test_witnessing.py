"""Checkpoints are cosigned one after the other; a log that was set back or forked is noticed; no witness is simply believed."""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
import sqlalchemy as sa
from tests.log_http.built_log import BuiltLog
from tests.witness_client.double import TIME_S, Answer, Double, served

from vault.access.issuing import create_ca, issue_server
from vault.audit.note import parse_vkey
from vault.server.metrics import Metrics
from vault.server.witnessing import client, exchange
from vault.server.witnessing.client import Witnessing
from vault.server.witnessing.exchange import MAX_ANSWER, Witness, new_session
from vault.store import tables as t
from vault.store.log import cosignatures
from vault.store.log.rows import CosignatureRow

PUBLIC_CAS = ssl.create_default_context()  # once: it reads hundreds of certificates


class Setting:
    """One log, its witness, and what keeps the two together."""

    def __init__(self, log: BuiltLog, double: Double, tls: ssl.SSLContext | None = None) -> None:
        self.log = log
        self.double = double
        self.alarms: list[dict[str, str]] = []
        self.metrics = Metrics()
        self.witness = Witness(parse_vkey(double.vkey), double.url, tls or PUBLIC_CAS)
        self.start()

    def start(self) -> None:
        """Begin anew, as a node does that was restarted: with nothing in memory."""
        self.witnessing = Witnessing(self.log.engine, self.log.engine, [self.witness], 0.0, self.metrics, self._alarm)

    def _alarm(self, tenant_uid: bytes, details: dict[str, str]) -> None:
        if tenant_uid == self.log.uid:
            self.alarms.append(details)

    def look(self) -> None:
        """Let it look once, whatever it has put off."""

        async def once() -> None:
            async with new_session() as session:
                await self.witnessing.look(session)

        self.witnessing._failures.clear()
        asyncio.run(once())

    def publish(self, size: int) -> None:
        """Let the log have that size."""
        if size > len(self.log.entries):
            self.log.grow([b"entry %d" % n for n in range(len(self.log.entries), size)])
        self.log.publish(size)

    def row(self) -> CosignatureRow | None:
        """What is known of the two."""
        with self.log.engine.connect() as connection:
            found = connection.execute(
                sa.select(t.audit_cosignature).where(t.audit_cosignature.c.tenant_uid == self.log.uid)
            ).first()
        return CosignatureRow(*found) if found else None

    def counted(self, name: str, **labels: str) -> float:
        """A metric's value."""
        return self.metrics.registry.get_sample_value(name, {"witness": self.double.name, **labels}) or 0.0


@pytest.fixture
def setting(new_log: Callable[[], BuiltLog]) -> Iterator[Setting]:
    log = new_log()
    with served(Double()) as double:
        double.trust(log.origin, log.vkey)
        yield Setting(log, double)
    with log.engine.begin() as connection:  # other tests' witnesses shall not be asked about it
        connection.execute(t.audit_log.delete().where(t.audit_log.c.tenant_uid == log.uid))


def test_each_newer_checkpoint_is_cosigned_with_the_proof_that_it_continues_the_last(setting: Setting) -> None:
    for size in (1, 2, 3, 255, 256, 257, 700):
        setting.publish(size)
        setting.look()
        note = setting.log.note(size)
        line = setting.double.line(setting.log.text(size))
        assert setting.row() == (setting.log.uid, setting.double.name, size, note, line, TIME_S * 1_000_000, "")
    assert [request.partition("\n")[0] for request in setting.double.requests] == [
        f"old {size}" for size in (0, 1, 2, 3, 255, 256, 257)
    ]
    assert setting.alarms == []


def test_a_checkpoint_that_is_cosigned_is_not_sent_again(setting: Setting) -> None:
    setting.publish(5)
    setting.look()
    setting.look()
    assert len(setting.double.requests) == 1


def test_an_empty_log_is_not_sent(setting: Setting) -> None:
    setting.log.publish(0)
    setting.look()
    assert setting.double.requests == []


def test_a_witness_is_not_asked_more_often_than_the_interval_says(setting: Setting) -> None:
    setting.double.time_s = 4_000_000_000  # its clock is far ahead, which must not keep it from being asked
    setting.witnessing._interval_us = 3600 * 1_000_000
    setting.publish(1)
    setting.look()
    setting.publish(2)
    setting.look()
    assert len(setting.double.requests) == 2
    setting.double.time_s = int(time.time())
    setting.publish(3)
    setting.look()
    setting.publish(4)
    setting.look()
    assert len(setting.double.requests) == 3


def test_every_log_and_every_witness_is_served(new_log: Callable[[], BuiltLog], setting: Setting) -> None:
    other_log = new_log()
    other_log.grow([b"x"])
    other_log.publish(1)
    setting.publish(2)
    setting.double.trust(other_log.origin, other_log.vkey)
    with served(Double("second.example.org")) as second:
        second.trust(setting.log.origin, setting.log.vkey)
        second.trust(other_log.origin, other_log.vkey)
        setting.witnessing._witnesses = [
            setting.witness,
            Witness(parse_vkey(second.vkey), second.url, PUBLIC_CAS),
        ]
        setting.look()
        assert {size for size, _ in second.seen.values()} == {size for size, _ in setting.double.seen.values()} == {1, 2}
    with other_log.engine.begin() as connection:
        connection.execute(t.audit_log.delete().where(t.audit_log.c.tenant_uid == other_log.uid))


def test_a_witness_that_knows_more_than_our_row_says_is_asked_from_there(setting: Setting) -> None:
    setting.publish(300)
    setting.look()
    with setting.log.engine.begin() as connection:  # as when the row was lost, or another node could not store it
        connection.execute(t.audit_cosignature.delete().where(t.audit_cosignature.c.tenant_uid == setting.log.uid))
    setting.publish(301)
    setting.look()
    assert [request.partition("\n")[0] for request in setting.double.requests] == ["old 0", "old 0", "old 300"]
    row = setting.row()
    assert row
    assert (row.size, row.problem) == (301, "")
    assert setting.alarms == []


def test_a_witness_that_lost_its_memory_is_asked_from_where_it_is(setting: Setting) -> None:
    setting.publish(10)
    setting.look()
    setting.publish(20)
    setting.double.seen.clear()
    setting.look()
    assert [request.partition("\n")[0] for request in setting.double.requests] == ["old 0", "old 10", "old 0"]
    row = setting.row()
    assert row
    assert row.size == 20


# What the alarm is for.


def check_alarm(setting: Setting, size: int, seen: int) -> None:
    row = setting.row()
    assert row
    assert row.problem == "CONFLICT"
    assert setting.alarms == [{"witness": setting.double.name, "size": str(size), "witness_size": str(seen)}]
    assert setting.counted("vault_witness_conflicts_total") == 1
    setting.look()
    assert setting.counted("vault_witness_conflicts_total") == 2
    assert len(setting.alarms) == 1


def test_a_log_that_was_set_back_is_noticed_by_its_own_row(setting: Setting) -> None:
    setting.publish(100)
    setting.look()
    setting.log.cut(50)
    setting.publish(60)
    setting.look()
    check_alarm(setting, 60, 100)


def test_a_log_that_was_set_back_with_its_rows_is_noticed_by_the_witness(setting: Setting) -> None:
    setting.publish(50)
    setting.look()
    known = setting.row()
    setting.publish(100)
    setting.look()
    assert known
    with setting.log.engine.begin() as connection:  # the whole database is restored
        connection.execute(
            t.audit_cosignature.update().where(t.audit_cosignature.c.tenant_uid == setting.log.uid).values(known._asdict())
        )
    setting.log.cut(50)
    setting.publish(60)
    setting.start()
    setting.look()
    check_alarm(setting, 60, 100)


def test_a_log_that_was_set_back_and_has_grown_again_is_noticed_by_the_witness(setting: Setting) -> None:
    setting.publish(100)
    setting.look()
    setting.log.cut(50)
    setting.log.grow([b"another story %d" % n for n in range(100)])
    setting.publish(150)
    setting.look()
    check_alarm(setting, 150, 100)


def test_another_log_of_the_same_size_is_noticed(setting: Setting) -> None:
    setting.publish(100)
    setting.look()
    setting.log.cut(99)
    setting.log.grow([b"another last entry"])
    setting.publish(100)
    setting.look()
    check_alarm(setting, 100, 100)


def test_a_conflict_is_shown_where_nothing_was_ever_cosigned(setting: Setting) -> None:
    setting.double.seen[setting.log.origin] = (100, bytes(32))
    setting.publish(1)
    setting.look()
    row = setting.row()
    assert row
    assert (row.size, row.checkpoint, row.line, row.problem) == (0, "", "", "CONFLICT")
    check_alarm(setting, 1, 100)


def test_a_conflict_is_over_once_the_witness_cosigns_again(setting: Setting) -> None:
    setting.double.seen[setting.log.origin] = (100, bytes(32))
    setting.publish(1)
    setting.look()
    setting.double.seen.clear()
    setting.look()
    row = setting.row()
    assert row
    assert (row.size, row.problem) == (1, "")


def test_a_checkpoint_that_another_node_published_meanwhile_is_no_conflict(setting: Setting) -> None:
    setting.publish(5)

    def other_node(_: str) -> Answer | None:
        setting.double.script = lambda _: None
        setting.publish(9)
        setting.double.answer("/witness/add-checkpoint", f"old 0\n\n{setting.log.note(9)}")
        return None

    setting.double.script = other_node
    setting.look()
    assert setting.alarms == []
    assert setting.row() is None
    setting.look()
    row = setting.row()
    assert row
    assert row.size == 9


# What is not believed.


def answers(setting: Setting) -> dict[str, Answer]:
    text = setting.log.text(3)
    other = Double(setting.double.name)
    good = setting.double.line(text).encode()
    named = setting.double.line(text).replace(setting.double.name, "someone.example.org").encode()
    return {
        "nothing": Answer(200),
        "no signature": Answer(200, b"thank you\n"),
        "half a line": Answer(200, good[:-1]),
        "more than signatures": Answer(200, good + b"\nmore\n\n" + good),
        "cosignature of another checkpoint": Answer(200, setting.double.line(setting.log.text(2)).encode()),
        "cosignature by another key of the same id": Answer(200, setting.double.line(text, other.key).encode()),
        "cosignature by another key": Answer(200, other.line(text).encode()),
        "cosignature by another name": Answer(200, named),
        "cosignature of no time": Answer(200, setting.double.line(text, time_s=0).encode()),
        "a good and a bad one": Answer(200, good + setting.double.line(text, other.key).encode()),
        "not UTF-8": Answer(200, b"\xff" + good),
        "too much": Answer(200, good * (MAX_ANSWER // len(good) + 1)),
        "redirection": Answer(307, headers={"Location": f"{setting.double.url}/add-checkpoint"}),
        "refusal": Answer(403),
        "unknown log": Answer(404),
        "bad request": Answer(400),
        "server error": Answer(503),
        "no content": Answer(204),
        "conflict without a size": Answer(409),
        "conflict of another type": Answer(409, b"100\n"),
        "conflict with a wrong size": Answer(409, b"-1\n", "text/x.tlog.size"),
        "conflict with leading zeros": Answer(409, b"007\n", "text/x.tlog.size"),
        "conflict with a huge size": Answer(409, b"9" * 30 + b"\n", "text/x.tlog.size"),
        "conflict with the size it was told": Answer(409, b"0\n", "text/x.tlog.size"),
        "conflict with two sizes in turn": Answer(409, b"1\n", "text/x.tlog.size"),
    }


NAMES = [
    *("nothing", "no signature", "half a line", "more than signatures", "cosignature of another checkpoint"),
    *("cosignature by another key of the same id", "cosignature by another key", "cosignature by another name"),
    *("cosignature of no time", "a good and a bad one", "not UTF-8", "too much", "redirection", "refusal", "unknown log"),
    *("bad request", "server error", "no content", "conflict without a size", "conflict of another type"),
    *("conflict with a wrong size", "conflict with leading zeros", "conflict with a huge size"),
    *("conflict with the size it was told", "conflict with two sizes in turn"),
]


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_that_proves_nothing_changes_nothing(name: str, setting: Setting) -> None:
    setting.publish(3)
    answer = answers(setting)[name]
    setting.double.script = lambda _: answer
    setting.look()
    assert setting.row() is None
    assert setting.alarms == []
    assert setting.counted("vault_witness_answers_total", result="FAILED") == 1
    assert len(setting.double.requests) <= 3
    setting.double.script = lambda _: None
    setting.look()
    row = setting.row()
    assert row
    assert row.size == 3


def test_a_witness_that_fails_is_put_off(setting: Setting) -> None:
    setting.double.script = lambda _: Answer(503)
    setting.publish(1)

    async def thrice() -> None:
        async with new_session() as session:
            for _ in range(3):
                await setting.witnessing.look(session)

    asyncio.run(thrice())
    assert len(setting.double.requests) == 1


def test_a_witness_that_does_not_answer_holds_up_no_other(
    setting: Setting, new_log: Callable[[], BuiltLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(client, "EXCHANGE_S", 600.0)
    monkeypatch.setattr(exchange, "_TIMES", aiohttp.ClientTimeout(total=600))
    logs, ended = [setting.log, *(new_log() for _ in range(9))], threading.Event()
    with served(Double("slow.example.org")) as slow:
        for log in logs[1:]:
            log.grow([b"1", b"2"])
            log.publish(1)
            setting.double.trust(log.origin, log.vkey)
        setting.publish(1)
        slow.script = lambda _: Answer(503) if ended.wait(60) else None
        setting.witnessing._witnesses = [Witness(parse_vkey(slow.vkey), slow.url, setting.witness.tls), setting.witness]

        def cosigned(size: int) -> bool:
            return all(setting.double.seen.get(log.origin, (0,))[0] == size for log in logs)

        async def meanwhile() -> None:
            task = asyncio.create_task(setting.witnessing.run())
            try:
                async with asyncio.timeout(60):
                    while not (cosigned(1) and slow.requests):
                        await asyncio.sleep(0.01)
                    for log in logs[1:]:
                        log.publish(2)
                    setting.publish(2)
                    while not cosigned(2):
                        await asyncio.sleep(0.01)
            finally:
                ended.set()
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        asyncio.run(meanwhile())
    with setting.log.engine.begin() as connection:
        connection.execute(t.audit_log.delete().where(t.audit_log.c.tenant_uid.in_([log.uid for log in logs])))


def test_an_exchange_ends_after_a_time_however_the_witness_answers(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_TIMES", aiohttp.ClientTimeout(total=600))
    ended, waited_for, limits = threading.Event(), list[bool](), list[tuple[asyncio.Timeout, asyncio.AbstractEventLoop]]()
    limit = asyncio.timeout

    def noted(seconds: float) -> asyncio.Timeout:
        made = limit(seconds)
        if seconds == client.EXCHANGE_S:
            limits.append((made, asyncio.get_running_loop()))
        return made

    def answer(_: str) -> Answer:
        if len(setting.double.requests) > 1:
            ((whole, loop),) = limits
            loop.call_soon_threadsafe(lambda: whole.reschedule(loop.time()))  # the time is over during the second request
            if not ended.wait(60):
                waited_for.append(True)
        return Answer(409, b"1\n", "text/x.tlog.size")

    monkeypatch.setattr(client, "EXCHANGE_S", 600.0)
    monkeypatch.setattr(asyncio, "timeout", noted)

    setting.double.script = answer
    setting.publish(3)
    setting.look()
    ended.set()
    assert not waited_for
    assert setting.row() is None
    assert setting.counted("vault_witness_answers_total", result="FAILED") == 1
    assert len(setting.double.requests) == 2


def test_a_log_whose_rows_were_edited_is_not_sent(setting: Setting) -> None:
    setting.publish(300)
    with setting.log.engine.begin() as connection:
        c = t.audit_entry.c
        where = (c.tenant_uid == setting.log.uid, c.leaf_index == 299)
        connection.execute(t.audit_entry.update().where(*where).values(leaf_hash=bytes(32)))
    setting.look()
    assert setting.double.requests == []
    assert setting.row() is None
    assert setting.counted("vault_witness_answers_total", result="FAILED") == 1


def test_one_log_that_is_damaged_keeps_no_other_from_its_witness(setting: Setting, new_log: Callable[[], BuiltLog]) -> None:
    setting.publish(3)
    damaged = new_log()
    damaged.grow([b"x"])
    damaged.publish(1)
    with damaged.engine.begin() as connection:
        connection.execute(t.audit_log.update().where(t.audit_log.c.tenant_uid == damaged.uid).values(checkpoint="no note"))
    setting.look()
    assert setting.row()
    with damaged.engine.begin() as connection:
        connection.execute(t.audit_log.delete().where(t.audit_log.c.tenant_uid == damaged.uid))


def test_nobody_answers(setting: Setting) -> None:
    setting.publish(1)
    with served(Double()) as gone:
        url = gone.url
    setting.witness = Witness(setting.witness.key, url, setting.witness.tls)
    setting.start()
    setting.look()
    assert setting.row() is None
    assert setting.counted("vault_witness_answers_total", result="FAILED") == 1


@pytest.mark.parametrize("trusted", [True, False])
def test_a_witness_is_believed_only_with_a_certificate_of_its_ca(
    trusted: bool, new_log: Callable[[], BuiltLog], tmp_path: Path
) -> None:
    own, other = create_ca("witness CA", 30), create_ca("another CA", 30)
    server = issue_server(own, ["localhost"], 30)
    (tmp_path / "server.pem").write_bytes(server.certificate_pem)
    (tmp_path / "server.key").write_bytes(server.key_pem)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    log = new_log()
    with served(Double(), tls) as double:
        double.trust(log.origin, log.vkey)
        ca = own if trusted else other
        setting = Setting(log, double, ssl.create_default_context(cadata=ca.certificate_pem.decode()))
        setting.publish(1)
        setting.look()
        assert (setting.row() is not None) == trusted
        assert bool(double.requests) == trusted
    with log.engine.begin() as connection:
        connection.execute(t.audit_log.delete().where(t.audit_log.c.tenant_uid == log.uid))


# The rows.


def test_an_older_cosignature_never_replaces_a_newer_one(setting: Setting) -> None:
    def row(size: int) -> CosignatureRow:
        return CosignatureRow(setting.log.uid, "w.example.org", size, f"note {size}", f"line {size}", size, "")

    engine = setting.log.engine
    assert cosignatures.record(engine, row(5))
    assert not cosignatures.record(engine, row(4))
    assert setting.row() == row(5)
    assert cosignatures.record(engine, row(5)._replace(line="again"))
    assert cosignatures.mark(engine, setting.log.uid, "w.example.org", cosignatures.CONFLICT)
    assert not cosignatures.mark(engine, setting.log.uid, "w.example.org", cosignatures.CONFLICT)
    assert setting.row() == row(5)._replace(line="again", problem="CONFLICT")
    assert cosignatures.record(engine, row(6))
    assert setting.row() == row(6)


def test_looking_goes_on_when_the_database_is_gone_for_a_while(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    setting.publish(1)
    monkeypatch.setattr(client, "LOOK_EVERY_S", 0.01)
    looks = 0
    real = setting.witnessing._due

    def flaky(witness: Witness) -> list[client.Due]:
        nonlocal looks
        looks += 1
        if looks < 3:
            raise sa.exc.OperationalError("", {}, Exception())
        return real(witness)

    monkeypatch.setattr(setting.witnessing, "_due", flaky)

    async def until_cosigned() -> None:
        task = asyncio.create_task(setting.witnessing.run())
        while setting.row() is None and not task.done():
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(until_cosigned())
    assert looks >= 3
    assert setting.row()
