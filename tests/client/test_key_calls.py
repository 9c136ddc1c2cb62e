"""Each method about keys, operations and approvals sends what its caller said, and answers what the vault said."""

from datetime import UTC, datetime, timedelta

import pytest

from pdvault_client import (
    Approval,
    ApprovalClient,
    KeyClient,
    KeySchedule,
    KeyState,
    OperationClient,
    SubjectNotFoundError,
    TenantKey,
    VaultError,
)
from vault.errors import VaultError as ServerError
from vault.v1 import common_pb2
from vault.v1 import key_service_pb2 as v1

UID = bytes(range(16))
NAME = f"operations/{UID.hex()}"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
REFUSED = ServerError(common_pb2.ERROR_REASON_APPROVAL_NEEDED, "nobody has approved it yet")


@pytest.fixture
def keys(connect) -> KeyClient:
    return connect(KeyClient, purpose="rotation")


@pytest.fixture
def operations(connect) -> OperationClient:
    return connect(OperationClient, purpose="rotation")


@pytest.fixture
def approvals(connect) -> ApprovalClient:
    return connect(ApprovalClient, purpose="incident")


def operation(response, **progress):
    """A response about an operation."""
    response.operation.name = NAME
    response.operation.metadata.Pack(v1.OperationProgress(kind="Rotate", **progress))
    return response


def approval():
    asked = v1.Approval(approval_uid=UID, action="Destroy", summary="what", asked_by="spiffe://a/b", state="ASKED")
    asked.ask_time.FromDatetime(NOON)
    return asked


def test_a_status_is_told_whole(scripted, keys):
    said = v1.StatusResponse(tenant="acme", tenant_state="SEALED", rekey_due=3, overdue=True, erasures_waiting=2, kek_imported=True)
    said.epochs.add(version=2, state=v1.KEY_STATE_ACTIVE, kek_version=5, live=7).create_time.FromDatetime(NOON)
    said.epochs.add(version=1, state=99)
    said.kek_versions.add(version=5, destroyable=True, would_lose=["all"]).destroy_time.FromDatetime(NOON)
    said.schedule.rotate_every.FromTimedelta(timedelta(days=90))
    said.schedule.restore_window.FromTimedelta(timedelta(0))
    said.next_rotation_time.FromDatetime(NOON)
    scripted.script("Status", said)
    status = keys.status()
    assert (status.tenant, status.tenant_state, status.rekey_due, status.erasures_waiting) == ("acme", "SEALED", 3, 2)
    assert (status.is_overdue, status.is_kek_imported, status.proves_destruction) == (True, True, False)
    assert status.next_rotation_time == NOON
    assert status.epochs[0] == TenantKey(2, KeyState.ACTIVE, 5, NOON, None, 7)
    assert status.epochs[1].state is KeyState.UNKNOWN
    (version,) = status.kek_versions
    assert (version.version, version.is_destroyable, version.destroy_time, version.would_lose) == (5, True, NOON, ("all",))
    assert status.schedule == KeySchedule(timedelta(days=90), timedelta(0), None)


def test_of_a_schedule_only_what_is_said_is_sent(scripted, keys):
    scripted.script("SetSchedule", v1.SetScheduleResponse())
    keys.set_schedule(KeySchedule(timedelta(days=1, microseconds=5), restore_window=timedelta(0)))
    (request,) = scripted.requests()
    assert request.schedule.rotate_every.ToTimedelta() == timedelta(days=1, microseconds=5)
    assert request.schedule.HasField("restore_window")
    assert not request.schedule.HasField("kms_snapshot_retention")


def test_work_is_asked_for_and_followed(scripted, keys, operations):
    scripted.script("Rotate", operation(v1.RotateResponse(), state="WAITING"))
    scripted.script("Rekey", operation(v1.RekeyResponse(), state="WAITING"))
    assert keys.rotate(max_rows_per_second=7).state == "WAITING"
    assert not keys.rekey("customer-17").is_ended
    rotate, rekey = scripted.requests()
    assert rotate.max_rows_per_second == 7
    assert rekey.subject_id == "customer-17"
    done = operation(v1.GetOperationResponse(), state="DONE", done=5, total=5)
    done.operation.done = True
    done.operation.response.Pack(v1.Attestation(done={"rows": 5}, left={"items": 0}, retired_epochs=[1], kek_version=2))
    scripted.script("GetOperation", done)
    found = operations.get(NAME)
    assert (found.name, found.kind, found.state, found.done, found.total, found.is_ended) == (NAME, "Rotate", "DONE", 5, 5, True)
    assert (found.attestation.done, found.attestation.retired_epochs, found.attestation.kek_version) == ({"rows": 5}, (1,), 2)
    assert found.error is None


