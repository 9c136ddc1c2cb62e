"""The horizon: once the keys that touched somebody are destroyed, the log says so, and the receipt proves it."""

from pathlib import Path

from tests.erasure.test_erase import stored
from tests.erasure.test_receipt import log_key
from tests.erasure.working import Working, erase, statement_of, working
from tests.harness import Vault
from tests.rotation.works import begin_destruction, rotate, worker
from tests.use_cases.requests import new_subject, reveal

from vault.audit.policy_file import policy_of
from vault.audit.receipt import verify_receipt
from vault.audit.remembered import Memory
from vault.store import tables as t
from vault.v1.subject_service_pb2 import ErasureReceipt


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
        at_work.inside.edit(t.erasure, {"uid": uid}, opening=None, request_id=None, principal_uid=None)  # as after a day
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
