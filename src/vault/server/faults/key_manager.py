"""A KeyManager that fails on purpose: it raises what Transit's session raises for the same fault, or delegates."""

import time
from collections.abc import Callable
from typing import Any, Final, cast

from vault.errors import VaultError
from vault.kms.key_manager import KeyManager, KmsDeniedError, KmsSealedError, KmsUnavailableError
from vault.kms.transit.link import SEALED_RETRY_AFTER_S
from vault.server.faults.catalogue import SLOW_KMS_S, Fault, Faults

_ASKS_NOBODY: Final = frozenset({"proves_destruction", "close"})
_REFUSALS: Final[dict[Fault, Callable[[], VaultError]]] = {
    Fault.KMS_DOWN: lambda: KmsUnavailableError(
        "the KMS is unavailable: it cannot be reached, or the connection broke", retry_after_s=3.0
    ),
    Fault.KMS_SEALED: lambda: KmsSealedError("the KMS is sealed: unseal it", retry_after_s=SEALED_RETRY_AFTER_S),
    Fault.KMS_DENIED: lambda: KmsDeniedError("the KMS refuses the vault's login (status 403): check role and credentials"),
    Fault.KMS_RATE_LIMITED: lambda: KmsUnavailableError("the KMS is unavailable: it answered with status 429", retry_after_s=2.0),
}


class _FaultyKeyManager:
    """Every method of a KeyManager, whichever it has, asks first which faults are on."""

    def __init__(self, key_manager: KeyManager, faults: Faults) -> None:
        self._key_manager = key_manager
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._key_manager, name)
        return found if name in _ASKS_NOBODY else self._failing(found)

    def _failing(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*arguments: Any, **named: Any) -> Any:
            if Fault.KMS_SLOW in self._faults():
                time.sleep(SLOW_KMS_S)  # the fault itself
            on = self._faults()
            for fault, refusal in _REFUSALS.items():
                if fault in on:
                    raise refusal()
            return method(*arguments, **named)

        return ask


def faulty(key_manager: KeyManager, faults: Faults) -> KeyManager:
    """The same KeyManager with faults, which ``faults`` says before each use."""
    return cast(KeyManager, _FaultyKeyManager(key_manager, faults))