def test_work_that_failed_says_why(scripted, operations):
    failed = operation(v1.GetOperationResponse(), state="FAILED")
    failed.operation.done = True
    failed.operation.error.CopyFrom(ServerError(common_pb2.ERROR_REASON_KEY_IN_USE, "epoch key 1").to_status())
    scripted.script("GetOperation", failed)
    found = operations.get(NAME)
    assert (found.error.reason, found.error.message, found.attestation) == ("KEY_IN_USE", "epoch key 1", None)


def test_work_is_listed_and_steered(scripted, operations):
    listed = v1.ListOperationsResponse(operations=[operation(v1.GetOperationResponse()).operation])
    scripted.script("ListOperations", listed)
    for method in ("PauseOperation", "ResumeOperation", "CancelOperation"):
        scripted.script(method, getattr(v1, f"{method}Response")())
    assert [one.name for one in operations.list()] == [NAME]
    for steer in (operations.pause, operations.resume, operations.cancel):
        steer(NAME)
    assert [request.name for request in scripted.requests()[1:]] == [NAME] * 3


def test_what_takes_two_is_asked_for_decided_and_done(scripted, keys, approvals):
    scripted.script("Destroy", v1.DestroyResponse(approval=approval()), operation(v1.DestroyResponse()))
    scripted.script("Unseal", v1.UnsealResponse(approval=approval()), v1.UnsealResponse())
    scripted.script("ListApprovals", v1.ListApprovalsResponse(approvals=[approval()]))
    scripted.script("Approve", v1.ApproveResponse())
    scripted.script("Deny", v1.DenyResponse())
    asked = Approval(UID, "Destroy", "what", "spiffe://a/b", NOON, None, "ASKED", "")
    assert keys.ask_to_destroy(3) == keys.ask_to_unseal() == asked
    assert approvals.list() == (asked,)
    approvals.approve(UID)
    approvals.deny(UID)
    assert keys.destroy(3, UID).name == NAME
    keys.unseal(UID)
    requests = scripted.requests()
    assert [request.approval_uid for request in requests if hasattr(request, "approval_uid")] == [b"", b"", UID, UID, UID, UID]
    assert [request.keep_from_version for request in requests if hasattr(request, "keep_from_version")] == [3, 3]


def test_a_refusal_has_its_reason(scripted, keys):
    scripted.script("Unseal", REFUSED)
    with pytest.raises(VaultError, match="nobody has approved") as refusal:
        keys.unseal(UID)
    assert refusal.value.reason == "APPROVAL_NEEDED"


@pytest.mark.parametrize(
    ("method", "answer", "call"),
    [
        ("Rotate", v1.RotateResponse(), lambda keys: keys.rotate()),
        ("Destroy", v1.DestroyResponse(), lambda keys: keys.ask_to_destroy(2)),
        ("Destroy", v1.DestroyResponse(approval=approval()), lambda keys: keys.destroy(2, UID)),
        ("Unseal", v1.UnsealResponse(), lambda keys: keys.ask_to_unseal()),
        ("Unseal", v1.UnsealResponse(approval=v1.Approval(approval_uid=b"short")), lambda keys: keys.ask_to_unseal()),
    ],
)
def test_an_answer_that_does_not_fit_is_an_error(scripted, keys, method, answer, call):
    scripted.script(method, answer)
    with pytest.raises(VaultError, match="the server answered"):
        call(keys)


def test_another_operation_than_was_asked_for_is_an_error(scripted, operations):
    scripted.script("GetOperation", operation(v1.GetOperationResponse()))
    with pytest.raises(VaultError, match="another operation"):
        operations.get("operations/" + "0" * 32)


def test_a_subject_s_name_is_in_no_frame_of_a_refusal(scripted, keys):
    scripted.script("Rekey", ServerError(common_pb2.ERROR_REASON_SUBJECT_NOT_FOUND, "the tenant knows no such subject"))
    with pytest.raises(SubjectNotFoundError) as refusal:
        keys.rekey("customer-" + "17" * 8)
    frames, place = [], refusal.value.__traceback__.tb_next
    while place:
        frames += map(repr, place.tb_frame.f_locals.values())
        place = place.tb_next
    assert frames
    assert not [text for text in frames if "17" * 8 in text]
