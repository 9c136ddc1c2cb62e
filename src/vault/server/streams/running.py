"""The streams of AuditService: which there are, how many of each may be open, and what runs them."""

from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from typing import NamedTuple

from vault.call import Call
from vault.kms.tenant_keys import KeyCache
from vault.server.audit_methods import STREAMS
from vault.server.audit_service import AuditService
from vault.server.dispatcher import Dispatcher
from vault.server.streams.closing import Closings
from vault.server.streams.heads import HeadWatch
from vault.server.streams.recheck import Recheck
from vault.server.streams.reports import Reports
from vault.server.streams.slots import StreamSlots
from vault.server.streams.tail import Send, Tails
from vault.store.runner import Answer
from vault.store.runner import Call as AnyCall

TAILS_EACH, TAILS = 16, 500
REPORTS_EACH, REPORTS = 2, 4
"""Open at once: of one tenant, and of all. A report may need much memory."""

Run = Callable[[Call, bytes, float, Send], Awaitable[None]]
"""(call, resolved request, deadline in monotonic seconds, send) → when all is sent; may raise VaultError."""


class Stream(NamedTuple):
    """One kind of stream."""

    run: Run
    slots: StreamSlots


class Streams:
    """Runs streams. Used on the event loop only."""

    def __init__(
        self,
        audit: AuditService,
        dispatcher: Dispatcher,
        keys: KeyCache,
        submit: "Callable[[AnyCall, int], Future[Answer]]",
    ) -> None:
        """Make it; ``submit`` gives the lane events that are due when streams end."""
        self._closings = Closings(submit)
        recheck = Recheck(audit, dispatcher, keys)
        self._tails = Tails(audit, HeadWatch(audit.sizes), recheck, self._closings)
        reports, slots = Reports(audit, dispatcher, recheck), StreamSlots(REPORTS_EACH, REPORTS)
        runs: Mapping[str, Stream] = {
            "Tail": Stream(self._tails.run, StreamSlots(TAILS_EACH, TAILS)),
            "BreachReport": Stream(reports.breach, slots),
            "Export": Stream(reports.export, slots),
        }
        self.by_method = {method.name: runs[method.name] for method in STREAMS}

    @property
    def are_closing(self) -> bool:
        """Whether events of streams that have ended are still to be written."""
        return self._closings.are_due

    def end(self) -> None:
        """End the streams that would go on for ever: the server is shutting down."""
        self._tails.end()
