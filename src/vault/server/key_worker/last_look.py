"""What would go with KEK versions that are to end, as wrapped keys and envelopes say themselves, and the tenant's row with its MAC.

Rows of keys are under no MAC, so neither the KEK version nor the state that they note is believed.
"""

from vault.crypto.binding import kms_context
from vault.errors import VaultError
from vault.keys import acts
from vault.kms.key_manager import KmsIntegrityError
from vault.kms.tenant_keys import AUTHORITY, EPOCH, INDEX
from vault.server.key_worker.desk import Desk
from vault.store.engine import reading
from vault.store.reading.key_work import key_rows
from vault.store.rotation.census import census
from vault.store.rotation.turnstile import pinning
from vault.store.rows import TenantKeyRow, TenantRow
from vault.v1 import common_pb2


class LastLook:
    """The look at one tenant before KEK versions end."""

    def __init__(self, desk: Desk, tenant_uid: bytes, keep_from: int, patience_s: float) -> None:
        """Make it.

        Args:
            desk: what it takes to look.
            tenant_uid: whose.
            keep_from: the oldest KEK version that stays.
            patience_s: how long one statement may take.
        """
        self._desk, self._tenant_uid, self._keep_from, self._patience_s = desk, tenant_uid, keep_from, patience_s

    def check(self) -> None:
        """Refuse to end what is in use: a key that an older version has wrapped, or anything that a rotation has not moved yet.

        Raises:
            VaultError: KEY_IN_USE, naming what; INTEGRITY, if a key that is needed is missing; TENANT_SEALED.
            sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
        """
        tenant, rows = self._needed()
        hanging = acts.in_use(rows, self._keep_from)
        with reading(self._desk.engine, self._patience_s) as connection:
            left = census(connection, tenant.uid, tenant.epoch, tenant.index_key_version)
        hanging += [f"{kind.replace('_', ' ')} under older keys ({count})" for kind, count in left.hanging().items() if count]
        if hanging:
            raise _in_use(f"KEK versions before {self._keep_from} still keep {', '.join(hanging)} alive; let a rotation end first")

    def check_opens(self) -> None:
        """Refuse unless each wrapped key opens, and all of those in memory are among them: asked while older versions open nothing.

        Raises:
            VaultError: KEY_IN_USE, if one does not; else as ``check``, and of the KMS.
        """
        _, rows = self._needed()
        wrapped = [(row.wrapped, kms_context(row.tenant_uid, row.kind, row.version)) for row in rows if row.wrapped]
        try:
            self._desk.manager.unwrap(self._tenant_uid, wrapped)
        except KmsIntegrityError:
            raise _in_use(
                f"a key of the tenant does not open without the KEK versions before {self._keep_from}, whatever its row says; so "
                "they stay, and the operator must investigate"
            ) from None

    def _needed(self) -> tuple[TenantRow, list[TenantKeyRow]]:
        """The tenant's row and those of its keys, among which are all that are current."""
        keys = self._desk.keys(self._tenant_uid)
        with pinning(self._desk.engine, keys) as (connection, tenant):
            rows = key_rows(connection, self._tenant_uid)
        needed = {(EPOCH, tenant.epoch), (INDEX, tenant.index_key_version), *((AUTHORITY, each) for each in keys.authority.keys)}
        if not needed <= {(row.kind, row.version) for row in rows if row.wrapped}:
            raise VaultError(
                common_pb2.ERROR_REASON_INTEGRITY, "a wrapped key that the tenant needs is missing; the operator must investigate"
            )
        return tenant, rows


def _in_use(message: str) -> VaultError:
    return VaultError(common_pb2.ERROR_REASON_KEY_IN_USE, message)
