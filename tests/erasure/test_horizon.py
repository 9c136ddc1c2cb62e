"""The horizon: once the keys that touched somebody are destroyed, the log says so, and the receipt proves it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from tests.erasure.test_erase import stored, uid_of
from tests.erasure.test_interrupted import interrupted
from tests.erasure.test_receipt import log_key
from tests.erasure.working import Working, erase, statement_of, working
from tests.harness import Vault
from tests.rotation.works import begin_destruction, rotate, worker
from tests.use_cases.requests import new_email, new_subject, reveal, tokenize

from vault.audit.policy_file import policy_of
from vault.audit.receipt import verify_receipt
from vault.audit.remembered import Memory
from vault.crypto.commitment import opens
from vault.store import tables as t
from vault.store.envelopes import open_opening
from vault.store.rows import RETENTION_US
from vault.v1.subject_service_pb2 import ErasureReceipt, ErasureStatement


def erased(at_work: Working) -> ErasureReceipt:
    """The receipt of a new person."""
    subject_id = new_subject()
    stored(at_work, subject_id)
    return at_work.erase(subject_id)


def destroy(at_work: Working, keep_from: int) -> None:
    """Have KEK versions destroyed, as far as that can be done."""
    begin_destruction(at_work.inside, keep_from)
    with worker(at_work.inside) as working_now:
        working_now.look()


def test_a_receipt_proves_it_once_the_keys_of_its_time_are_destroyed(vault: Vault, tmp_path: Path) -> None:
    with working(vault) as at_work:
        living = stored(at_work, new_subject())
        before = erased(at_work)
        uid = statement_of(before).erasure_uid
        at_work.lies_back(uid)
        rotate(at_work.inside)
        after = statement_of(erased(at_work))
        assert (after.epoch, after.index_key_version, list(after.kek_versions)) == (2, 2, [1, 2])
        assert not at_work.verify(uid).horizon_reached
        destroy(at_work, 2)
        at_work.integrate()
        assert at_work.verify(uid).horizon_reached
        assert not at_work.verify(after.erasure_uid).horizon_reached
        later = at_work.receipt(uid)
        before.erased.CopyFrom(later.erased)
        before.horizon.CopyFrom(later.horizon)
        found = verify_receipt(before, policy_of([log_key(at_work)], [], 0), Memory(tmp_path))
        assert found.is_named
        assert found.horizon
        assert not at_work.receipt(after.erasure_uid).HasField("horizon")
        assert len(at_work.ask(reveal(*living), "all").results) == len(living)


def test_a_retry_gets_its_receipt_after_a_rotation(vault: Vault) -> None:
    with working(vault) as at_work:
        subject_id = new_subject()
        stored(at_work, subject_id)
        request = erase(subject_id)
        first = at_work.ask(request)
        rotate(at_work.inside)
        assert at_work.ask(request) == first


def test_nobody_is_past_the_horizon_by_an_edited_row(vault: Vault) -> None:
    with working(vault) as at_work:
        erased(at_work)
        rotate(at_work.inside)
        uid = statement_of(erased(at_work)).erasure_uid
        at_work.inside.edit(t.erasure, {"uid": uid}, epoch=1, index_key_version=1)
        destroy(at_work, 2)
        assert at_work.inside.row(t.erasure, uid=uid).horizon_us == 0


Rows = dict[sa.Table, list[dict[str, Any]]]


def _shown(at_work: Working) -> Rows:
    """The rows that say which keys are the tenant's current ones, as whoever copies them has them."""
    uid = at_work.inside.tenant().uid
    with at_work.node.engine.connect() as connection:
        whose = ((t.tenant_key, t.tenant_key.c.tenant_uid), (t.tenant, t.tenant.c.uid))
        return {
            table: [dict(row._mapping) for row in connection.execute(sa.select(table).where(column == uid))]
            for table, column in whose
        }


@contextmanager
def _put_back(at_work: Working, old: Rows) -> Iterator[None]:
    """These rows stand there meanwhile, with the MACs that they had."""
    now = _shown(at_work)
    try:
        _put(at_work, old)
        yield
    finally:
        _put(at_work, now)


