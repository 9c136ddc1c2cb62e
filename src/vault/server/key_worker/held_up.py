"""Why a rotation can't come to its end: erasures that are not done, rows that were altered, subjects that take too long.

Subjects are named by their uids.
"""

from collections.abc import Container, Iterable

from vault.errors import VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.server.key_worker.held_operation import HeldOperation
from vault.store.clock import now_us
from vault.store.engine import reading
from vault.store.rotation.census import Census
from vault.store.rotation.left import being_erased, under_older_keys
from vault.v1 import common_pb2

ERASING_PATIENCE_S = 3600.0
"""How long a rotation waits for somebody's erasure to be done, from its beginning or the rotation's, whichever is later."""
_NAMED = 10
"""Subjects that one refusal names."""
_READING_S = 600.0


def held_up(held: HeldOperation, keys: TenantKeys, left: Census, late: Container[bytes]) -> VaultError:
    """The refusal with which a rotation waits, or ends, that some passes have not moved on.

    Args:
        held: the rotation.
        keys: the tenant's, the current ones among them.
        left: what the last scan has found.
        late: the uids of subjects that could not be re-keyed within the time that a transaction may take.

    Returns:
        CONFLICT, to wait for erasures; WRONG_STATE, naming those that are not done for longer than an hour, or subjects that are
        late, if nobody else is left; else INTEGRITY.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    with reading(held.desk.engine, _READING_S) as connection:
        erasing = being_erased(connection, keys, held.row.create_us)
        before = now_us(connection) - round(ERASING_PATIENCE_S * 1e6)
        stuck = [uid for uid, since_us in erasing.items() if since_us < before]
        if stuck:
            return _not_done(stuck)
        if erasing:
            return VaultError(
                common_pb2.ERROR_REASON_CONFLICT,
                "subjects are being erased; what is theirs goes before the old keys are retired",
            )
        subjects = under_older_keys(connection, keys, _NAMED + 1)
        return _late(subjects) if subjects and all(uid in late for uid in subjects) else _altered(left, subjects)


def _not_done(subject_uids: Iterable[bytes]) -> VaultError:
    return VaultError(
        common_pb2.ERROR_REASON_WRONG_STATE,
        f"the erasure of {_names(subject_uids)} is not done after {ERASING_PATIENCE_S / 60:.0f} minutes, and the old keys stay "
        "until it is; the servers' log says what is in its way; rotate again then",
    )


def _late(subject_uids: Iterable[bytes]) -> VaultError:
    return VaultError(
        common_pb2.ERROR_REASON_WRONG_STATE,
        f"not even some items of {_names(subject_uids)} could be re-keyed within the seconds that a transaction may take, so the "
        "old keys stay; rotate again when the database is less busy",
    )


def _altered(left: Census, subject_uids: Iterable[bytes]) -> VaultError:
    counted = ", ".join(f"{kind.replace('_', ' ')} ({count})" for kind, count in left.hanging().items() if count)
    return VaultError(
        common_pb2.ERROR_REASON_INTEGRITY,
        f"rows that were altered or damaged can't be moved to the new keys, so the old ones stay: {counted}, of "
        f"{_names(subject_uids)}; find them with `pdvault audit verify --database`",
    )


def _names(subject_uids: Iterable[bytes]) -> str:
    """Subjects by their uids, the first of them."""
    uids = [uid.hex() for uid in subject_uids]
    more = f" and more, {len(uids)} at least" if len(uids) > _NAMED else ""
    return f"{'the subject' if len(uids) == 1 else 'the subjects'} {', '.join(uids[:_NAMED])}{more}" if uids else "no subject"
