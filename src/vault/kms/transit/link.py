"""The line to Transit: one connection pool a thread, a time budget, retries with jitter, the circuit breaker."""

import threading
import time
import weakref
from collections.abc import Callable
from secrets import SystemRandom
from typing import Final

from vault.kms.key_manager import KmsSealedError, KmsUnavailableError
from vault.kms.transit.circuit_breaker import CircuitBreaker
from vault.kms.transit.config import TransitConfig
from vault.kms.transit.http import Reply, ReplyAdapter, TransportError

SEALED_RETRY_AFTER_S: Final = 10.0
"""A person unseals: sooner makes no sense."""

_ANSWERS: Final = frozenset({200, 204, 400, 403, 404})
_TOO_MANY: Final = 429
_BACKOFF_S: Final = 0.1
_random = SystemRandom()


class TransitLink:
    """Exchanges that are safe to repeat: encrypt, decrypt, sign, read, log in, creation of what may exist, check-and-set."""

    def __init__(self, config: TransitConfig) -> None:
        self._config = config
        self._breaker = CircuitBreaker(config.breaker_failures, config.breaker_open_s)
        self._quiet_until = 0.0
        self._local = threading.local()
        self._adapters: weakref.WeakSet[ReplyAdapter] = weakref.WeakSet()
        self._lock = threading.Lock()

    def start_budget(self) -> None:
        """From now on the calling thread's exchanges share one time budget (``TransitConfig.budget_s``)."""
        self._adapter().deadline = time.monotonic() + self._config.budget_s

    def remaining_s(self) -> float:
        """What is left of the calling thread's budget, in seconds."""
        return self._adapter().remaining_s()

    def exchange(self, token: str | None, send: Callable[[ReplyAdapter], Reply]) -> Reply:
        """One answer with status 200, 204, 400, 403 or 404, from at most 1 + ``TransitConfig.retries`` attempts.

        Args:
            token: what to authenticate with; None for a login.
            send: makes the request; must be safe to repeat, unless ``TransitConfig.retries`` is 0.

        Raises:
            KmsSealedError: the KMS is sealed.
            KmsUnavailableError: no answer within the budget, another status, or the breaker is open.
        """
        adapter = self._adapter()
        adapter.token = token
        why = ""
        for attempt in range(1 + self._config.retries):
            if attempt and not _pause(attempt, adapter):
                break
            self._admit(why)
            outcome = _attempt(adapter, send)
            if isinstance(outcome, Reply) and (outcome.status < 500 or outcome.is_sealed):
                self._breaker.succeeded()
                if outcome.status == _TOO_MANY:
                    self._quiet_until = time.monotonic() + (outcome.retry_after_s or 0.0)
                return _served(outcome)
            self._breaker.failed()
            why = outcome if isinstance(outcome, str) else f"it answered with status {outcome.status}"
        raise KmsUnavailableError(f"the KMS is unavailable: {why}", retry_after_s=self._config.breaker_open_s)

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for adapter in self._adapters:
                adapter.close()

    def _admit(self, why: str) -> None:
        if (wait_s := self._quiet_until - time.monotonic()) > 0:
            raise KmsUnavailableError("the KMS is unavailable: it was asked too often; not asked again yet", retry_after_s=wait_s)
        if wait_s := self._breaker.admit():
            why = why or "it failed several times in a row"
            raise KmsUnavailableError(f"the KMS is unavailable: {why}; not asked again yet", retry_after_s=wait_s)

    def _adapter(self) -> ReplyAdapter:
        """The calling thread's own: requests' sessions and hvac's adapters are not for several threads."""
        adapter: ReplyAdapter | None = getattr(self._local, "adapter", None)
        if adapter is None:
            adapter = self._local.adapter = ReplyAdapter(self._config)
            with self._lock:
                self._adapters.add(adapter)
        return adapter


def _pause(attempt: int, adapter: ReplyAdapter) -> bool:
    """Wait a random time (full jitter, doubling) before trying again; whether there is time left to try."""
    time.sleep(min(_random.uniform(0, _BACKOFF_S * 2**attempt), adapter.remaining_s()))
    return adapter.remaining_s() > 0


def _attempt(adapter: ReplyAdapter, send: Callable[[ReplyAdapter], Reply]) -> Reply | str:
    """The answer, or why there was none."""
    try:
        return send(adapter)
    except TransportError as error:
        return str(error)


def _served(reply: Reply) -> Reply:
    """An answer that means something to the caller; a redirect, a rate limit and the like do not."""
    if reply.is_sealed:
        raise KmsSealedError("the KMS is sealed: unseal it", retry_after_s=SEALED_RETRY_AFTER_S)
    if reply.status not in _ANSWERS:
        raise KmsUnavailableError(
            f"the KMS is unavailable: it answered with status {reply.status}", retry_after_s=reply.retry_after_s or 1.0
        )
    return reply
