"""How fast pending events become entries, and what that costs the calls beside it. Prints a table; asserts nothing.

    python -m tests.bench.integration [--events 100000] [--seconds 10] [--database sqlite|postgres] [--part NAME]

Parts: ``catch-up`` (events a second from a full queue), ``latency`` (from commit to entry at 2,000 events a second) and ``cost``
(Tokenize and Reveal with and without the integrator in the same process, in turns).
"""

import argparse
import contextlib
import random
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy as sa
from deploy.local_stack.postgres import DURABLE, PostgresServer
from tests.harness import Vault, make_vault, reveal_request, tokenize_request
from tests.use_cases.inside import Inside, inside

from vault.audit.chain import Chain, announcement
from vault.audit.events import Caller, Draft
from vault.server import collector
from vault.server.keeping.integrating import Integrating
from vault.server.keeping.metrics import LogMetrics
from vault.server.lane import Lane
from vault.server.metrics import Metrics
from vault.store import tables as t
from vault.store.clock import now_us
from vault.store.log.chains import Trouble
from vault.store.log.integrator import Integrator
from vault.store.log.lease import Lease
from vault.store.log.rows import PendingRow
from vault.store.writes import insert
from vault.v1 import audit_pb2, common_pb2

RATE = 2000
GROUP = 50
CALLERS = 16


class Nobody:
    """Hears of troubles, of which there must be none."""

    def broken(self, _tenant_uid: bytes, trouble: Trouble) -> None:
        """Never."""
        raise AssertionError(trouble)

    def moved(self, tenant_uid: bytes) -> None:
        """Never."""
        raise AssertionError(tenant_uid)

    def refused(self, _tenant_uid: bytes, reason: str) -> None:
        """Never."""
        raise AssertionError(reason)


class Writer:
    """Leaves events as calls do, without the calls."""

    def __init__(self, opened: Inside) -> None:
        self._engine = opened.engine
        self._chain = Chain("bench")
        self._tenant = opened.tenant().uid
        text = announcement(self._tenant, self._chain.boot_id, self._chain.public_key)
        self._endorsements = {self._tenant: opened.node.key_manager.sign(self._tenant, text)}
        self._random = random.Random(1)  # noqa: S311  a bench, no secret
        self._uids = [self._random.randbytes(16) for _ in range(10_000)]

    def commit(self, count: int) -> None:
        """One transaction with as many events."""
        with self._engine.begin() as connection:
            commit = self._chain.extend([self._draft() for _ in range(count)], self._endorsements, now_us(connection))
            insert(connection, t.audit_pending, [PendingRow(*leaf) for leaf in commit.leaves])
        self._chain.settle(commit)

    def _draft(self) -> Draft:
        who = self._random.randrange(20)
        caller = Caller(self._tenant, f"spiffe://acme/service-{who}", certificate_sha256=bytes([who]) * 32)
        context = common_pb2.CallContext(purpose="payout", request_id=str(uuid.UUID(bytes=self._random.randbytes(16))))
        draft = Draft(caller, self._random.choice(("Reveal", "Tokenize", "Verify")), context, policy_ids={"allow-payout"})
        draft.principal_uid, draft.roles, draft.policy_sha256 = bytes([who]) * 16, ("reader_plain",), bytes(32)
        draft.touch(
            self._random.choice(("phone", "email", "bank_account")),
            self._random.choice(self._uids),
            self._random.choice(self._uids),
            form=common_pb2.Form(kind=common_pb2.FORM_KIND_PLAIN),
            change=audit_pb2.CHANGE_UNSPECIFIED,
        )
        return draft


