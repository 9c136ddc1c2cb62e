"""What the KMS refused a moment ago. However many calls want a tenant's keys, it is not asked for them again at once.

An open circuit breaker keeps calls from a KMS that does not answer. This keeps them from one that does, and says no.
"""

import time
from collections.abc import Callable
from secrets import SystemRandom
from typing import Final

from vault.errors import VaultError
from vault.kms.key_manager import KmsDeniedError, KmsSealedError, KmsUnavailableError

PAUSE_S: Final = (0.5, 1.5)
"""A random time between these, so that tenants and nodes do not come at once; no longer than the refusal itself says."""
_random = SystemRandom()


class Refusals:
    """Refusals by tenant. Used by one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with none; ``clock`` gives monotonic seconds."""
        self._clock = clock
        self._found: dict[bytes, tuple[float, VaultError]] = {}

    def note(self, tenant_uid: bytes, error: VaultError) -> None:
        """Note why a tenant's keys can't be had. Only a KMS's refusal is remembered."""
        if isinstance(error, KmsUnavailableError | KmsSealedError | KmsDeniedError):
            pause_s = _random.uniform(*PAUSE_S)
            self._found[tenant_uid] = (self._clock() + min(pause_s, error.retry_after_s or pause_s), error)

    def check(self, tenant_uid: bytes) -> None:
        """Refuse what the KMS has just refused.

        Raises:
            VaultError: the same as then.
        """
        until, error = self._found.get(tenant_uid, (0.0, None))
        if error is None:
            return
        if self._clock() < until:
            raise error.with_traceback(None)
        del self._found[tenant_uid]
