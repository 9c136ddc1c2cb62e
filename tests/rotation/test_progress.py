"""What an operation says of how far it is, and that it keeps to the rate that was asked for."""

from types import SimpleNamespace

import pytest
from tests.harness import context
from tests.rotation.works import Stored, attested, begin_rotation, found, phases, worker
from tests.use_cases.inside import Inside

from vault.kms.key_manager import KmsUnavailableError
from vault.server.key_worker import worker as working
from vault.store import tables as t
from vault.store.clock import now_us
from vault.store.rotation.progress import LEASE_US, NotOursError, Pace
from vault.v1 import key_service_pb2 as v1


def _progress(inside: Inside, name: str) -> v1.OperationProgress:
    progress = v1.OperationProgress()
    assert found(inside, name).metadata.Unpack(progress)
    return progress


def test_rows_are_counted_before_and_done_never_falls(open_vault: Inside) -> None:
    Stored(open_vault, people=3)
    name = begin_rotation(open_vault).name
    assert _progress(open_vault, name).state == "WAITING"
    seen = [_progress(open_vault, name) for _ in phases(open_vault)]
    assert len({progress.total for progress in seen}) == 1
    assert seen[0].total >= 3 * 4
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)
    assert all(progress.done <= progress.total for progress in seen)
    ended = _progress(open_vault, name)
    assert 0 < ended.done == ended.total


def test_what_was_done_is_told_by_kind_however_often_the_worker_changes(open_vault: Inside) -> None:
    stored = Stored(open_vault, people=4)
    begin = begin_rotation(open_vault).name
    for _ in phases(open_vault):
        if _progress(open_vault, begin).done_by_kind.get("subject_keys"):
            break
    so_far = dict(_progress(open_vault, begin).done_by_kind)
    open_vault.edit(t.operation, {"live_kind": "Rotate"}, until_us=0)
    with worker(open_vault, "key-worker:another") as working:
        working.look()
    done = dict(attested(open_vault, begin).done)
    assert all(done[kind] >= count for kind, count in so_far.items())
    assert done["subjects_rekeyed"] >= len(stored.names)
    assert done.pop("rows") == sum(done.values()) == _progress(open_vault, begin).done
    assert set(done) == {"subjects_rekeyed", "subject_keys", "requests", "openings", "subjects", "aliases", "items"}


def test_rate_and_estimate_are_there_while_it_runs_and_not_while_it_stands(open_vault: Inside) -> None:
    Stored(open_vault, people=3)
    name = begin_rotation(open_vault).name
    going = phases(open_vault)
    assert not _progress(open_vault, name).rows_per_second
    for _ in going:
        progress = _progress(open_vault, name)
        if 0 < progress.done < progress.total:
            break
    assert progress.rows_per_second > 0
    assert progress.estimated_time.ToMicroseconds() > progress.update_time.ToMicroseconds()
    open_vault.ask(v1.PauseOperationRequest(context=context("rotation"), name=name), "security")
    standing = _progress(open_vault, name)
    assert not standing.rows_per_second
    assert not standing.HasField("estimated_time")
    open_vault.ask(v1.CancelOperationRequest(context=context("rotation"), name=name), "security")


def test_a_rate_that_somebody_wrote_into_the_row_is_not_believed(open_vault: Inside) -> None:
    name = begin_rotation(open_vault).name
    for rate in (float("nan"), float("inf"), -1.0, 1e-300):
        result = v1.OperationProgress(rows_per_second=rate).SerializeToString()
        open_vault.edit(t.operation, {"live_kind": "Rotate"}, state="RUNNING", done=1, total=10, result=result)
        assert _progress(open_vault, name).rows_per_second in (0.0, 1e-300)
    open_vault.ask(v1.CancelOperationRequest(context=context("rotation"), name=name), "security")


def test_the_pace_is_that_of_late() -> None:
    clock = SimpleNamespace(now=100.0)
    pace = Pace(lambda: clock.now)
    for rows in (*[1000] * 60, *[10] * 60):
        clock.now += 1.0
        rate = pace.after(rows)
    assert rate == pytest.approx(10, rel=0.5)