def _put(at_work: Working, rows: Rows) -> None:
    uid = at_work.inside.tenant().uid
    with at_work.node.engine.begin() as connection:
        connection.execute(t.tenant_key.delete().where(t.tenant_key.c.tenant_uid == uid))
        connection.execute(t.tenant_key.insert(), rows[t.tenant_key])
        connection.execute(t.tenant.update().where(t.tenant.c.uid == uid).values(rows[t.tenant][0]))


def test_no_horizon_is_said_too_early_because_the_tenants_rows_were_put_back_while_somebody_was_erased(vault: Vault) -> None:
    with working(vault) as at_work:
        old = _shown(at_work)
        rotate(at_work.inside)
        subject_id = new_subject()
        uid = uid_of(at_work, stored(at_work, subject_id)[0])
        interrupted(at_work, subject_id)
    with working(vault) as at_work:  # another process, which has not seen newer keys
        with _put_back(at_work, old):
            at_work.resume()
        row = at_work.inside.row(t.erasure, subject_uid=uid)
        assert row.state == "DONE"
        statement = ErasureStatement.FromString(row.statement)
        assert (statement.epoch, statement.index_key_version, max(statement.kek_versions)) == (2, 2, 2)
        assert (row.epoch, row.index_key_version) == (2, 2)
        at_work.lies_back(row.uid)
        destroy(at_work, 2)
        assert at_work.inside.row(t.erasure, uid=row.uid).horizon_us == 0


def test_the_kms_tells_the_newest_keys_to_wait_for_and_not_the_rows_that_are_shown(vault: Vault) -> None:
    with working(vault) as at_work:
        old = _shown(at_work)
        rotate(at_work.inside)
    with working(vault) as at_work, _put_back(at_work, old):
        assert max(statement_of(erased(at_work)).kek_versions) == 2


def test_a_node_never_goes_back_to_keys_of_before_a_rotation(vault: Vault) -> None:
    with working(vault) as at_work:
        old = _shown(at_work)
        rotate(at_work.inside)
        (token, *_) = stored(at_work, new_subject())
        with _put_back(at_work, old):
            assert at_work.refused(tokenize((new_subject(), "email", new_email())), "all").reason_name == "CONFLICT"
        assert at_work.ask(reveal(token), "all").results[0].value.text


def test_no_horizon_is_said_while_the_keys_live_that_the_opening_was_moved_to_though_the_row_was_put_back(vault: Vault) -> None:
    with working(vault) as at_work:
        subject_id = new_subject()
        stored(at_work, subject_id)
        uid = statement_of(at_work.erase(subject_id)).erasure_uid
        before = at_work.inside.row(t.erasure, uid=uid)._replace(opening=None, request_id=None, principal_uid=None)
        latest = rotate(at_work.inside).kek_version
        copied = at_work.inside.row(t.erasure, uid=uid)
        at_work.inside.edit(t.erasure, {"uid": uid}, **before._asdict())
        destroy(at_work, latest)
        assert opens(
            open_opening(at_work.inside.keys(), copied),
            subject_id,
            ErasureStatement.FromString(before.statement).subject_commitment,
        )
        assert at_work.inside.row(t.erasure, uid=uid).horizon_us == 0


def test_what_opens_a_receipt_is_taken_away_by_a_rotation_that_comes_after_a_day(vault: Vault) -> None:
    with working(vault) as at_work:
        uid = statement_of(erased(at_work)).erasure_uid
        row = at_work.inside.row(t.erasure, uid=uid)
        at_work.inside.reseal(t.erasure, {"uid": uid}, begin_us=row.begin_us - RETENTION_US)
        latest = rotate(at_work.inside).kek_version
        row = at_work.inside.row(t.erasure, uid=uid)
        assert (row.request_id, row.principal_uid, row.opening) == (None, None, None)
        assert row.epoch == statement_of(at_work.receipt(uid)).epoch
        at_work.lies_back(uid)
        destroy(at_work, latest)
        assert at_work.inside.row(t.erasure, uid=uid).horizon_us
