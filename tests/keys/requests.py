"""Requests about keys and approvals in few words."""

from google.protobuf.duration_pb2 import Duration
from tests.harness import context
from tests.use_cases.inside import Inside

from vault.v1 import key_service_pb2 as v1

DAY_S = 24 * 3600


def destroy(keep_from: int, approval_uid: bytes = b"") -> v1.DestroyRequest:
    """End KEK versions, or ask for it."""
    return v1.DestroyRequest(context=context("incident"), keep_from_version=keep_from, approval_uid=approval_uid)


def seal() -> v1.SealRequest:
    """End service."""
    return v1.SealRequest(context=context("incident"))


def unseal(approval_uid: bytes = b"") -> v1.UnsealRequest:
    """Begin service, or ask for it."""
    return v1.UnsealRequest(context=context("incident"), approval_uid=approval_uid)


def approve(approval_uid: bytes) -> v1.ApproveRequest:
    """Let it be done."""
    return v1.ApproveRequest(context=context("incident"), approval_uid=approval_uid)


def deny(approval_uid: bytes) -> v1.DenyRequest:
    """Refuse it."""
    return v1.DenyRequest(context=context("incident"), approval_uid=approval_uid)


def pending() -> v1.ListApprovalsRequest:
    """What is asked for."""
    return v1.ListApprovalsRequest(context=context("incident"))


def status() -> v1.StatusRequest:
    """The tenant's keys."""
    return v1.StatusRequest(context=context("report"))


def schedule(**seconds: int) -> v1.SetScheduleRequest:
    """How often, and for how long."""
    parts = {name: Duration(seconds=number) for name, number in seconds.items()}
    return v1.SetScheduleRequest(context=context("policy"), schedule=v1.KeySchedule(**parts))


def unsealed(inside: Inside, tenant: str = "acme") -> None:
    """Lift a seal, by two."""
    asked = inside.ask(unseal(), "security", tenant).approval
    inside.ask(approve(asked.approval_uid), "security-2", tenant)
    inside.ask(unseal(asked.approval_uid), "security", tenant)
