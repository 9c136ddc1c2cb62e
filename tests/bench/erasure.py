"""Time Erase of subjects with 100 items, in an empty vault and in a full one: ``python -m tests.bench.erasure [--subjects N]``.

One node in this process, with local keys, first on SQLCipher and then on PostgreSQL; what is timed is a whole call, from the
request's bytes to the receipt: two transactions, the note beside the keyring, the reading back. The table shows milliseconds by the
clock, and of this process's CPU time, which a busy machine distorts less; PostgreSQL works in processes of its own.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from deploy.local_stack.postgres import PostgresServer
from rich.console import Console
from rich.table import Table
from tests.erasure.working import Working, erase, working
from tests.harness import make_vault
from tests.use_cases.requests import new_email, new_subject, tokenize

ITEMS = 100
ROUNDS = 20


def erasures(at_work: Working) -> Iterator[tuple[float, float]]:
    """Milliseconds of each of some erasures, by the clock and of this process's CPU time."""
    names = [new_subject() for _ in range(ROUNDS)]
    for name in names:
        at_work.ask(tokenize(*((name, "email", new_email()) for _ in range(ITEMS))), "all")
    for name in names:
        request = erase(name)
        began, began_cpu = time.perf_counter(), time.process_time()
        at_work.ask(request)
        yield 1000 * (time.perf_counter() - began), 1000 * (time.process_time() - began_cpu)


def fill(at_work: Working, subjects: int) -> None:
    """Store people, ten items each."""
    for _ in range(subjects // 100):
        at_work.ask(
            tokenize(*((name, "email", new_email()) for name in [new_subject() for _ in range(100)] for _ in range(10))), "all"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=10_000, help="in the full vault")
    subjects = parser.parse_args().subjects
    table = Table("database", "subjects", "median", "90 %", "slowest", "CPU", title=f"Erase, {ITEMS} items, ms")
    with PostgresServer() as server, tempfile.TemporaryDirectory() as folder:
        for name, database in (("sqlite", 'sqlite_file = "vault.db"'), ("postgres", f'url = "{server.create_database("bench")}"')):
            place = Path(folder) / name
            place.mkdir()
            with working(make_vault(place, database=database)) as at_work:
                for number in (0, subjects):
                    fill(at_work, number)
                    times, own = map(sorted, zip(*erasures(at_work), strict=True))
                    shown = (statistics.median(times), times[len(times) * 9 // 10], times[-1], statistics.median(own))
                    table.add_row(name, f"{number:,}", *(f"{one:.1f}" for one in shown))
    Console().print(table)


if __name__ == "__main__":
    main()
