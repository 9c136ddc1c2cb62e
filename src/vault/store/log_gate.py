"""The gate: a tenant's keys are given to nobody while its audit log is not in order."""

import time
from collections.abc import Callable

import sqlalchemy as sa

from vault.errors import VaultError
from vault.kms.key_manager import KeyManager
from vault.store import tables as t
from vault.store.engine import reading
from vault.store.faults import DATABASE_ERRORS, translate
from vault.store.log_check import check_log
from vault.store.queries import now_us
from vault.v1 import common_pb2

MAX_PENDING_S = 10.0
"""How old an event may get by the database's clock before it is in the log."""
_PATIENCE_S = 5.0
_SECOND_LOOK_S = 1.0
"""An event of a transaction that took long is old when it appears; within this time the integrator takes it."""


class LogGate:
    """Checks logs; shared by threads. What it refuses is a tenant, not the server."""

    def __init__(self, engine: sa.Engine, key_manager: KeyManager, sleep: Callable[[float], None] = time.sleep) -> None:
        """Begin as for a process that does not wait for an integrator; ``sleep`` is between two looks at an old event."""
        self._engine = engine
        self._key_manager = key_manager
        self._sleep = sleep
        self._public_keys: dict[bytes, bytes] = {}
        self.expects_integration = False
        """Whether events that wait for longer than ``MAX_PENDING_S`` close the gate: where a server is to integrate them."""

    def check(self, tenant_uid: bytes) -> None:
        """Refuse unless the tenant's log is in order.

        Raises:
            VaultError: LOG_BEHIND_ANCHOR, LOG_STALLED, INTEGRITY; KMS_UNAVAILABLE, KMS_SEALED, KMS_DENIED; DATABASE_UNAVAILABLE.
        """
        public_key = self.public_key(tenant_uid)
        anchor = self._key_manager.read_anchor(tenant_uid)
        try:
            with reading(self._engine, _PATIENCE_S) as connection:
                verified = check_log(connection, tenant_uid, anchor, public_key)
            if verified.forged:
                raise VaultError(
                    common_pb2.ERROR_REASON_INTEGRITY,
                    "the audit log's published checkpoint is none that it has signed; nothing is served until it is replaced",
                )
            if self.expects_integration:
                self._check_age(tenant_uid)
        except DATABASE_ERRORS as error:
            raise translate(error) from None

    def public_key(self, tenant_uid: bytes) -> bytes:
        """The public key of a tenant's log, which never changes: the KMS is asked once.

        Raises:
            VaultError: KMS_UNAVAILABLE, KMS_SEALED, KMS_DENIED.
        """
        if tenant_uid not in self._public_keys:
            self._public_keys[tenant_uid] = self._key_manager.log_public_key(tenant_uid)
        return self._public_keys[tenant_uid]

    def _check_age(self, tenant_uid: bytes) -> None:
        if self._too_old(tenant_uid):
            self._sleep(_SECOND_LOOK_S)
            if self._too_old(tenant_uid):
                raise VaultError(
                    common_pb2.ERROR_REASON_LOG_STALLED,
                    f"audit events have waited for more than {MAX_PENDING_S:.0f} s to be added to the log, so nothing is released; "
                    "the operator must find out why the integrator stands still",
                    retry_after_s=_SECOND_LOOK_S,
                )

    def _too_old(self, tenant_uid: bytes) -> bool:
        c = t.audit_pending.c
        with reading(self._engine, _PATIENCE_S) as connection:
            oldest = connection.scalar(sa.select(sa.func.min(c.time_us)).where(c.tenant_uid == tenant_uid))
            return oldest is not None and now_us(connection) - oldest > MAX_PENDING_S * 1e6
