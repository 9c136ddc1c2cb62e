"""How fast a rotation goes, and what calls notice of one that is throttled.

    python -m tests.bench.rotation [--subjects 20000] [--database postgres] [--rate 500]

Prints a JSON object a line. For each part of a rotation: rows a second by the clock, and a second of this process's CPU time, which
is what one core does; PostgreSQL works in processes of its own. Then, on PostgreSQL, p99 of Reveal at half load without a rotation
and during one that a process of its own runs, in turn, five times each; their medians, and the ratio of the two.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.local_stack.postgres import DURABLE, PostgresServer
from tests.harness import Tenant, Vault, context, make_vault
from tests.rotation.works import begin_rotation, found, phases, worker
from tests.use_cases.inside import Inside, inside
from tests.use_cases.requests import delete, new_email, new_subject, reveal, tokenize, tokens_of

from vault.server import config
from vault.server.key_worker.worker import BATCH
from vault.v1 import key_service_pb2 as v1

_A_CALL = 500
_TIMES = 5
_LASTS_S = 6.0
_RE_KEYED = 20
"""One subject in so many has something deleted, and so gets a new store key."""


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=20_000, help="with one item and one field key each")
    parser.add_argument("--database", choices=("postgres", "sqlite"), default="postgres")
    parser.add_argument("--rate", type=int, default=500, help="rows a second of the throttled rotation")
    parser.add_argument("--work", type=Path, help="run the operations of the vault in this folder, and nothing else")
    given = parser.parse_args()
    if given.work:
        _work(given.work)
        return
    with _vault(given.database) as vault, inside(vault) as opened:
        tokens = _fill(opened, given.subjects)
        _say_speeds(opened)
        if given.database == "postgres":
            _say_latencies(opened, tokens, given.rate)


@contextmanager
def _vault(database: str) -> Iterator[Vault]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        body = 'sqlite_file = "vault.db"'
        if database == "postgres":
            body = f'url = "{stack.enter_context(PostgresServer(DURABLE)).create_database("rotation")}"'
        yield make_vault(folder, database=body)


def _fill(opened: Inside, subjects: int) -> list[str]:
    tokens: list[str] = []
    for _ in range(subjects // _A_CALL):
        tokens += tokens_of(opened.ask(tokenize(*((new_subject(), "email", new_email()) for _ in range(_A_CALL)))))
    for _ in range(subjects // _RE_KEYED // _A_CALL):
        some = tokenize(*((new_subject(), "email", new_email()) for _ in range(_A_CALL)))
        opened.ask(delete(*tokens_of(opened.ask(some))))
    _settle(opened)
    return tokens


def _settle(opened: Inside) -> None:
    """What autovacuum does within a minute or so: else the planner believes that tables are empty."""
    if opened.is_postgres:
        with opened.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")


def _say_speeds(opened: Inside) -> None:
    name = begin_rotation(opened).name
    wall, cpu, rows = defaultdict[str, float](float), defaultdict[str, float](float), defaultdict[str, int](int)
    phase, done = "CENSUS", 0
    going = phases(opened, BATCH)
    while True:
        began, began_cpu = time.perf_counter(), time.process_time()
        following = next(going, None)
        wall[phase] += time.perf_counter() - began
        cpu[phase] += time.process_time() - began_cpu
        now = _done(opened, name)
        rows[phase] += now - done
        if following is None:
            break
        phase, done = following, now
    for each, count in rows.items():
        if count > BATCH // 2:
            speeds = {"rows_per_s": round(count / wall[each]), "rows_per_cpu_s": round(count / cpu[each])}
            print(json.dumps({"what": each, "rows": count, **speeds}))  # noqa: T201


def _done(opened: Inside, name: str) -> int:
    progress = v1.OperationProgress()
    found(opened, name).metadata.Unpack(progress)
    return progress.done


def _say_latencies(opened: Inside, tokens: Sequence[str], rate: int) -> None:
    _settle(opened)
    calls_per_s = _full_load(opened, tokens) / 2
    without, during = list[tuple[float, float]](), list[tuple[float, float]]()
    for _ in range(_TIMES):
        without.append(_p99(opened, tokens, calls_per_s))
        name = begin_rotation(opened, max_rows_per_second=rate).name
        command = [sys.executable, "-m", "tests.bench.rotation", "--work", str(opened.vault.folder)]
        with subprocess.Popen(command) as process:
            while not _done(opened, name):
                time.sleep(0.1)
            during.append(_p99(opened, tokens, calls_per_s))
            opened.ask(v1.CancelOperationRequest(context=context("rotation"), name=name), "security")
            process.wait(60)
    for at, since in enumerate(("due", "sent")):
        middle = [statistics.median(one[at] for one in ones) for ones in (without, during)]
        milliseconds = {"without_ms": round(middle[0] * 1000, 2), "during_ms": round(middle[1] * 1000, 2)}
        said = {"what": f"p99 of Reveal since it was {since}", "calls_per_s": round(calls_per_s), "rate": rate, **milliseconds}
        print(json.dumps({**said, "ratio": round(middle[1] / middle[0], 2)}))  # noqa: T201


def _full_load(opened: Inside, tokens: Sequence[str]) -> float:
    began = time.perf_counter()
    for token in tokens[:300]:
        opened.ask(reveal(token))
    return 300 / (time.perf_counter() - began)


def _p99(opened: Inside, tokens: Sequence[str], calls_per_s: float) -> tuple[float, float]:
    """From when a call was due to come, so that one that is held up counts for those behind it, too; and from when it was sent."""
    began, taken, alone = time.perf_counter(), list[float](), list[float]()
    for number in range(int(_LASTS_S * calls_per_s)):
        due = began + number / calls_per_s
        time.sleep(max(0.0, due - time.perf_counter()))
        sent = time.perf_counter()
        opened.ask(reveal(tokens[number % len(tokens)]))
        taken.append(time.perf_counter() - due)
        alone.append(time.perf_counter() - sent)
    return statistics.quantiles(taken, n=100)[-1], statistics.quantiles(alone, n=100)[-1]


def _work(folder: Path) -> None:
    vault = Vault(folder, config.load(folder / "vault.toml"), {"acme": Tenant("acme", b"", None, {})})  # type: ignore[arg-type]
    with inside(vault) as opened, worker(opened) as working:
        working.look()


if __name__ == "__main__":
    main()
