"""Calls that wait for the lane: first come, first served within a tenant, one tenant after the other between them.

Nobody's calls can keep another tenant's from the next transaction. A request that is sent twice at once is let in once a
group: its second copy would collide with the first and split the group.
"""

import threading
from collections import OrderedDict, deque
from concurrent.futures import Future
from typing import NamedTuple

from vault.errors import VaultError
from vault.store.runner import Answer, Call
from vault.v1 import common_pb2

MAX_GROUP = 200
"""Calls in one transaction."""
MAX_GROUP_WEIGHT = 4000
"""Items in one transaction, where a call of more goes alone."""


class Waiting(NamedTuple):
    """A call, its weight in items, and where its answer goes."""

    call: Call
    weight: int
    future: "Future[Answer]"

    @property
    def claim(self) -> tuple[bytes, str, bytes] | None:
        """What two calls of one group must not share; nothing for the vault's own acts, which no request asked for."""
        head = self.call.head
        return (head.tenant_uid, head.principal, head.request_id) if head.request_id else None


class Waitlist:
    """A queue with a lane for each tenant. Safe to share between threads."""

    def __init__(self, places: int) -> None:
        """Make it; of ``places`` in all, one tenant may take half."""
        self._places = places
        self._tenants: OrderedDict[bytes, deque[Waiting]] = OrderedDict()
        self._count = 0
        self._ending = False
        self._changed = threading.Condition()

    def put(self, entry: Waiting) -> None:
        """Let a call wait.

        Raises:
            VaultError: OVERLOADED if no place is left, SHUTTING_DOWN after ``end``.
        """
        with self._changed:
            if self._ending:
                raise VaultError(
                    common_pb2.ERROR_REASON_SHUTTING_DOWN, "the server is shutting down; retry elsewhere", retry_after_s=1.0
                )
            own = self._tenants.setdefault(entry.call.head.tenant_uid, deque())
            if self._count >= self._places or len(own) >= max(1, self._places // 2):
                raise VaultError(
                    common_pb2.ERROR_REASON_OVERLOADED, "more calls are waiting than the server takes", retry_after_s=1.0
                )
            own.append(entry)
            self._count += 1
            self._changed.notify()

    def end(self) -> None:
        """Let nobody else in; whoever waits is still served."""
        with self._changed:
            self._ending = True
            self._changed.notify()

    def take(self) -> list[Waiting]:
        """Wait for calls, then take as many as make a group; empty when all are served after ``end``."""
        with self._changed:
            self._changed.wait_for(lambda: self._count or self._ending)
            return self._group()

    def _group(self) -> list[Waiting]:
        group: list[Waiting] = []
        claims: set[tuple[bytes, str, bytes] | None] = set()
        weight = 0
        turns = deque(self._tenants)
        while turns and len(group) < MAX_GROUP:
            tenant = turns.popleft()
            own = self._tenants[tenant]
            if own and own[0].claim not in claims and (not group or weight + own[0].weight <= MAX_GROUP_WEIGHT):
                entry = own.popleft()
                group.append(entry)
                claims |= {entry.claim} - {None}
                weight += entry.weight
                turns.append(tenant)
        self._count -= len(group)
        if self._tenants:
            self._tenants.move_to_end(next(iter(self._tenants)))
        for tenant in [tenant for tenant, own in self._tenants.items() if not own]:
            del self._tenants[tenant]
        return group
