"""A tenant's keys in a node's memory: unwrapped by the KMS, kept for at most ``key_cache_ttl``, then gone.

Only epoch, index and authority keys are kept here, a handful a tenant. Subject keys never are: they are read with the rows that
need them, so that an erased subject is unreadable at once.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vault.crypto.keys import Key

EPOCH, INDEX, AUTHORITY = "epoch", "index", "authority"


class KeysMissingError(Exception):
    """A tenant's keys are not in memory, or no longer the right ones: fetch them and decide again."""

    def __init__(self, tenant_uid: bytes) -> None:
        super().__init__("keys not in memory")
        self.tenant_uid = tenant_uid


@dataclass(frozen=True, eq=False)
class Authority:
    """A tenant's authority keys by version; ``current`` seals, all of them check."""

    current: int
    keys: Mapping[int, Key]


@dataclass(frozen=True)
class TenantKeys:
    """The unwrapped keys of one tenant at one key generation.

    ``endorsement`` is the log key's signature over the announcement of boot ``boot_id`` (audit/chain.py). ``kek_version`` is the
    newest version of the KEK that wrapped one of these keys, as the KMS has opened it.
    """

    tenant_uid: bytes
    generation: int
    epochs: Mapping[int, Key]
    indexes: Mapping[int, Key]
    authority: Authority
    boot_id: bytes
    endorsement: bytes
    kek_version: int

    def epoch(self, version: int) -> Key:
        """The epoch key of a version.

        Raises:
            KeysMissingError: it is not among those fetched.
        """
        if version not in self.epochs:
            raise KeysMissingError(self.tenant_uid)
        return self.epochs[version]

    def index(self, version: int) -> Key:
        """The index key of a version; see ``epoch``."""
        if version not in self.indexes:
            raise KeysMissingError(self.tenant_uid)
        return self.indexes[version]


class KeyCache:
    """Tenants' keys with an expiry. Safe to share between threads."""

    def __init__(self, ttl_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._ttl_s = ttl_s
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[bytes, tuple[float, TenantKeys]] = {}
        self._newest: dict[bytes, int] = {}

    def get(self, tenant_uid: bytes) -> TenantKeys:
        """The tenant's keys.

        Raises:
            KeysMissingError: never fetched, dropped or expired.
        """
        with self._lock:
            until, keys = self._entries.get(tenant_uid, (0.0, None))
            if keys is None or self._clock() >= until:
                self._entries.pop(tenant_uid, None)
                raise KeysMissingError(tenant_uid)
            return keys

    def endorsement(self, tenant_uid: bytes, boot_id: bytes) -> bytes | None:
        """The log key's signature over this boot's announcement, if it is here."""
        with self._lock:
            _, keys = self._entries.get(tenant_uid, (0.0, None))
        return keys.endorsement if keys and keys.boot_id == boot_id else None

    def tenants(self) -> list[bytes]:
        """Whose keys are here."""
        with self._lock:
            return list(self._entries)

    def put(self, keys: TenantKeys) -> None:
        """Keep keys just fetched for the time to live, unless newer ones were here before: nobody goes back to a generation."""
        with self._lock:
            if keys.generation < self._newest.get(keys.tenant_uid, 0):
                return
            self._newest[keys.tenant_uid] = keys.generation
            self._entries[keys.tenant_uid] = (self._clock() + self._ttl_s, keys)

    def drop(self, tenant_uid: bytes) -> None:
        """Forget a tenant's keys."""
        with self._lock:
            self._entries.pop(tenant_uid, None)

    def outdate(self, tenant_uid: bytes, generation: int) -> None:
        """Forget a tenant's keys, and from now on keep none of before this generation."""
        with self._lock:
            self._newest[tenant_uid] = max(generation, self._newest.get(tenant_uid, 0))
            self._entries.pop(tenant_uid, None)

    def clear(self) -> None:
        """Forget every tenant's keys."""
        with self._lock:
            self._entries.clear()

    def sweep(self) -> None:
        """Forget what has expired, so that an idle tenant's keys do not linger in memory."""
        with self._lock:
            now = self._clock()
            self._entries = {uid: entry for uid, entry in self._entries.items() if now < entry[0]}
