"""How many streams of one kind a tenant, and all tenants together, may have open.

A place is given where the call is decided, to who was admitted and permitted: calls that are refused hold none, however many a
tenant makes of them, so that nobody's refused calls keep auditors out. One too many is refused there too, with an event that
says so.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from google.protobuf.message import Message

from vault.admission import Admitted
from vault.call import Call, UseCase
from vault.errors import VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Reads
from vault.v1 import common_pb2


class StreamSlots:
    """Counts open streams. Safe to share between threads: calls are decided in the lane, streams end on the event loop."""

    def __init__(self, each: int, together: int) -> None:
        """Make it: so many for each tenant, so many together."""
        self._each = each
        self._together = together
        self._open = Counter[bytes]()
        self._changing = threading.Lock()

    @contextmanager
    def kept_for(self, call: Call) -> Iterator[None]:
        """Let a call take a place when it is decided, and have it back at the end of the block."""
        place = _Place(self, call)
        call.use_case = place
        try:
            yield
        finally:
            place.leave()

    def take(self, tenant_uid: bytes) -> None:
        """Count a stream as open.

        Raises:
            VaultError: OVERLOADED.
        """
        with self._changing:
            if self._open[tenant_uid] >= self._each or self._open.total() >= self._together:
                raise VaultError(
                    common_pb2.ERROR_REASON_OVERLOADED,
                    f"the tenant has {self._each} such streams open, or all tenants {self._together}; end one",
                    retry_after_s=5.0,
                )
            self._open[tenant_uid] += 1

    def give_back(self, tenant_uid: bytes) -> None:
        """Count one stream less."""
        with self._changing:
            self._open[tenant_uid] -= 1
            if not self._open[tenant_uid]:
                del self._open[tenant_uid]


class _Place:
    """A stream's use case that takes a place once all else is decided; once, however often it is decided."""

    def __init__(self, slots: StreamSlots, call: Call) -> None:
        self._slots = slots
        self._tenant_uid = call.caller.tenant_uid
        self._use_case: UseCase = call.use_case
        self._changing = threading.Lock()
        self._is_taken = self._has_left = False

    def reads(self, keys: TenantKeys) -> Reads:
        """What the stream's own use case reads."""
        return self._use_case.reads(keys)

    def decide(self, admitted: Admitted) -> Message:
        """What the stream's own use case decides."""
        answer = self._use_case.decide(admitted)
        with self._changing:
            if not (self._is_taken or self._has_left):
                self._slots.take(self._tenant_uid)
                self._is_taken = True
        return answer

    def leave(self) -> None:
        """Give the place back; a caller that has gone takes none if the lane gets to its call only now."""
        with self._changing:
            if self._is_taken:
                self._slots.give_back(self._tenant_uid)
            self._is_taken, self._has_left = False, True
