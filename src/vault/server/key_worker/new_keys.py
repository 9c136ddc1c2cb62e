"""The new keys of a rotation: which KEK version wraps them, the keys themselves, and that they become the current ones."""

import struct
import time
from contextlib import suppress
from typing import NamedTuple

from vault.audit.details import Detail
from vault.crypto.binding import kms_context
from vault.crypto.keys import Key
from vault.errors import VaultError
from vault.keys import acts
from vault.kms.kek import Kek
from vault.kms.key_manager import Wrapped
from vault.kms.tenant_keys import AUTHORITY, EPOCH, INDEX, KeysMissingError, TenantKeys
from vault.server.key_worker.desk import Desk
from vault.server.key_worker.held_operation import HeldOperation
from vault.store.key_usage import SKEW_US
from vault.store.rows import TenantRow
from vault.v1 import common_pb2

_FORMAT = struct.Struct(">III")


class Before(NamedTuple):
    """KEK version, epoch and index key before the rotation: what its cursor begins with from the census on."""

    kek_version: int
    epoch: int
    index_key: int

    @classmethod
    def of(cls, cursor: bytes) -> "Before":
        """What a cursor begins with."""
        return cls(*_FORMAT.unpack_from(cursor))

    @property
    def packed(self) -> bytes:
        """``BEFORE_BYTES`` bytes."""
        return _FORMAT.pack(*self)

    @property
    def new(self) -> tuple[int, int]:
        """The epoch and index key that the rotation makes."""
        return self.epoch + 1, self.index_key + 1


BEFORE_BYTES = _FORMAT.size


def before(desk: Desk, keys: TenantKeys) -> Before:
    """What is in use before the rotation. Of a KEK that was brought along, the next version must be there already.

    Raises:
        VaultError: WRONG_STATE, if it is not; of the KMS.
    """
    kek = desk.administrator.kek(keys.tenant_uid)
    if not kek.may_rotate and kek.latest <= keys.kek_version:
        raise VaultError(
            common_pb2.ERROR_REASON_WRONG_STATE,
            "the tenant's KEK was imported, and so must be its next version: `pdvault tenant import-kek`; nothing was changed",
        )
    return Before(kek.latest if kek.may_rotate else keys.kek_version, max(keys.epochs), max(keys.indexes))


def bring_in(held: HeldOperation, old: Before) -> None:
    """Make the new keys the current ones, unless that is done; all but the wrapping is one transaction.

    Raises:
        VaultError: of the KMS; CLOCK_SKEW, if its clock is ahead; CONFLICT, if somebody else has rotated meanwhile; INTEGRITY;
            TENANT_SEALED.
    """
    desk = held.desk
    version = _next_version(desk, held.tenant_uid, old)
    _check_clock(desk.administrator.kek(held.tenant_uid), version)
    keys = held.keys()
    if max(keys.epochs) != old.epoch:
        return
    epoch, index_key = old.new
    said = {Detail.KEK_VERSION: str(version), Detail.EPOCH: str(epoch), Detail.INDEX_KEY: str(index_key)}
    desk.act(acts.rotate(held.caller, {**held.details, **said}, old.epoch, _fresh(desk, keys, epoch, index_key, version)))


def _check_clock(kek: Kek, version: int) -> None:
    """Refuse a KEK version from the future: horizons reckon with when each was made, and would be said too early.

    Raises:
        VaultError: CLOCK_SKEW, with which the rotation waits until that time has come.
    """
    if kek.versions.get(version, 0) > time.time() * 1e6 + SKEW_US:
        raise VaultError(
            common_pb2.ERROR_REASON_CLOCK_SKEW,
            f"the KMS says that it has made KEK version {version} in the future: set its clock or this machine's right; it is "
            "not used before that time",
        )


def loaded(held: HeldOperation, new: tuple[int, int]) -> TenantKeys:
    """The tenant's keys, old and new; those in memory may be from before the new ones.

    Raises:
        VaultError: TENANT_SEALED, if only the authority key can be had; else as ``Desk.keys``.
    """
    epoch, index = new
    with suppress(KeysMissingError):
        keys = held.desk.node.keys.get(held.tenant_uid)
        if epoch in keys.epochs and index in keys.indexes:
            return keys
    return held.keys()


def check_current(tenant: TenantRow, new: tuple[int, int]) -> None:
    """Refuse to move anything to keys that are not the current ones: how far an operation is stands under no MAC.

    Raises:
        VaultError: INTEGRITY.
    """
    if (tenant.epoch, tenant.index_key_version) != new:
        raise VaultError(
            common_pb2.ERROR_REASON_INTEGRITY,
            "the current keys are not those that this rotation has made: somebody has altered how far it is; rotate anew",
        )


def _next_version(desk: Desk, tenant_uid: bytes, old: Before) -> int:
    """The version that wraps from now on: made by the KMS, or brought along."""
    kek = desk.administrator.kek(tenant_uid)
    return desk.administrator.rotate(tenant_uid, old.kek_version) if kek.may_rotate else kek.latest


def _fresh(desk: Desk, keys: TenantKeys, epoch: int, index_key: int, version: int) -> dict[tuple[str, int], Wrapped]:
    """New epoch and index key, and the authority keys, wrapped by the new KEK version."""
    made = {(EPOCH, epoch): Key.generate(), (INDEX, index_key): Key.generate()}
    made |= {(AUTHORITY, number): key for number, key in keys.authority.keys.items()}
    contexts = [(key, kms_context(keys.tenant_uid, kind, number)) for (kind, number), key in made.items()]
    wrapped = desk.manager.wrap(keys.tenant_uid, contexts)
    if {one.kek_version for one in wrapped} != {version}:
        raise VaultError(common_pb2.ERROR_REASON_CONFLICT, "the KEK was rotated by somebody else meanwhile")
    return dict(zip(made, wrapped, strict=True))
