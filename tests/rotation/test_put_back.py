"""What is put back of somebody erased while keys change gets to no newer key, whatever phase it is put back in.

Whoever edits the database has a copy of the rows from before, shows them to the key worker for one phase, keeps a copy of what
becomes of them, and takes them away again before anybody looks.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from tests.erasure.working import Working, statement_of
from tests.harness import context
from tests.rotation.works import attested, begin_rotation, desk, found, phases, rotate, worker
from tests.use_cases.inside import Inside
from tests.use_cases.requests import delete, new_email, new_subject, tokenize, tokens_of

from vault.crypto.envelope import key_version
from vault.server.key_worker.held_operation import HeldOperation
from vault.server.key_worker.rekey import Rekey
from vault.store import tables as t
from vault.store.rotation.progress import end, take
from vault.v1 import key_service_pb2 as v1
from vault.v1.subject_service_pb2 import LinkRequest

_OWN = (t.subject, t.subject_key, t.subject_alias, t.item, t.token)


class Dead(NamedTuple):
    """Somebody who was erased: the rows that there were, of each table, and which requests were theirs."""

    uid: bytes
    rows: dict[str, list[dict[str, Any]]]
    requests: list[bytes]


def _rows(inside: Inside, uid: bytes, requests: list[bytes]) -> dict[str, list[dict[str, Any]]]:
    owners = {table.name: (table, (table.c.uid if table is t.subject else table.c.subject_uid) == uid) for table in _OWN}
    owners["idempotency"] = (t.idempotency, t.idempotency.c.request_id.in_(requests))
    with inside.engine.connect() as connection:
        return {
            name: [dict(row._mapping) for row in connection.execute(sa.select(table).where(own))]
            for name, (table, own) in owners.items()
        }


@pytest.fixture
def dead(at_work: Working) -> Dead:
    """Somebody of whom something had been deleted before."""
    inside, name = at_work.inside, new_subject()
    kept, gone = tokens_of(inside.ask(tokenize((name, "email", new_email()), (name, "phone", "+447700900654"))))
    uid = inside.row(t.token, text=kept).subject_uid
    inside.ask(LinkRequest(context=context(), subject_id=name, alias=new_subject()))
    inside.ask(delete(gone))
    requests = [row.request_id for row in inside.rows(t.idempotency_subject, subject_uid=uid)]
    rows = _rows(inside, uid, requests)
    erasure_uid = statement_of(at_work.erase(name)).erasure_uid
    at_work.lies_back(erasure_uid)
    return Dead(uid, rows, requests)


@contextmanager
def _back(inside: Inside, dead: Dead) -> Iterator[None]:
    """The rows are there for the time of the block."""
    gone = _rows(inside, dead.uid, dead.requests)
    _replace(inside, dead, dead.rows)
    try:
        yield
    finally:
        _replace(inside, dead, gone)


def _end(work: Rekey) -> None:
    while work.step():
        pass


def _replace(inside: Inside, dead: Dead, rows: dict[str, list[dict[str, Any]]]) -> None:
    with inside.engine.begin() as connection:
        connection.execute(t.idempotency.delete().where(t.idempotency.c.request_id.in_(dead.requests)))
        for table in reversed(_OWN):
            own = (table.c.uid if table is t.subject else table.c.subject_uid) == dead.uid
            connection.execute(table.delete().where(own))
        for table in (*_OWN, t.idempotency):
            if rows[table.name]:
                connection.execute(table.insert(), rows[table.name])


@pytest.mark.parametrize("phase", ["REKEY", "REWRAP", "REWRAP_REQUESTS", "REINDEX_SUBJECTS", "REINDEX_ALIASES", "REINDEX_ITEMS"])
def test_a_rotation_leaves_what_is_put_back_where_it_was(at_work: Working, dead: Dead, phase: str) -> None:
    inside = at_work.inside
    begin_rotation(inside)
    going, left = phases(inside, batch=1), dict[str, list[dict[str, Any]]]()
    for at in going:
        if at == phase and not left:
            with _back(inside, dead):
                while next(going) == phase:
                    pass
                left = _rows(inside, dead.uid, dead.requests)
    assert left == dead.rows


def test_a_re_keying_begins_for_nobody_while_somebody_is_back(at_work: Working, dead: Dead) -> None:
    inside = at_work.inside
    name = inside.ask(v1.RekeyRequest(context=context("incident")), "security").operation.name
    with _back(inside, dead):
        with worker(inside) as working:
            working.look()
        assert "restore reconcile" in found(inside, name).error.message
        assert _rows(inside, dead.uid, dead.requests) == dead.rows


def test_a_re_keying_passes_by_whoever_is_put_back_while_it_runs(at_work: Working, dead: Dead) -> None:
    inside = at_work.inside
    (token,) = tokens_of(inside.ask(tokenize((new_subject(), "email", new_email()))))
    living = inside.row(t.token, text=token).subject_uid
    before = inside.row(t.subject_key, subject_uid=living)
    name = inside.ask(v1.RekeyRequest(context=context("incident")), "security").operation.name
    (row,) = inside.rows(t.operation, kind="Rekey", state="WAITING")
    with desk(inside) as one:
        assert take(inside.engine, row, one.name)
        work = Rekey(HeldOperation(one, row), 10)
        assert work._living.erased >= {dead.uid}
        with _back(inside, dead):
            _end(work)
            assert _rows(inside, dead.uid, dead.requests) == dead.rows
        with inside.engine.begin() as connection:
            end(connection, row, one.name, "DONE", work.result())
    assert inside.row(t.subject_key, subject_uid=living).key_id != before.key_id
    assert attested(inside, name).left["subjects_altered"] == 0


def test_a_re_keying_asks_again_who_was_erased_once_there_are_newer_keys(at_work: Working, dead: Dead) -> None:
    inside = at_work.inside
    (token,) = tokens_of(inside.ask(tokenize((new_subject(), "email", new_email()))))
    living = inside.row(t.token, text=token).subject_uid
    name = inside.ask(v1.RekeyRequest(context=context("incident")), "security").operation.name
    (row,) = inside.rows(t.operation, kind="Rekey", state="WAITING")
    with desk(inside) as one:
        assert take(inside.engine, row, one.name)
        work = Rekey(HeldOperation(one, row), 10)
        assert work._living.erased >= {dead.uid}
        rotate(inside)
        before = inside.row(t.subject_key, subject_uid=living)
        with pytest.raises(Exception, match="asked anew"):
            _end(work)
    assert inside.row(t.subject_key, subject_uid=living) == before
    inside.edit(t.operation, {"uid": row.uid}, until_us=0)
    with worker(inside) as working:
        working.look()
    assert attested(inside, name).done["subjects_rekeyed"]
    after = inside.row(t.subject_key, subject_uid=living)
    assert after.key_id != before.key_id
    assert after.epoch == key_version(after.wrapped) == before.epoch
