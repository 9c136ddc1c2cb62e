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


def _one(_request: Any) -> int:
    return 1


@dataclass(frozen=True)
class Method:
    """One method. ``weight`` says how many items a request is about at most."""

    name: str
    request: type[Message]
    use_case: Callable[[Any, Taxonomy], UseCase]
    weight: Callable[[Any], int] = _one
    deadlines: Deadlines = UNARY


def of(kind: Callable[[Any], UseCase]) -> Callable[[Any, Taxonomy], UseCase]:
    """What makes a use case of a request alone, to which no data class matters."""
    return lambda request, _taxonomy: kind(request)


def _items(request: Any) -> int:
    return len(request.items)


def _tokens(request: Any) -> int:
    return len(request.tokens)


def _subjects(request: Any) -> int:
    return len(request.subject_ids)


METHODS = (
    Method(tokenize.ACTION, v1.TokenizeRequest, tokenize.Tokenize, _items),
    Method(reveal.ACTION, v1.RevealRequest, reveal.Reveal, _items),
    Method(verify.ACTION, v1.VerifyRequest, verify.Verify, _items),
    Method(search.ACTION, v1.SearchRequest, search.Search, search.weight),
    Method(describe.ACTION, v1.DescribeRequest, of(describe.Describe), _tokens),
    Method(update.ACTION, v1.UpdateRequest, update.Update, _items),
    Method(delete.ACTION, v1.DeleteRequest, of(delete.Delete), _tokens),
    Method(list_data_classes.ACTION, v1.ListDataClassesRequest, list_data_classes.ListDataClasses),
)

_FIELDS = (
    Method(encrypt.ACTION, fields_v1.EncryptRequest, encrypt.Encrypt, _items),
    Method(decrypt.ACTION, fields_v1.DecryptRequest, decrypt.Decrypt, _items),
    Method(reencrypt.ACTION, fields_v1.ReencryptRequest, reencrypt.Reencrypt, _items),
)

_KEYS = (
    Method(rotate.ROTATE, keys_v1.RotateRequest, of(rotate.Rotate)),
    Method(rotate.REKEY, keys_v1.RekeyRequest, of(rotate.Rekey)),
    Method(status.ACTION, keys_v1.StatusRequest, of(status.Status)),
    Method(destroy_request.DESTROY, keys_v1.DestroyRequest, of(destroy_request.Destroy)),
    Method(seal.SEAL, keys_v1.SealRequest, of(seal.Seal)),
    Method(seal.UNSEAL, keys_v1.UnsealRequest, of(seal.Unseal)),
    Method(schedule.ACTION, keys_v1.SetScheduleRequest, of(schedule.SetSchedule)),
)

_APPROVALS = (
    Method(list_approvals.ACTION, keys_v1.ListApprovalsRequest, of(list_approvals.ListApprovals)),
    Method(decide.APPROVE, keys_v1.ApproveRequest, of(decide.Approve)),
    Method(decide.DENY, keys_v1.DenyRequest, of(decide.Deny)),
)

_OPERATIONS = (
    Method(operation_calls.GET, keys_v1.GetOperationRequest, of(operation_calls.GetOperation)),
    Method(operation_calls.LIST, keys_v1.ListOperationsRequest, of(operation_calls.ListOperations)),
    *(
        Method(action, getattr(keys_v1, f"{action}Request"), of(partial(operation_calls.Steer, action)))
        for action in operation_calls.STEERED
    ),
)

_SUBJECTS = (
    Method(register.ACTION, subjects_v1.RegisterRequest, of(register.Register)),
    Method(get_subject.ACTION, subjects_v1.GetSubjectRequest, of(get_subject.GetSubject)),
    Method(list_subjects.ACTION, subjects_v1.ListSubjectsRequest, of(list_subjects.ListSubjects), list_subjects.weight),
    Method(link.LINK, subjects_v1.LinkRequest, of(link.Link)),
    Method(link.UNLINK, subjects_v1.UnlinkRequest, of(link.Unlink)),
    Method(restrict.RESTRICT, subjects_v1.RestrictRequest, of(restrict.Restrict)),
    Method(restrict.UNRESTRICT, subjects_v1.UnrestrictRequest, of(restrict.Unrestrict)),
    Method(holds.PLACE, subjects_v1.PlaceHoldRequest, of(holds.PlaceHold)),
    Method(holds.RELEASE, subjects_v1.ReleaseHoldRequest, of(holds.ReleaseHold)),
)

_ERASURES = (
    Method(erase.ACTION, subjects_v1.EraseRequest, of(erase.Erase)),
    Method(bulk_erase.ACTION, subjects_v1.BulkEraseRequest, of(bulk_erase.BulkErase), _subjects),
    Method(get_erasure.RECEIPT, subjects_v1.GetErasureReceiptRequest, of(get_erasure.GetErasureReceipt)),
    Method(get_erasure.VERIFY, subjects_v1.VerifyErasureRequest, of(get_erasure.VerifyErasure)),
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
