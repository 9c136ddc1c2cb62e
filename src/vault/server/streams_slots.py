"""How many streams of one kind a tenant, and all tenants together, may have open. Used on the event loop only."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from vault.call import Call, Refused
from vault.errors import VaultError
from vault.v1 import common_pb2


class StreamSlots:
    """Counts open streams."""

    def __init__(self, each: int, together: int) -> None:
        """Make it: so many for each tenant, so many together."""
        self._each = each
        self._together = together
        self._open = Counter[bytes]()

    @contextmanager
    def taken_by(self, call: Call) -> Iterator[None]:
        """Count a stream while it is open; one too many is refused as calls are: with an event that says so."""
        tenant = call.caller.tenant_uid
        if self._open[tenant] >= self._each or self._open.total() >= self._together:
            call.use_case = Refused(
                VaultError(
                    common_pb2.ERROR_REASON_OVERLOADED,
                    f"the tenant has {self._each} such streams open, or all tenants {self._together}; end one",
                    retry_after_s=5.0,
                )
            )
        self._open[tenant] += 1
        try:
            yield
        finally:
            self._open[tenant] -= 1
            if not self._open[tenant]:
                del self._open[tenant]
