"""How many entries a second ``pdvault audit verify`` checks on one core.

    python -m tests.bench.verify_speed [--entries 200000] [--commit 20]

Prints a JSON object a line: first what parsing and hashing alone cost here, then the verification, and the ratio of the two, which
means something on a noisy machine too. CPU time of this process, best of three.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.audit_verify.checking import ANYBODY, drained
from tests.audit_verify.logs import NOW_US, Log, write

from vault.audit.bundle import Bundle
from vault.audit.merkle import leaf_hashes, perfect_root
from vault.audit.remembered import Memory
from vault.audit.verify import verify
from vault.v1.audit_pb2 import AuditEvent

_TIMES = 3


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=100_000, help="how many leaves the log has")
    parser.add_argument("--commit", type=int, default=20, help="how many events a transaction has: its last one is signed")
    given = parser.parse_args()
    log = Log().grow(given.entries, group=given.commit, end_after=1000)
    with TemporaryDirectory() as folder:
        path = write(Path(folder) / "bundle.zip", log.bundle())
        alone = _rate(given.entries, lambda: _parse_and_hash(log.leaves))
        whole = _rate(given.entries, lambda: _verify(path, Path(folder) / "state"))
        megabytes = round(path.stat().st_size / 1e6, 1)
    print(json.dumps({"what": "parse and hash alone", "entries_per_s": alone}))  # noqa: T201
    print(json.dumps({"what": "verify", "entries_per_s": whole, "bundle_mb": megabytes, "ratio": round(whole / alone, 2)}))  # noqa: T201


def _rate(entries: int, run: Callable[[], object]) -> int:
    best = float("inf")
    for _ in range(_TIMES):
        begin = time.process_time()
        run()
        best = min(best, time.process_time() - begin)
    return round(entries / best)


def _parse_and_hash(leaves: Sequence[bytes]) -> None:
    for at in range(0, len(leaves) - 256, 256):
        perfect_root(leaf_hashes(leaves[at : at + 256]))
    for leaf in leaves:
        AuditEvent.FromString(leaf)


def _verify(path: Path, state: Path) -> None:
    with path.open("rb") as file:
        drained(verify(Bundle(file), ANYBODY, Memory(state), NOW_US))


if __name__ == "__main__":
    main()
