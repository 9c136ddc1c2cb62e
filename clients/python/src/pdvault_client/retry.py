"""When a failed call is tried again: bounded attempts, exponential backoff with full jitter, never past the deadline.

Only UNAVAILABLE is retried, and the CANCELLED that gRPC itself makes of a server's last calls: every other status would be the
same again, or is the caller's to decide. gRPC's own retries are off, so that attempts do not multiply.
"""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pdvault_client.errors import UnavailableError

MAX_TIMEOUT_S = 60.0
"""The server refuses a deadline that is further away."""

MAX_STREAM_S = 600.0
"""The same for an answer in parts."""

_log = logging.getLogger("pdvault_client")
_random = random.SystemRandom()

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a call is tried again after UNAVAILABLE.

    Attributes:
        attempts: how often it is tried in all; 1 never retries.
        base_s: the first wait is random between 0 and this; each further bound is twice the one before.
        cap_s: the highest such bound. What the server asks for in RetryInfo comes on top.
    """

    attempts: int = 5
    base_s: float = 0.1
    cap_s: float = 2.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.base_s < 0 or self.cap_s < 0:
            raise ValueError("attempts must be at least 1, base_s and cap_s at least 0")

    def bound_s(self, failures: int) -> float:
        """The longest random wait after that many failures, counted from 1."""
        return min(self.cap_s, self.base_s * 2.0 ** min(failures - 1, 32))


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, so that tests need neither."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    uniform: Callable[[float, float], float] = _random.uniform


SYSTEM_CLOCK = Clock()


def checked_timeout(timeout_s: float, longest_s: float = MAX_TIMEOUT_S) -> float:
    """The timeout, if the server would take it.

    Raises:
        ValueError: it is not above 0 and at most ``longest_s``.
    """
    if not 0 < timeout_s <= longest_s:
        raise ValueError(f"timeout_s must be above 0 and at most {longest_s:.0f}, not {timeout_s}")
    return timeout_s


def retrying(attempt: Callable[[float], T], timeout_s: float, policy: RetryPolicy, clock: Clock = SYSTEM_CLOCK) -> T:
    """Make attempts until one succeeds.

    Args:
        attempt: makes one attempt within the seconds it is given.
        timeout_s: seconds for all attempts and waits together.
        policy: how often and how fast.
        clock: time and chance.

    Raises:
        VaultError: the last attempt's error: any but UNAVAILABLE at once, UNAVAILABLE when attempts are used up or the next one
            would begin after the deadline.
    """
    end = clock.now() + timeout_s
    for failures in range(1, policy.attempts + 1):
        try:
            return attempt(end - clock.now())
        except UnavailableError as error:
            wait_s = (error.retry_after_s or 0.0) + clock.uniform(0.0, policy.bound_s(failures))
            if failures == policy.attempts or clock.now() + wait_s >= end:
                raise
            _log.info("attempt %d of request %s failed (%s)", failures, error.request_id, error.reason or "no connection")
        clock.sleep(wait_s)
    raise AssertionError("unreachable: the last attempt returns or raises")
