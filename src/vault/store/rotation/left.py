"""Who keeps a rotation from its end: subjects that are being erased, and those with rows under older keys."""

from collections.abc import Mapping

import sqlalchemy as sa

from vault.kms.tenant_keys import TenantKeys
from vault.store import tables as t
from vault.store.hanging import ON_EPOCHS, ON_INDEX_KEYS
from vault.store.rows import ErasureRow
from vault.store.sealing import fits
from vault.store.states import ErasureState, SubjectState


def being_erased(connection: sa.Connection, keys: TenantKeys, since_us: int) -> Mapping[bytes, int]:
    """Who is being erased, by uid (16 bytes), and since when, as the rows of erasures say that were not altered.

    Args:
        connection: of either database.
        keys: the tenant's.
        since_us: for whom no row says it, or an earlier time; microseconds since 1970.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    s, e = t.subject.c, t.erasure.c
    subjects = connection.scalars(
        sa.select(s.uid).where(s.tenant_uid == keys.tenant_uid, s.state == SubjectState.ERASING).order_by(s.uid)
    )
    since = dict.fromkeys(subjects, since_us)
    begun = sa.select(t.erasure).where(e.tenant_uid == keys.tenant_uid, e.state == ErasureState.BEGUN)
    for erasure in map(ErasureRow._make, connection.execute(begun)):
        if erasure.subject_uid in since and fits(keys.authority, erasure):
            since[erasure.subject_uid] = max(since[erasure.subject_uid], erasure.begin_us)
    return since


def under_older_keys(connection: sa.Connection, keys: TenantKeys, limit: int) -> list[bytes]:
    """The first subjects with rows under older keys, by uid: of each kind of rows so many at most.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    current = [(each, max(keys.epochs)) for each in ON_EPOCHS] + [(each, max(keys.indexes)) for each in ON_INDEX_KEYS]
    found = set[bytes]()
    for each, version in current:
        if each.subject_uid is not None:
            of_tenant = each.table.c.tenant_uid == keys.tenant_uid
            older = sa.select(each.subject_uid).where(of_tenant, each.is_under_another(version)).distinct().limit(limit)
            found |= set(connection.scalars(older))
    return sorted(found)