def catch_up(opened: Inside, events: int) -> str:
    """Events a second from a full queue, by the clock and by the process's own time, which a busy machine distorts less."""
    integrator = Integrator(opened.node.log_engine, opened.node.key_manager, Lease(opened.node.log_engine, "b", "1"), Nobody())
    integrator.round()
    writer = Writer(opened)
    for _ in range(events // GROUP):
        writer.commit(GROUP)
    began, began_own, done = time.perf_counter(), time.process_time(), 0
    while True:
        round_ = integrator.round()
        done += round_.entries
        if not round_.has_more:
            break
    seconds, own = time.perf_counter() - began, time.process_time() - began_own
    integrator.end()
    return f"{done / seconds:,.0f} events/s ({done:,} in {seconds:.1f} s); {done / own:,.0f} a second of the process's own time"


def latency(opened: Inside, seconds: int) -> str:
    """From commit to entry at 2,000 events a second."""
    writer, commits = Writer(opened), list[tuple[float, int]]()
    with integrating(opened, on=True) as wake:
        select = sa.select(t.audit_log.c.size).where(t.audit_log.c.tenant_uid == opened.tenant().uid)
        with opened.engine.connect() as connection:
            written = connection.scalar(select) or 0
        began = time.perf_counter()
        found, ended = list[tuple[float, int]](), threading.Event()

        def watch() -> None:
            while not ended.wait(0.01):
                with opened.engine.connect() as connection:
                    connection.execution_options(pdvault_begin="BEGIN")
                    found.append((connection.scalar(select) or 0, time.perf_counter()))

        watcher = threading.Thread(target=watch)
        watcher.start()
        for number in range(seconds * RATE // GROUP):
            time.sleep(max(0.0, began + number * GROUP / RATE - time.perf_counter()))
            writer.commit(GROUP)
            written += GROUP + (number == 0)  # BootStarted
            commits.append((time.perf_counter(), written))
            wake()
        time.sleep(1.5)
        ended.set()
        watcher.join()
    waits, at = [], 0
    for moment, size in commits:
        while found[at][0] < size:
            at += 1
        waits.append(max(0.0, found[at][1] - moment))
    waits.sort()
    rate, late = len(commits) * GROUP / (commits[-1][0] - began), waits[len(waits) * 99 // 100]
    return f"median {statistics.median(waits):.3f} s, p99 {late:.3f} s, worst {waits[-1]:.3f} s at {rate:,.0f}/s"


def cost(opened: Inside, seconds: int) -> str:
    """Calls a second with the integrator, as a share of those without; and the same for the process's own time a call.

    The second is what a busy machine distorts less; without the time that PostgreSQL takes.
    """
    shares = []
    tokens = [r.token for r in opened.ask(tokenize_request(*((f"s{n}", "phone", f"+4477009{n:05}") for n in range(200)))).results]
    for name, request in (
        ("Tokenize", lambda n: tokenize_request((f"p{n % 1000}", "phone", f"+4477009{n % 100_000:05}"))),
        ("Reveal", lambda n: reveal_request(tokens[n % len(tokens)])),
    ):
        calls: dict[bool, int] = {False: 0, True: 0}
        spent: dict[bool, float] = {False: 0.0, True: 0.0}
        for on in (False, True, True, False, False, True):
            with integrating(opened, on=on):
                began = time.process_time()
                calls[on] += _calls(opened, request, seconds / 3)
                spent[on] += time.process_time() - began
        rates = {on: calls[on] / seconds for on in calls}
        own = {on: spent[on] / calls[on] * 1e6 for on in calls}
        shares.append(
            f"{name} {rates[True]:,.0f}/s with, {rates[False]:,.0f}/s without: {rates[True] / rates[False]:.1%}; "
            f"{own[True]:,.0f} µs own time with, {own[False]:,.0f} µs without: {own[True] / own[False]:.1%}"
        )
    return "\n                    ".join(shares)


def _calls(opened: Inside, request: Callable[[int], object], seconds: float) -> int:
    """How many calls some callers make through one lane in that time."""
    lane = Lane(opened.node.runner, 2000, lambda _: None)
    ends = time.perf_counter() + seconds
    counts = [0] * CALLERS

    def call(which: int) -> None:
        number = which
        while time.perf_counter() < ends:
            answer = lane.submit(opened.call(request(number)), 1).result(60)  # type: ignore[arg-type]
            if not isinstance(answer, bytes):
                raise AssertionError(answer)
            number += CALLERS
            counts[which] += 1

    threads = [threading.Thread(target=call, args=(which,)) for which in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lane.close()
    return sum(counts)


@contextlib.contextmanager
def integrating(opened: Inside, *, on: bool) -> Iterator[Callable[[], None]]:
    """The integrator's threads beside the block, with an empty queue at its beginning; answers what wakes them."""
    keeper = Integrating(opened.node, LogMetrics(Metrics().registry), Nobody())
    keeper.catch_up()
    opened.keys()
    if on:
        opened.node.runner.on_commit = keeper.wake
        keeper.start()
    yield keeper.wake
    opened.node.runner.on_commit = lambda: None
    keeper.close()


@contextlib.contextmanager
def vault_on(database: str) -> Iterator[Vault]:
    """A new vault; PostgreSQL with its own defaults, so that commits are on disk."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        settings = 'sqlite_file = "vault.db"'
        if database == "postgres":
            settings = f'url = "{stack.enter_context(PostgresServer(DURABLE)).create_database("bench")}"'
        yield make_vault(Path(folder), database=settings)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--database", choices=("sqlite", "postgres"))
    parser.add_argument("--part", choices=("catch-up", "latency", "cost"))
    options = parser.parse_args()
    parts: dict[str, Callable[[Inside], str]] = {
        "catch-up": lambda opened: catch_up(opened, options.events),
        "latency": lambda opened: latency(opened, options.seconds),
        "cost": lambda opened: cost(opened, options.seconds),
    }
    for database in [options.database] if options.database else ["postgres", "sqlite"]:
        with vault_on(database) as vault, inside(vault) as opened:
            collector.settle()
            for name, measure in parts.items():
                if options.part in (None, name):
                    print(f"{database:9} {name:9} {measure(opened)}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
