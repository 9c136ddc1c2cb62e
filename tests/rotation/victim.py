"""A key worker that kills itself at a statement: forked with ``main(FOLDER, POINT)``.

Every statement, commit and change of the KEK is a point; at the given one the process is gone as in a power cut.
"""

import os
import signal
from pathlib import Path

import sqlalchemy as sa
from tests.harness import Tenant, Vault
from tests.rotation.works import worker
from tests.use_cases.inside import Inside

from vault.kms.local.administrator import LocalAdministrator
from vault.server import config
from vault.server.key_worker import worker as working
from vault.server.node import Node
from vault.store.reading import whole_subjects


class Points:
    """Counts, and kills."""

    def __init__(self, fatal: int) -> None:
        self._fatal = fatal
        self._passed = 0

    def pass_(self, *_: object) -> None:
        """One more; the fatal one does not return."""
        self._passed += 1
        if self._passed == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder: Path, fatal: int) -> None:
    """Run all operations, or as far as the fatal point lets."""
    working.BATCH = 3  # so that a few people make many steps
    whole_subjects.MAX_ITEMS = 1  # and are re-keyed in parts
    points = Points(fatal)
    for name in ("rotate", "suspend_before", "destroy_before"):
        _surround(name, points)
    vault = Vault(folder, config.load(folder / "vault.toml"), {"acme": Tenant("acme", b"", None, {})})  # type: ignore[arg-type]
    node = Node(vault.config)
    for event in ("before_cursor_execute", "after_cursor_execute", "commit"):
        sa.event.listen(node.engine, event, points.pass_)
    with worker(Inside(vault, node)) as one:
        while one.look():
            pass
    node.close()


def _surround(name: str, points: Points) -> None:
    """Make a change of the KEK two points, one before and one after it."""
    real = getattr(LocalAdministrator, name)

    def watched(*arguments: object) -> object:
        points.pass_()
        done = real(*arguments)
        points.pass_()
        return done

    setattr(LocalAdministrator, name, watched)
