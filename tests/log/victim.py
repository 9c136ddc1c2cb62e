"""A process that writes to logs and integrates them until it kills itself: forked with ``main(FOLDER, SEED, POINT)``.

Every statement, commit and request to the KMS is two points, one before and one after it; at the given one the process is gone as
in a power cut. What it is about to commit and what it has committed it says on stdout, a leaf in hexadecimal a line, so that
nobody has to trust the database for it. With POINT 0 it goes through one cycle, and says how many points that has.
"""

import os
import random
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from tests.log.kept import Kept, Writer

from vault.audit.chain import Leaf
from vault.audit.merkle import leaf_hash
from vault.kms.key_manager import Anchored, KeyManager
from vault.server import config
from vault.server.node import Node
from vault.store import tables as t
from vault.store.log import append

CYCLES = 50


class Points:
    """Counts, and kills."""

    def __init__(self, fatal: int) -> None:
        self._fatal = fatal
        self.passed = 0

    def pass_(self, *_: object) -> None:
        """One more; the fatal one does not return."""
        self.passed += 1
        if self._fatal and self.passed >= self._fatal:  # some threads may pass at once
            os.kill(os.getpid(), signal.SIGKILL)


class Watched:
    """A KMS of which each request by the integrator and the publisher is two points."""

    def __init__(self, key_manager: KeyManager, points: Points) -> None:
        self._key_manager = key_manager
        self._points = points

    def read_anchor(self, tenant_uid: bytes) -> Anchored | None:
        """See ``KeyManager``."""
        return self._between(self._key_manager.read_anchor, tenant_uid)

    def write_anchor(self, tenant_uid: bytes, text: str, version: int) -> int:
        """See ``KeyManager``."""
        return int(self._between(self._key_manager.write_anchor, tenant_uid, text, version))

    def sign(self, tenant_uid: bytes, message: bytes) -> bytes:
        """See ``KeyManager``."""
        return bytes(self._between(self._key_manager.sign, tenant_uid, message))

    def log_public_key(self, tenant_uid: bytes) -> bytes:
        """See ``KeyManager``."""
        return self._key_manager.log_public_key(tenant_uid)

    def _between(self, request: Any, *arguments: object) -> Any:
        self._points.pass_()
        answer = request(*arguments)
        self._points.pass_()
        return answer


def _watch(engine: sa.Engine, points: Points) -> None:
    for event in ("before_cursor_execute", "after_cursor_execute", "commit"):
        sa.event.listen(engine, event, points.pass_)
    insert, commit = append.insert, engine.dialect.do_commit

    def copy(*arguments: Any) -> None:
        insert(*arguments)
        points.pass_()

    def commit_and_pass(connection: Any) -> None:
        commit(connection)
        points.pass_()

    append.insert = copy  # COPY goes past SQLAlchemy's events
    engine.dialect.do_commit = commit_and_pass  # type: ignore[method-assign]


def _tell(word: str, leaves: Sequence[Leaf]) -> None:
    sys.stdout.write("".join(f"{word} {leaf_hash(leaf.leaf).hex()}\n" for leaf in leaves))
    sys.stdout.flush()


def main(folder: Path, seed: int, fatal: int) -> None:
    """Write, integrate and publish, until the end."""
    points, dice = Points(fatal), random.Random(seed)  # noqa: S311  which moment, no secret
    node = Node(config.load(folder / "vault.toml"))
    kept = Kept(node)
    kept.tell = _tell
    with node.engine.connect() as connection:
        tenants = list(connection.scalars(sa.select(t.audit_log.c.tenant_uid)))
    writers = [Writer(kept, seed), Writer(kept, seed + 1)]
    integrator = kept.integrator(max_batch=dice.choice((3, 20, 4000)), key_manager=Watched(node.key_manager, points))
    for engine in {node.engine, node.log_engine}:
        _watch(engine, points)
    for _ in range(CYCLES):
        for _ in range(dice.randrange(4)):
            some = [dice.choice(tenants) for _ in range(dice.choice((1, 5, 100)))]
            dice.choice(writers).commit(some, shift_us=dice.choice((0, 0, -1_000_000)))
        integrator.round()
        if dice.randrange(2):
            integrator.publisher.publish(every_s=0.0)
