"""Calls that ended without an event of their own, counted until one event tells of them all.

Most calls, refused ones too, leave an event. These can't: nobody knows whose they are, or there is no room for them (overload,
shutdown), no time left (the deadline passed, the caller went), or no database to write to. Who and what is counted is bounded,
so that nobody can fill memory or a log with calls that are refused.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

from vault.administration import Act
from vault.audit.actions import CALLS_REFUSED, UNAUTHENTICATED_CALLS
from vault.audit.events import SYSTEM_TENANT, Caller
from vault.errors import VaultError
from vault.store.runner import CALLER_GONE, Call

OTHERS: Final = "others"
"""In a name's place: what came when there were enough names already."""

MAX_NAMES: Final = 100
"""Told apart in one event: with the longest principals' names some 32 KiB, and so half of what a leaf may hold."""

MAX_ALL_NAMES: Final = 10_000
"""Told apart in all logs together: a few MB of memory."""

_Log = tuple[bytes, str]


class Tally(NamedTuple):
    """What one event is to tell: how many calls under each name, and in whose log."""

    tenant_uid: bytes
    action: str
    counts: Mapping[str, int]


class Unheard:
    """The counts. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[_Log, Counter[str]] = {}
        self._names = 0

    def refused(self, call: Call, reason: str) -> None:
        """Count a call that the lane or the runner ended without an event. An act of the vault's own is no call."""
        if not isinstance(call, Act):
            self._count((call.head.tenant_uid, CALLS_REFUSED), f"{call.action} {reason} {call.head.principal}")

    def stranger(self, method: str, reason: str) -> None:
        """Count a call of nobody known."""
        self._count((SYSTEM_TENANT, UNAUTHENTICATED_CALLS), f"{method} {reason}")

    @contextmanager
    def counting(self, caller: Caller, method: str) -> Iterator[None]:
        """Count the call if what is done in this block for it fails: it has no event yet, and now gets none."""
        try:
            yield
        except BaseException as error:
            self._count((caller.tenant_uid, CALLS_REFUSED), f"{method} {_reason(error)} {caller.name}")
            raise

    def tallies(self) -> list[Tally]:
        """What there is to tell, an event each. It stays counted until it is told."""
        with self._lock:
            return [Tally(tenant_uid, action, dict(counts)) for (tenant_uid, action), counts in self._counts.items()]

    def told(self, tally: Tally) -> None:
        """Forget what an event has told, now that it is committed; what came meanwhile stays."""
        log = (tally.tenant_uid, tally.action)
        with self._lock:
            before = self._counts.pop(log)
            left = before - Counter(tally.counts)
            self._names -= len(before) - len(left)
            if left:
                self._counts[log] = left

    def _count(self, log: _Log, name: str) -> None:
        with self._lock:
            counts = self._counts.setdefault(log, Counter())
            if name not in counts and (len(counts) >= MAX_NAMES or self._names >= MAX_ALL_NAMES):
                name = OTHERS
            self._names += name not in counts
            counts[name] += 1


def _reason(error: BaseException) -> str:
    if isinstance(error, VaultError):
        return error.reason_name
    return CALLER_GONE if isinstance(error, asyncio.CancelledError) else "INTERNAL"
