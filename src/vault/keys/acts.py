"""What the key worker does to a tenant's keys, each an act with its event: new ones, their retirement, their end."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from vault.administration import Act
from vault.audit.actions import KEYS_DESTROYED, KEYS_RETIRED, KEYS_ROTATED
from vault.audit.details import Detail, key_name
from vault.audit.events import Caller
from vault.errors import VaultError
from vault.kms.key_manager import Wrapped
from vault.kms.tenant_keys import AUTHORITY, EPOCH, INDEX, TenantKeys
from vault.kms.wrapped_by import wrapped_by
from vault.store.reads import Reads, Rows
from vault.store.rows import TenantKeyRow
from vault.store.sealing import sealed, tenant_of
from vault.store.states import KeyState
from vault.store.writes import Writes
from vault.v1 import common_pb2

Effect = Callable[[Rows, TenantKeys], Writes]


class KeyAct(Act):
    """An act on a tenant's keys: its row is taken FOR UPDATE, so that nobody writes meanwhile under what changes."""

    def __init__(self, caller: Caller, action: str, details: Mapping[str, str], effect: Effect) -> None:
        """Make it."""
        super().__init__(caller, action, "", dict(details), effect)
        self.ended: list[TenantKeyRow] = []
        """Once it has run: the keys that it retired or destroyed, as they were."""

    def reads(self, _keys: TenantKeys | None) -> Reads:
        """The tenant's keys."""
        return Reads(tenant_keys=True, owning=True)


def rotate(caller: Caller, details: Mapping[str, str], epoch: int, fresh: Mapping[tuple[str, int], Wrapped]) -> KeyAct:
    """The act that makes new keys the current ones.

    Args:
        caller: who.
        details: what the log says besides.
        epoch: the current one, which a rotation that was cut off may have replaced already.
        fresh: by kind and version: the new epoch and index key, and the authority keys, wrapped by the new KEK version.
    """

    def effect(rows: Rows, keys: TenantKeys) -> Writes:
        tenant = tenant_of(rows, keys)
        if tenant.epoch != epoch:
            raise VaultError(common_pb2.ERROR_REASON_CONFLICT, "the tenant's keys were rotated by somebody else meanwhile")
        epoch_key, index_key = fresh[EPOCH, tenant.epoch + 1], fresh[INDEX, tenant.index_key_version + 1]
        if keys.kek_version >= epoch_key.kek_version:
            raise VaultError(
                common_pb2.ERROR_REASON_INTEGRITY,
                "the new keys are not under a new KEK version: somebody has altered how far the rotation is; rotate anew",
            )
        new = tenant._replace(
            epoch=tenant.epoch + 1, index_key_version=tenant.index_key_version + 1, key_generation=tenant.key_generation + 1
        )
        writes = Writes(replaced=[(tenant, sealed(keys.authority, new))])
        for kind, version, key in ((EPOCH, new.epoch, epoch_key), (INDEX, new.index_key_version, index_key)):
            writes.inserted.append(TenantKeyRow(tenant.uid, kind, version, key.kek_version, key.blob, rows.now_us))
        for row in rows.tenant_keys:
            if row.kind == AUTHORITY:
                key = fresh[row.kind, row.version]
                writes.keys.append((row, row._replace(wrapped=key.blob, kek_version=key.kek_version)))
            elif row.state == KeyState.ACTIVE:
                writes.keys.append((row, row._replace(state=KeyState.OLD)))
        return writes

    return KeyAct(caller, KEYS_ROTATED, details, effect)


def retire(caller: Caller, details: Mapping[str, str], epoch: int, index: int) -> KeyAct:
    """The act that retires every key older than these: a scan has found nothing under them, and nobody writes under them.

    Refused with INTEGRITY if these are not the current ones.
    """

    def effect(rows: Rows, keys: TenantKeys) -> Writes:
        tenant = tenant_of(rows, keys)
        if (tenant.epoch, tenant.index_key_version) != (epoch, index):
            raise VaultError(
                common_pb2.ERROR_REASON_INTEGRITY,
                "the keys that were looked for are not the current ones: somebody has altered how far the rotation is; rotate anew",
            )
        old = [
            row for row in rows.tenant_keys if row.state == KeyState.OLD and row.version < {EPOCH: epoch, INDEX: index}[row.kind]
        ]
        writes = Writes(keys=[(row, row._replace(state=KeyState.RETIRED, wrapped=b"", end_us=rows.now_us)) for row in old])
        if old:
            new = tenant._replace(key_generation=tenant.key_generation + 1)
            writes.replaced.append((tenant, sealed(keys.authority, new)))
        act.ended = old
        for row in old:
            act.details[key_name(row.kind, row.version)] = sha256(row.wrapped).hexdigest()
        return writes

    act = KeyAct(caller, KEYS_RETIRED, details, effect)
    return act


def destroy(caller: Caller, details: Mapping[str, str], keep_from: int) -> KeyAct:
    """The act that notes the end of KEK versions older than this, once the KMS has destroyed them."""

    def effect(rows: Rows, keys: TenantKeys) -> Writes:
        tenant_of(rows, keys)
        ended = [row for row in rows.tenant_keys if row.kek_version < keep_from and row.state == KeyState.RETIRED]
        act.ended = ended
        act.details[Detail.KEYS] = ",".join(key_name(row.kind, row.version) for row in ended)
        return Writes(keys=[(row, row._replace(state=KeyState.DESTROYED)) for row in ended])

    act = KeyAct(caller, KEYS_DESTROYED, details, effect)
    return act


def in_use(rows: Sequence[TenantKeyRow], keep_from: int) -> list[str]:
    """The keys that the end of KEK versions older than this would take with them though something hangs on them.

    By which version a key was wrapped it says itself, and nothing is retired that is still there: what its row notes of that is
    under no MAC.
    """
    return [
        f"{row.kind} key {row.version} ({row.state.lower()})"
        for row in rows
        if (row.wrapped or row.state not in (KeyState.RETIRED, KeyState.DESTROYED)) and outlives(row) < keep_from
    ]


def outlives(row: TenantKeyRow) -> int:
    """The KEK version that has to stay for this key: 0 if that can't be told."""
    try:
        return wrapped_by(row.wrapped)
    except ValueError:
        return 0
