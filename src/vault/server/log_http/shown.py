"""Which checkpoints of a log may be shown: those that auditors may have, but none older than one before.

Whoever may write to the database could put an older checkpoint back, of a log that was set back with it; nobody shall have it from
us. What was verified once is remembered, so that the next request for it costs nothing.
"""

import threading

import structlog

from vault.audit.merkle import root
from vault.auditing.log import AuditLog, Published
from vault.errors import VaultError
from vault.store.log.queries import altered
from vault.v1 import common_pb2

log = structlog.get_logger(__name__)


class Shown:
    """The newest checkpoint of each log that was shown. May be used by several threads."""

    def __init__(self) -> None:
        """Begin with none."""
        self._newest: dict[bytes, Published] = {}
        self._told: dict[bytes, str] = {}
        self._lock = threading.Lock()

    def newest(self, log_uid: bytes) -> Published | None:
        """The newest one shown. To be asked before the row is read: another thread may show a newer one meanwhile."""
        return self._newest.get(log_uid)

    def show(self, audit_log: AuditLog, signed: str, size: int, before: Published | None) -> Published:
        """A checkpoint, which is remembered as shown.

        Args:
            audit_log: of which log.
            signed: the checkpoint as its row has it.
            size: of its tree, as the row has it.
            before: see ``newest``.

        Raises:
            VaultError: INTEGRITY, if it is none of this log, or not of the tree that is there; LOG_BEHIND_ANCHOR, if it is older
                than ``before`` or contradicts it; KMS_UNAVAILABLE, KMS_SEALED, KMS_DENIED; DATABASE_UNAVAILABLE and its like.
        """
        log_uid = audit_log.head.tenant_uid
        if before and (before.checkpoint.origin, before.note.encode(), before.size) == (audit_log.head.origin, signed, size):
            return before
        try:
            found = _verified(audit_log, signed, size, before)
        except VaultError as error:
            self._tell(log_uid, error)
            raise
        with self._lock:
            self._told.pop(log_uid, None)
            known = self._newest.get(log_uid)
            if known is None or known.size <= found.size:
                self._newest[log_uid] = found
        return found

    def miss(self, log_uid: bytes, before: Published | None) -> None:
        """Take note that a log has no checkpoint at all.

        Raises:
            VaultError: LOG_BEHIND_ANCHOR, if it had one before.
        """
        if before:
            self._tell(log_uid, error := _behind())
            raise error

    def _tell(self, log_uid: bytes, error: VaultError) -> None:
        """Say it once in the operational log, however often it is asked for."""
        with self._lock:
            known = self._told.get(log_uid)
            self._told[log_uid] = error.reason_name
        if known != error.reason_name:
            log.error("a log's checkpoint is not shown to its readers", tenant=log_uid.hex(), reason=error.reason_name)


def _verified(audit_log: AuditLog, signed: str, size: int, before: Published | None) -> Published:
    found = audit_log.opened(signed)
    if found is None or found.size != size:
        raise altered("audit_log or audit_cosignature", "a checkpoint")
    if before and (size < before.size or root(audit_log.queries.hashes, before.size) != before.root):
        raise _behind()
    return found


def _behind() -> VaultError:
    return VaultError(
        common_pb2.ERROR_REASON_LOG_BEHIND_ANCHOR,
        "the audit log is older than it was, or another one: the database was restored or edited. Its files are not served; the "
        "operator must reconcile it and then restart the server",
    )
