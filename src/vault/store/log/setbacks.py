"""Logs that failed: when each is tried again. A growing pause keeps them from holding up those that are in order."""

from collections.abc import Callable
from dataclasses import dataclass

FIRST_PAUSE_S = 0.2
MAX_PAUSE_S = 5.0


@dataclass
class _Setback:
    count: int = 0
    again_at: float = 0.0
    reason: str = ""


class Setbacks:
    """Used by one thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin with none; ``clock`` gives monotonic seconds."""
        self._clock = clock
        self._found: dict[bytes, _Setback] = {}

    def note(self, tenant_uid: bytes, reason: str = "") -> bool:
        """Note that a log failed, once more perhaps: it is tried again at once the first time, then after a growing pause.

        Args:
            tenant_uid: whose log.
            reason: that of the error, if the log is not in order or can't be verified.

        Returns:
            Whether this is news.
        """
        setback = self._found.setdefault(tenant_uid, _Setback())
        is_news = setback.count == 0 or (reason != setback.reason and reason != "")
        pause_s = min(MAX_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(setback.count - 1, 10)) if setback.count else 0.0
        setback.count, setback.again_at, setback.reason = setback.count + 1, self._clock() + pause_s, reason
        return is_news

    def excuse(self, tenant_uid: bytes) -> None:
        """A log is in order after all; it has still to show that it grows."""
        if tenant_uid in self._found:
            self._found[tenant_uid].reason = ""

    def clear(self, tenant_uid: bytes) -> None:
        """A log grew."""
        self._found.pop(tenant_uid, None)

    def has(self, tenant_uid: bytes) -> bool:
        """Whether a log failed and has not grown since."""
        return tenant_uid in self._found

    def due_at(self, tenant_uid: bytes) -> float:
        """When a log is to be tried next; 0 for one that did not fail."""
        setback = self._found.get(tenant_uid)
        return setback.again_at if setback else 0.0

    def is_due(self, tenant_uid: bytes) -> bool:
        """Whether a log may be tried now."""
        return self.due_at(tenant_uid) <= self._clock()

    def reasons(self) -> dict[bytes, str]:
        """The logs that are not in order or can't be verified, with the reason."""
        return {tenant_uid: setback.reason for tenant_uid, setback in self._found.items() if setback.reason}
