"""What an erasure's statement says: what is destroyed, and until when the vault promises that nothing of it can be had.

Written twice: when the erasure begins, and again, in the transaction that does it, from the rows that go and with the times that
count from then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from vault.crypto.commitment import commitment
from vault.crypto.keys import Key
from vault.keys.schedule import kept_s
from vault.kms.tenant_keys import EPOCH, INDEX
from vault.store import erasing
from vault.store.reads import Belongings
from vault.store.rows import UNKNOWN_S, KeyScheduleRow, SubjectKeyRow, TenantKeyRow, TenantRow
from vault.store.states import KeyState
from vault.v1 import common_pb2
from vault.v1.subject_service_pb2 import ClassCount, DestroyedKey, ErasureStatement

FORMAT = 1

_US = 1_000_000


@dataclass(frozen=True)
class Promises:
    """What a node knows of how long anything lives, for the times in statements.

    Attributes:
        clean_after_s: after which the database's files, its log and replicas hold no row of the subject.
        key_cache_ttl_s: for which a node keeps a tenant's keys.
        proves_destruction: of the KMS.
    """

    clean_after_s: float
    key_cache_ttl_s: float
    proves_destruction: bool


@dataclass(frozen=True)
class Found:
    """What there is to destroy, and the keys that touched it.

    ``kek_version`` is the newest that can have wrapped one of the tenant's keys, as the KMS says it. ``owned`` has the keys that
    are the subject's own; ``unopened_keys`` more rows of its keys are damaged, or somebody else's.
    """

    owned: Belongings
    tenant: TenantRow
    tenant_keys: Sequence[TenantKeyRow]
    kek_version: int
    unopened_keys: int


def begun(
    context: common_pb2.CallContext, erasure_uid: bytes, subject_uid: bytes, named: tuple[Key, str], found: Found, now_us: int
) -> ErasureStatement:
    """The statement of an erasure that begins; without promises yet.

    Args:
        context: of the call that asks for it.
        erasure_uid: 16 bytes.
        subject_uid: 16 bytes.
        named: the key of the commitment, and the name that was given.
        found: what there is to destroy.
        now_us: the database's time.
    """
    statement = ErasureStatement(
        format=FORMAT,
        erasure_uid=erasure_uid,
        tenant_uid=found.tenant.uid,
        subject_uid=subject_uid,
        subject_commitment=commitment(*named),
        ground=context.ground,
        reference=context.reference,
    )
    statement.request_time.FromMicroseconds(now_us)
    statement.refused_time.FromMicroseconds(now_us)
    _say_what_goes(statement, found)
    return statement


def done(
    before: bytes, found: Found, promises: Promises, schedule: KeyScheduleRow, now_us: int, *, kek_imported: bool
) -> ErasureStatement:
    """The statement of an erasure that is done with this transaction.

    Args:
        before: the statement with which it began.
        found: what goes.
        promises: of the node that does it.
        schedule: the tenant's, checked.
        now_us: the database's time.
        kek_imported: whether somebody outside has copies of the tenant's KEK.
    """
    statement = ErasureStatement.FromString(before)
    _say_what_goes(statement, found)
    statement.clean_time.FromMicroseconds(now_us + round(promises.clean_after_s * _US))
    until_ended_s = schedule.rotate_every_s or UNKNOWN_S
    statement.copies_kept.FromSeconds(kept_s(schedule, statement.request_time.ToMicroseconds()))
    until_unread_s = promises.key_cache_ttl_s + until_ended_s + statement.copies_kept.seconds
    statement.horizon_time.FromMicroseconds(now_us + round(until_unread_s * _US))
    statement.horizon_provable = promises.proves_destruction
    statement.kek_imported = kek_imported
    return statement


def is_large(statement: ErasureStatement) -> bool:
    """Whether so much was found when the erasure began that it goes in parts."""
    return max(statement.tokens, sum(each.count for each in statement.items)) > erasing.PART_ROWS


def _say_what_goes(statement: ErasureStatement, found: Found) -> None:
    """Never less than was said before: the tenant's row may have been put back meanwhile, with the MAC that it had then."""
    _say_what_is_owned(statement, found.owned)
    statement.unopened_keys = max(statement.unopened_keys, found.unopened_keys)
    statement.epoch = max(statement.epoch, found.tenant.epoch)
    statement.index_key_version = max(statement.index_key_version, found.tenant.index_key_version)
    versions = sorted({*statement.kek_versions, *_older(found), found.kek_version})
    statement.ClearField("kek_versions")
    statement.kek_versions.extend(versions)


def _say_what_is_owned(statement: ErasureStatement, owned: Belongings) -> None:
    """What is there now; and what was listed before and has gone meanwhile, as by a restore that has erased the subject again."""
    there = {row.key_id for row in owned.keys}
    gone = [key for key in statement.keys if key.key_id not in there]
    if not there and gone:
        return
    if not is_large(statement):  # else these are the last of them
        statement.ClearField("items")
        statement.items.extend(ClassCount(data_class=name, count=count) for name, count in sorted(owned.items.items()))
        statement.tokens = owned.tokens
    statement.ClearField("keys")
    statement.keys.extend([*map(_destroyed, owned.keys), *gone])


def _destroyed(row: SubjectKeyRow) -> DestroyedKey:
    digest = sha256(row.wrapped).digest()
    return DestroyedKey(kind=row.kind, version=row.version, key_id=row.key_id, epoch=row.epoch, wrapped_sha256=digest)


def _older(found: Found) -> set[int]:
    """Older KEK versions under which copies may have keys of whoever is erased, as rows note them, which are under no MAC.

    No horizon hangs on these: versions end in their order, and the newest in use is known from the KMS.
    """
    noted = {row.kek_version for row in found.tenant_keys if row.kind in (EPOCH, INDEX) and row.state != KeyState.DESTROYED}
    return {version for version in noted if 0 < version < found.kek_version}
