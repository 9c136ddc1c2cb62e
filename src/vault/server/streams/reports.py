"""Reports that take a while: what a suspect touched, and bundles to take home. Each step has a snapshot of its own.

Who loses the right to them while they are under way gets no more of them.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

from vault.audit.actions import NAME_SUBJECTS
from vault.auditing.breach import Search, messages
from vault.auditing.export import Sending
from vault.auditing.log import AuditLog, Snapshots
from vault.auditing.names import AT_ONCE, NameSubjects
from vault.call import Call
from vault.server.audit_service import AuditService
from vault.server.dispatcher import Dispatcher
from vault.server.streams.recheck import Recheck
from vault.server.streams.tail import Send
from vault.v1 import audit_service_pb2 as v1

_BYTES_AT_ONCE = 512 * 1024
"""Of messages made in one snapshot, before they are sent."""
_NAMING_S = 30.0

Step = TypeVar("Step")


class _Made(NamedTuple):
    """The messages of one snapshot, and whether they were the last."""

    messages: list[bytes]
    is_all: bool


class Reports:
    """Runs reports. Used on the event loop only."""

    def __init__(self, audit: AuditService, dispatcher: Dispatcher, recheck: Recheck) -> None:
        self._audit = audit
        self._dispatcher = dispatcher
        self._recheck = recheck

    async def export(self, call: Call, resolved: bytes, deadline: float, send: Send) -> None:
        """Send a bundle's files.

        Raises:
            VaultError: why it can't go on.
        """
        request, at = v1.ExportRequest.FromString(resolved), Snapshots()
        sending: list[Iterator[v1.ExportResponse]] = []

        def make(log: AuditLog) -> _Made:
            at.log = log
            if not sending:
                sending.append(Sending(request, at).messages())
            made, room = list[bytes](), _BYTES_AT_ONCE
            for message in sending[0]:
                made.append(message.SerializeToString())
                room -= len(made[-1])
                if room <= 0:
                    return _Made(made, is_all=False)
            return _Made(made, is_all=True)

        rechecks, is_all = self._recheck.of(call), False
        while not is_all:
            await rechecks.when_due()
            made, is_all = await self._audit.read(call.caller.tenant_uid, make, deadline)
            for message in made:
                await send(message)

    async def breach(self, call: Call, resolved: bytes, deadline: float, send: Send) -> None:
        """Send the report of a breach.

        Raises:
            VaultError: why it can't go on.
        """
        request, at = v1.BreachReportRequest.FromString(resolved), Snapshots()
        search = Search(request)
        steps = search.steps(at)

        def step(log: AuditLog) -> bool:
            at.log = log
            return next(steps, _END) is _END

        rechecks = self._recheck.of(call)
        while not await self._audit.read(call.caller.tenant_uid, step, deadline):
            await rechecks.when_due()
        parts = messages(search.rows())
        while part := await asyncio.to_thread(next, parts, None):
            await rechecks.when_due()
            if request.with_subject_ids:
                await self._name(call, part, deadline)
            await send(part.SerializeToString())
        await send(v1.BreachReportResponse(summary=search.summary()).SerializeToString())

    async def _name(self, call: Call, part: v1.BreachReportResponse, deadline: float) -> None:
        """Write the callers' own names of subjects into a part of a report, by calls that are decided and noted like any other."""
        uids = sorted({row.subject_uid for row in part.rows})
        names: dict[bytes, str] = {}
        for begin in range(0, len(uids), AT_ONCE):
            names |= await self._names(call, uids[begin : begin + AT_ONCE], deadline)
        for row in part.rows:
            row.subject_id = names.get(row.subject_uid, "")

    async def _names(self, call: Call, uids: Sequence[bytes], deadline: float) -> dict[bytes, str]:
        until = min(deadline, time.monotonic() + _NAMING_S)
        naming = Call(call.caller, NAME_SUBJECTS, call.context, NameSubjects(uids), call.policy, until)
        answer = v1.BreachReportResponse.FromString(await self._dispatcher.run(naming, len(uids)))
        return {row.subject_uid: row.subject_id for row in answer.rows}


_END = object()
