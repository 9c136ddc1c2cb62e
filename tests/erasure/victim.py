"""Processes that erase somebody and kill themselves: ``python -m tests.erasure.victim FOLDER``.

Takes orders on stdin, a line each: SUBJECT_ID REQUEST_ID POINT. Each is a process of its own, forked so that nothing is imported
twice; by which signal it ended, and how many points it has passed, is answered on stdout.

Every statement, every commit and every request to the KMS is two points, one before and one after it; at the given one the process
is gone as in a power cut. With POINT 0 it erases to the end.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from tests.erasure.working import Working, erase
from tests.harness import Vault
from tests.use_cases.requests import new_email, new_subject, tokenize

from vault.access.issuing import Issued, principal_uri
from vault.audit.events import Caller
from vault.store import tables as t
from vault.store import writes


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

    def around(self, work: Any) -> Any:
        """The same work with a point before and one after it."""

        def pointed(*arguments: Any, **options: Any) -> Any:
            self.pass_()
            answer = work(*arguments, **options)
            self.pass_()
            return answer

        return pointed


def _watch(at_work: Working, points: Points) -> None:
    engine, key_manager = at_work.node.engine, at_work.node.key_manager
    for event in ("before_cursor_execute", "after_cursor_execute"):
        sa.event.listen(engine, event, points.pass_)
    writes.insert = points.around(writes.insert)  # COPY goes past SQLAlchemy's events
    engine.dialect.do_commit = points.around(engine.dialect.do_commit)  # type: ignore[method-assign]
    for name in ("note_destroyed", "kek"):
        setattr(key_manager, name, points.around(getattr(key_manager, name)))


def erase_until(folder: Path, subject_id: str, request_id: str, fatal: int) -> int:
    """Erase, until the end; how many points were passed."""
    nobody = Issued(b"", b"")
    vault, points = Vault(folder, nobody, {}), Points(fatal)
    with vault.node() as node:
        with node.engine.connect() as connection:
            tenants = sa.select(t.tenant.c.name, t.tenant.c.uid, t.tenant_ca.c.sha256)
            joined = tenants.join_from(t.tenant, t.tenant_ca, t.tenant.c.uid == t.tenant_ca.c.tenant_uid)
            known = {row.name: (row.uid, row.sha256) for row in connection.execute(joined)}

        def caller(who: str, tenant: str) -> Caller:
            uid, ca_sha256 = known[tenant]
            return Caller(uid, principal_uri(tenant, who), ca_sha256, bytes(32))

        at_work = Working(vault, node, caller)
        at_work.ask(tokenize((new_subject(), "email", new_email())), "app")  # with keys in memory
        _watch(at_work, points)
        request = erase(subject_id)
        request.context.request_id = request_id
        at_work.ask(request)
        at_work.close()
    return points.passed


def obey(folder: Path, order: str) -> str:
    """What became of an order's process."""
    subject_id, request_id, fatal = order.split()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writer, str(erase_until(folder, subject_id, request_id, int(fatal))).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as passed:
        said = passed.read() or "0"
    return f"{os.WTERMSIG(os.waitpid(child, 0)[1])} {said}"


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(f"{obey(Path(sys.argv[1]), line)}\n")
        sys.stdout.flush()
