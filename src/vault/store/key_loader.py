"""Fetching a tenant's keys: wrapped rows from the database, unwrapped by the KMS in one call, and the tenant's row checked.

Keys are the gate: a tenant whose audit log is not in order gets none, so that nothing of it is served. Of one that is sealed only
the authority key is fetched, which opens no value: it tells who may lift the seal.
"""

from collections.abc import Callable

import sqlalchemy as sa

from vault.audit.chain import announcement
from vault.crypto.binding import kms_context
from vault.crypto.keys import Key
from vault.errors import VaultError
from vault.kms.key_manager import KeyManager
from vault.kms.tenant_keys import AUTHORITY, EPOCH, INDEX, Authority, TenantKeys
from vault.kms.wrapped_by import wrapped_by
from vault.store import tables as t
from vault.store.engine import reading
from vault.store.faults import DATABASE_ERRORS, translate
from vault.store.log.gate import LogGate
from vault.store.rows import TenantKeyRow, TenantRow
from vault.store.sealing import check
from vault.store.states import KEYS_IN_USE, TenantState
from vault.v1 import common_pb2

_PATIENCE_S = 5.0

Boot = tuple[bytes, bytes]
"""(boot id, boot public key)."""


class KeyLoader:
    """Loads keys outside of any transaction that writes; blocks while the KMS answers."""

    def __init__(self, engine: sa.Engine, key_manager: KeyManager, boot: Callable[[], Boot], gate: LogGate) -> None:
        self._engine = engine
        self._key_manager = key_manager
        self._boot = boot
        self._gate = gate

    def load(self, tenant_uid: bytes) -> TenantKeys:
        """The tenant's keys, and the log key's endorsement of this boot.

        Raises:
            VaultError: DATABASE_UNAVAILABLE; KMS_UNAVAILABLE, KMS_SEALED, KMS_DENIED; INTEGRITY if a row was altered;
                LOG_BEHIND_ANCHOR, LOG_STALLED or INTEGRITY if the tenant's audit log is not in order.
        """
        self._gate.check(tenant_uid)
        try:
            tenant, rows = self._read(tenant_uid)
        except DATABASE_ERRORS as error:
            raise translate(error) from None
        wrapped = [(row.wrapped, kms_context(tenant_uid, row.kind, row.version)) for row in rows]
        unwrapped = self._key_manager.unwrap(tenant_uid, wrapped)
        by_kind: dict[str, dict[int, Key]] = {EPOCH: {}, INDEX: {}, AUTHORITY: {}}
        for row, key in zip(rows, unwrapped, strict=True):
            by_kind[row.kind][row.version] = key
        authority = Authority(max(by_kind[AUTHORITY]), by_kind[AUTHORITY])
        check(authority, tenant)
        boot_id, public_key = self._boot()
        endorsement = self._key_manager.sign(tenant_uid, announcement(tenant_uid, boot_id, public_key))
        kek_version = max(wrapped_by(row.wrapped) for row in rows)
        epochs, indexes = by_kind[EPOCH], by_kind[INDEX]
        return TenantKeys(tenant_uid, tenant.key_generation, epochs, indexes, authority, boot_id, endorsement, kek_version)

    def _read(self, tenant_uid: bytes) -> tuple[TenantRow, list[TenantKeyRow]]:
        with reading(self._engine, _PATIENCE_S) as connection:
            tenant = connection.execute(sa.select(t.tenant).where(t.tenant.c.uid == tenant_uid)).first()
            live = (t.tenant_key.c.tenant_uid == tenant_uid) & t.tenant_key.c.state.in_(KEYS_IN_USE)
            rows = connection.execute(sa.select(t.tenant_key).where(live)).all()
        if tenant is None:
            raise _missing()
        row, keys = TenantRow(*tenant), [TenantKeyRow(*key) for key in rows]
        there = {(key.kind, key.version) for key in keys}
        if not {(EPOCH, row.epoch), (INDEX, row.index_key_version)} <= there or all(kind != AUTHORITY for kind, _ in there):
            raise _missing()
        return row, keys if row.state == TenantState.ACTIVE else [key for key in keys if key.kind == AUTHORITY]


def load_authority(connection: sa.Connection, key_manager: KeyManager, tenant_uid: bytes) -> Authority:
    """A tenant's authority key alone, which opens no value, for whoever works on tables that nobody is served from.

    Raises:
        VaultError: INTEGRITY, if it is missing; of the KMS.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    c = t.tenant_key.c
    own = (c.tenant_uid == tenant_uid) & (c.kind == AUTHORITY) & c.state.in_(KEYS_IN_USE)
    rows = [TenantKeyRow(*row) for row in connection.execute(sa.select(t.tenant_key).where(own).order_by(c.version))]
    if not rows:
        raise _missing()
    keys = key_manager.unwrap(tenant_uid, [(row.wrapped, kms_context(tenant_uid, row.kind, row.version)) for row in rows])
    return Authority(rows[-1].version, dict(zip((row.version for row in rows), keys, strict=True)))


def _missing() -> VaultError:
    return VaultError(
        common_pb2.ERROR_REASON_INTEGRITY, "the tenant's row or one of its keys is missing; the operator must investigate"
    )
