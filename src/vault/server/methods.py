"""The methods of all services but AuditService: for each, its request type and the use case that answers it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from google.protobuf.message import Message

from vault import delete, describe, list_data_classes, reveal, search, tokenize, update, verify
from vault.approvals import decide, list_approvals
from vault.call import UseCase
from vault.classes.taxonomy import Taxonomy
from vault.fields import decrypt, encrypt, reencrypt
from vault.keys import destroy_request, operation_calls, rotate, schedule, seal, status
from vault.subjects import bulk_erase, erase, get_erasure, get_subject, holds, link, list_subjects, register, restrict
from vault.v1 import field_service_pb2 as fields_v1
from vault.v1 import key_service_pb2 as keys_v1
from vault.v1 import subject_service_pb2 as subjects_v1
from vault.v1 import vault_service_pb2 as v1


class Deadlines(NamedTuple):
    """Which deadlines a method takes: whether it needs one, and the longest, in seconds."""

    needed: bool
    longest_s: float


UNARY = Deadlines(needed=True, longest_s=60.0)


@dataclass(frozen=True)
class Method:
    """One method. ``weight`` says how many items a request is about at most."""

    name: str
    request: type[Message]
    weight: Callable[[Any], int]
    use_case: Callable[[Any, Taxonomy], UseCase]
    deadlines: Deadlines = UNARY


def _items(request: Any) -> int:
    return len(request.items)


def _tokens(request: Any) -> int:
    return len(request.tokens)


def _one(_request: Any) -> int:
    return 1


def _subjects(request: Any) -> int:
    return len(request.subject_ids)


def _steer(action: str, request: Any, _taxonomy: Taxonomy) -> UseCase:
    return operation_calls.Steer(action, request)


METHODS = (
    Method(tokenize.ACTION, v1.TokenizeRequest, _items, tokenize.Tokenize),
    Method(reveal.ACTION, v1.RevealRequest, _items, reveal.Reveal),
    Method(verify.ACTION, v1.VerifyRequest, _items, verify.Verify),
    Method(search.ACTION, v1.SearchRequest, search.weight, search.Search),
    Method(describe.ACTION, v1.DescribeRequest, _tokens, lambda request, _: describe.Describe(request)),
    Method(update.ACTION, v1.UpdateRequest, _items, update.Update),
    Method(delete.ACTION, v1.DeleteRequest, _tokens, lambda request, _: delete.Delete(request)),
    Method(list_data_classes.ACTION, v1.ListDataClassesRequest, _one, list_data_classes.ListDataClasses),
)

_FIELDS = (
    Method(encrypt.ACTION, fields_v1.EncryptRequest, _items, encrypt.Encrypt),
    Method(decrypt.ACTION, fields_v1.DecryptRequest, _items, decrypt.Decrypt),
    Method(reencrypt.ACTION, fields_v1.ReencryptRequest, _items, reencrypt.Reencrypt),
)

_KEYS = (
    Method(rotate.ROTATE, keys_v1.RotateRequest, _one, lambda request, _: rotate.Rotate(request)),
    Method(rotate.REKEY, keys_v1.RekeyRequest, _one, lambda request, _: rotate.Rekey(request)),
    Method(status.ACTION, keys_v1.StatusRequest, _one, lambda request, _: status.Status(request)),
    Method(destroy_request.DESTROY, keys_v1.DestroyRequest, _one, lambda request, _: destroy_request.Destroy(request)),
    Method(seal.SEAL, keys_v1.SealRequest, _one, lambda request, _: seal.Seal(request)),
    Method(seal.UNSEAL, keys_v1.UnsealRequest, _one, lambda request, _: seal.Unseal(request)),
    Method(schedule.ACTION, keys_v1.SetScheduleRequest, _one, lambda request, _: schedule.SetSchedule(request)),
)

_APPROVALS = (
    Method(list_approvals.ACTION, keys_v1.ListApprovalsRequest, _one, lambda request, _: list_approvals.ListApprovals(request)),
    Method(decide.APPROVE, keys_v1.ApproveRequest, _one, lambda request, _: decide.Approve(request)),
    Method(decide.DENY, keys_v1.DenyRequest, _one, lambda request, _: decide.Deny(request)),
)

_OPERATIONS = (
    Method(operation_calls.GET, keys_v1.GetOperationRequest, _one, lambda request, _: operation_calls.GetOperation(request)),
    Method(operation_calls.LIST, keys_v1.ListOperationsRequest, _one, lambda request, _: operation_calls.ListOperations(request)),
    *(Method(action, getattr(keys_v1, f"{action}Request"), _one, partial(_steer, action)) for action in operation_calls.STEERED),
)

_SUBJECTS = (
    Method(register.ACTION, subjects_v1.RegisterRequest, _one, register.Register),
    Method(get_subject.ACTION, subjects_v1.GetSubjectRequest, _one, get_subject.GetSubject),
    Method(list_subjects.ACTION, subjects_v1.ListSubjectsRequest, list_subjects.weight, list_subjects.ListSubjects),
    Method(link.LINK, subjects_v1.LinkRequest, _one, link.Link),
    Method(link.UNLINK, subjects_v1.UnlinkRequest, _one, link.Unlink),
    Method(restrict.RESTRICT, subjects_v1.RestrictRequest, _one, restrict.Restrict),
    Method(restrict.UNRESTRICT, subjects_v1.UnrestrictRequest, _one, restrict.Unrestrict),
    Method(holds.PLACE, subjects_v1.PlaceHoldRequest, _one, holds.PlaceHold),
    Method(holds.RELEASE, subjects_v1.ReleaseHoldRequest, _one, holds.ReleaseHold),
)

_ERASURES = (
    Method(erase.ACTION, subjects_v1.EraseRequest, _one, lambda request, _: erase.Erase(request)),
    Method(bulk_erase.ACTION, subjects_v1.BulkEraseRequest, _subjects, lambda request, _: bulk_erase.BulkErase(request)),
    Method(
        get_erasure.RECEIPT, subjects_v1.GetErasureReceiptRequest, _one, lambda request, _: get_erasure.GetErasureReceipt(request)
    ),
    Method(get_erasure.VERIFY, subjects_v1.VerifyErasureRequest, _one, lambda request, _: get_erasure.VerifyErasure(request)),
)

SERVICES: Mapping[str, tuple[Method, ...]] = {
    "vault.v1.VaultService": METHODS,
    "vault.v1.FieldService": _FIELDS,
    "vault.v1.KeyService": _KEYS,
    "vault.v1.OperationService": _OPERATIONS,
    "vault.v1.ApprovalService": _APPROVALS,
    "vault.v1.SubjectService": (*_SUBJECTS, *_ERASURES),
}
"""By the service's full name."""
