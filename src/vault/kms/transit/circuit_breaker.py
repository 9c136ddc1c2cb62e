"""A circuit breaker: stops calling a service that keeps failing, and lets one call at a time find out whether it is back."""

import threading
import time
from collections.abc import Callable


class CircuitBreaker:
    """Open after ``threshold`` failures in a row; then one probe every ``open_s`` seconds until one succeeds. Thread-safe.

    A probe that never reports back costs one more waiting time, no more: admitting it starts that time anew.
    """

    def __init__(self, threshold: int, open_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._threshold = threshold
        self._open_s = open_s
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._probe_at = 0.0

    def admit(self) -> float:
        """0 if the caller may go on; it then reports ``succeeded`` or ``failed``. Otherwise the seconds to wait."""
        with self._lock:
            if self._failures < self._threshold:
                return 0.0
            now = self._clock()
            if now < self._probe_at:
                return self._probe_at - now
            self._probe_at = now + self._open_s
            return 0.0

    def succeeded(self) -> None:
        """The service answered: close."""
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        """The service did not answer: count, and open or stay open from the threshold on."""
        with self._lock:
            self._failures += 1
            if self._failures >= self._threshold:
                self._probe_at = self._clock() + self._open_s
