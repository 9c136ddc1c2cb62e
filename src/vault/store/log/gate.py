"""The gate: a tenant's keys are given to nobody while its audit log is not in order."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from vault.errors import VaultError
from vault.kms.key_manager import Anchored, KeyManager, KmsDeniedError, KmsSealedError, KmsUnavailableError
from vault.store.engine import reading
from vault.store.faults import DATABASE_ERRORS, translate
from vault.store.log.check import Verified, check_log
from vault.store.log.committed import CommittedLeaves
from vault.store.log.late import MAX_ANCHOR_AGE_S, MISSING, PENDING, UNANCHORED, Late, has_unanchored, has_waiting, holds
from vault.v1 import common_pb2

_PATIENCE_S = 5.0
_MEMORY_S = 10.0
"""How long something late is remembered for the next look."""
_MORE_LOOKS = 2
"""At the most, when keys are loaded: what waited to be integrated waits to be anchored next, and that is no second time."""
_RECOVERY_S = 10.0
"""How long after the KMS did not answer it may take until logs of tenants that are served are anchored again."""


class Sizes(NamedTuple):
    """What a look at a log that is in order showed: how many entries are anchored, and how many published."""

    anchored: int
    published: int


class _Look(NamedTuple):
    seen: Sizes
    late: list[Late]


class _Doubt(NamedTuple):
    """Since when something was late at each look, and at which look last."""

    since: float
    last: float


class LogGate:
    """Checks logs; shared by threads. What it refuses is a tenant, not the server."""

    def __init__(
        self,
        engine: sa.Engine,
        key_manager: KeyManager,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin as for a process that does not wait for an integrator.

        Args:
            engine: of the database.
            key_manager: whose anchors are compared.
            sleep: is between two looks at a log in which something is late.
            clock: monotonic seconds, those of the runner.
        """
        self._engine = engine
        self._key_manager = key_manager
        self._sleep = sleep
        self._clock = clock
        self._lock = threading.Lock()
        self._public_keys: dict[bytes, bytes] = {}
        self._anchors: dict[bytes, Anchored] = {}
        self._unanswered: dict[bytes, float] = {}
        self._doubts: dict[bytes, dict[Late, _Doubt]] = {}
        self._committed = CommittedLeaves(MAX_ANCHOR_AGE_S, clock)
        self.expects_integration = False
        """Whether what is late closes the gate (``late``): where a server is to integrate and to anchor."""
        self.on_asked: Callable[[bytes, VaultError | None], None] = lambda _tenant_uid, _refusal: None
        """Called by ``watch`` with how the KMS answered it, where it goes on without an answer too."""

    def check(self, tenant_uid: bytes) -> None:
        """Refuse keys unless the tenant's log is in order. Looks again, after a pause, where something is late for the first time.

        Raises:
            VaultError: LOG_BEHIND_ANCHOR, LOG_STALLED, INTEGRITY; KMS_UNAVAILABLE, KMS_SEALED, KMS_DENIED; DATABASE_UNAVAILABLE.
        """
        late = self._check(tenant_uid)
        confirmed = self._confirmed(tenant_uid)
        for _ in range(_MORE_LOOKS):
            if confirmed or not late:
                break
            self._sleep(max(one.pause_s for one in late))
            before, late = late, self._check(tenant_uid)
            confirmed = next((one for one in late if one in before), None)
        if late:
            raise (confirmed or late[0]).error()

    def watch(self, tenant_uid: bytes) -> Sizes:
        """Look once at the log of a tenant that is served; to be called every few seconds.

        What is late is refused when it was at an earlier look too. A KMS that does not answer is none of the log's faults: the
        anchor of the last look takes its place, and nothing has to be anchored until the KMS has been back for a while.

        Raises:
            VaultError: as ``check``; of the KMS's only if there was no look before.
        """
        try:
            anchor = self._read_anchor(tenant_uid)
        except (KmsUnavailableError, KmsSealedError, KmsDeniedError) as error:
            anchor = self._anchors.get(tenant_uid)
            if anchor is None:
                raise
            self._unanswered[tenant_uid] = self._clock()
            self.on_asked(tenant_uid, error)
        else:
            self.on_asked(tenant_uid, None)
        is_back = self._clock() - self._unanswered.get(tenant_uid, -_RECOVERY_S) >= _RECOVERY_S
        look = self._look(tenant_uid, anchor, must_be_anchored=is_back)
        confirmed = self._confirmed(tenant_uid)
        if confirmed:
            raise confirmed.error()
        return look.seen

    def committed(self, began: float, last_hashes: Mapping[bytes, bytes]) -> None:
        """This node has certainly committed leaves, and answers for them (``CommittedLeaves.note``)."""
        self._committed.note(began, last_hashes)

    def public_key(self, tenant_uid: bytes) -> bytes:
        """The public key of a tenant's log, which never changes: the KMS is asked once.

        Raises:
            VaultError: KMS_UNAVAILABLE, KMS_SEALED, KMS_DENIED.
        """
        if tenant_uid not in self._public_keys:
            self._public_keys[tenant_uid] = self._key_manager.log_public_key(tenant_uid)
        return self._public_keys[tenant_uid]

    def _check(self, tenant_uid: bytes) -> list[Late]:
        return self._look(tenant_uid, self._read_anchor(tenant_uid), must_be_anchored=True).late

    def _read_anchor(self, tenant_uid: bytes) -> Anchored | None:
        self.public_key(tenant_uid)
        return self._key_manager.read_anchor(tenant_uid)

    def _look(self, tenant_uid: bytes, anchor: Anchored | None, *, must_be_anchored: bool) -> _Look:
        late: list[Late] = []
        try:
            with reading(self._engine, _PATIENCE_S) as connection:
                verified = check_log(connection, tenant_uid, anchor, self.public_key(tenant_uid))
                if verified.forged:
                    raise VaultError(
                        common_pb2.ERROR_REASON_INTEGRITY,
                        "the audit log's published checkpoint is none that it has signed; nothing is served until it is replaced",
                    )
                if self.expects_integration:
                    late = self._late(connection, verified, must_be_anchored=must_be_anchored)
        except DATABASE_ERRORS as error:
            raise translate(error) from None
        self._remember(verified, late)
        return _Look(Sizes(verified.anchored.size, verified.head.checkpoint_size), late)

    def _late(self, connection: sa.Connection, verified: Verified, *, must_be_anchored: bool) -> list[Late]:
        """All that is late, not only the first: one thing that comes and goes must not hide that another stays."""
        tenant_uid, late = verified.head.tenant_uid, []
        if has_waiting(connection, tenant_uid):
            late.append(PENDING)
        if must_be_anchored and has_unanchored(connection, verified):
            late.append(UNANCHORED)
        due = self._committed.due(tenant_uid)
        if due and not holds(connection, tenant_uid, verified.anchored if must_be_anchored else verified.head, due):
            late.append(MISSING)
        elif due and must_be_anchored:
            self._committed.found(tenant_uid, due)
        return late

    def _remember(self, verified: Verified, late: list[Late]) -> None:
        tenant_uid, now = verified.head.tenant_uid, self._clock()
        self._committed.mark(tenant_uid, verified.head.size)
        with self._lock:
            known = self._anchors.get(tenant_uid)
            if known is None or known.version < verified.anchor.version:
                self._anchors[tenant_uid] = verified.anchor
            known_doubts = self._doubts.pop(tenant_uid, {})
            fresh = {one: doubt for one, doubt in known_doubts.items() if now - doubt.last <= _MEMORY_S}
            if late:
                self._doubts[tenant_uid] = {one: _Doubt(fresh[one].since if one in fresh else now, now) for one in late}

    def _confirmed(self, tenant_uid: bytes) -> Late | None:
        """What was late at the last look, and so long before that a server would have done it since."""
        with self._lock:
            doubts, now = self._doubts.get(tenant_uid, {}), self._clock()
            return next((late for late, doubt in doubts.items() if now - doubt.since >= late.pause_s), None)