def test_a_rotation_asked_to_be_slow_waits_as_long_as_its_rows_take(open_vault: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    Stored(open_vault, people=3)
    due = {row.uid for row in open_vault.rows(t.subject, rekey_due=True)}
    sealed_anew = sum(row.subject_uid in due for row in open_vault.rows(t.item))
    name = begin_rotation(open_vault, max_rows_per_second=50).name
    waited: list[float] = []
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(working, "time", SimpleNamespace(monotonic=lambda: clock.now))  # the work itself takes no time here
    with worker(open_vault) as one:
        monkeypatch.setattr(one._ending, "wait", lambda seconds: waited.append(seconds))
        one.look()
    assert sum(waited) == pytest.approx((_progress(open_vault, name).done + sealed_anew) / 50)
    assert max(waited) <= 1.0


def test_what_is_paused_or_cancelled_lets_no_further_step_commit(open_vault: Inside) -> None:
    Stored(open_vault, people=3)
    for steer, state in ((v1.PauseOperationRequest, "PAUSED"), (v1.CancelOperationRequest, "CANCELLED")):
        name = begin_rotation(open_vault).name
        going = phases(open_vault, batch=1)
        assert next(going)
        before = _progress(open_vault, name)
        open_vault.ask(steer(context=context("rotation"), name=name), "security")
        with pytest.raises(NotOursError):
            list(going)
        after = _progress(open_vault, name)
        assert (after.done, after.state) == (before.done, state)
        if state == "PAUSED":
            open_vault.ask(v1.CancelOperationRequest(context=context("rotation"), name=name), "security")


def test_a_worker_that_is_stopped_gives_back_what_it_ran(open_vault: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = Stored(open_vault, people=3)
    name = begin_rotation(open_vault, max_rows_per_second=1).name
    with worker(open_vault) as one:
        monkeypatch.setattr(one._ending, "wait", lambda _seconds: one.stop())
        one.look()
    assert not found(open_vault, name).done
    with worker(open_vault, "key-worker:another") as another:
        monkeypatch.setattr(another._ending, "wait", lambda _seconds: False)
        assert another.look() == 1
    assert found(open_vault, name).done
    stored.check()


def test_nobody_holds_an_operation_for_ever(open_vault: Inside) -> None:
    name = begin_rotation(open_vault).name
    now_us = open_vault.row(t.operation, live_kind="Rotate").create_us
    for until_us, runs in ((now_us + 600 * 1_000_000, 0), (2**62, 1)):
        open_vault.edit(t.operation, {"live_kind": "Rotate"}, state="RUNNING", holder="key-worker:gone", until_us=until_us)
        with worker(open_vault) as one:
            assert one.look() == runs
    assert found(open_vault, name).done


@pytest.mark.parametrize("kind", ["Rotate", "Rekey"])
def test_what_waits_for_the_kms_is_taken_up_again_as_soon_as_any_however_long_the_step_was_to_take(
    open_vault: Inside, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    Stored(open_vault, people=1)
    ask = {"Rotate": v1.RotateRequest, "Rekey": v1.RekeyRequest}[kind]
    name = open_vault.ask(ask(context=context("rotation")), "security").operation.name
    monkeypatch.setattr(type(open_vault.node.key_manager), "noted", _away)
    with worker(open_vault) as working:
        working.look()
        monkeypatch.undo()
        with open_vault.engine.connect() as connection:
            now = now_us(connection)
        assert _progress(open_vault, name).state == "RUNNING"
        left_us = open_vault.row(t.operation, live_kind=kind).until_us - now
        assert 0 < left_us <= LEASE_US
        open_vault.edit(t.operation, {"live_kind": kind}, until_us=0)
        working.look()
    assert attested(open_vault, name).done


def _away(*_: object) -> frozenset[bytes]:
    raise KmsUnavailableError("the KMS does not answer")
