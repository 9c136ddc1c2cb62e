"""How many requests about a subject are not blanked yet, and parts small enough for a few of them to be many."""

import pytest
import sqlalchemy as sa

from vault.store import blanking
from vault.store import tables as t


@pytest.fixture
def parts_of_three_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part has three requests, and two are few."""
    monkeypatch.setattr(blanking, "PART_ROWS", 3)
    monkeypatch.setattr(blanking, "FEW", 2)


def whole(engine: sa.Engine, uid: bytes) -> int:
    """How many requests are found by a subject whose digests can still be tried."""
    about, request = t.idempotency_subject.c, t.idempotency.c
    same = (request.tenant_uid == about.tenant_uid) & (request.request_id == about.request_id)
    joined = sa.select(sa.func.count()).join_from(t.idempotency_subject, t.idempotency, same)
    with engine.connect() as connection:
        return connection.scalar(joined.where(about.subject_uid == uid, request.digest != b"")) or 0
