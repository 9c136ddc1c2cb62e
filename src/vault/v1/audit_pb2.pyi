from vault.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Decision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECISION_UNSPECIFIED: _ClassVar[Decision]
    DECISION_ALLOWED: _ClassVar[Decision]
    DECISION_DENIED: _ClassVar[Decision]
    DECISION_FAILED: _ClassVar[Decision]
    DECISION_PARTIAL: _ClassVar[Decision]

class Change(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANGE_UNSPECIFIED: _ClassVar[Change]
    CHANGE_CREATED: _ClassVar[Change]
    CHANGE_UPDATED: _ClassVar[Change]
    CHANGE_DELETED: _ClassVar[Change]
DECISION_UNSPECIFIED: Decision
DECISION_ALLOWED: Decision
DECISION_DENIED: Decision
DECISION_FAILED: Decision
DECISION_PARTIAL: Decision
CHANGE_UNSPECIFIED: Change
CHANGE_CREATED: Change
CHANGE_UPDATED: Change
CHANGE_DELETED: Change

class AuditEvent(_message.Message):
    __slots__ = ("format", "time_us", "tenant_uid", "principal_uid", "principal", "certificate_sha256", "node", "action", "decision", "reason", "policy_ids", "roles", "policy_sha256", "purpose", "ground", "reference", "recipient", "request_id", "touched", "details", "random", "boot_id", "boot_sequence", "previous_hash", "boot_public_key", "boot_endorsement", "boot_signature")
    class DetailsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    TIME_US_FIELD_NUMBER: _ClassVar[int]
    TENANT_UID_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_UID_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_SHA256_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    POLICY_IDS_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    POLICY_SHA256_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    GROUND_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TOUCHED_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    RANDOM_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    BOOT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_HASH_FIELD_NUMBER: _ClassVar[int]
    BOOT_PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    BOOT_ENDORSEMENT_FIELD_NUMBER: _ClassVar[int]
    BOOT_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    format: int
    time_us: int
    tenant_uid: bytes
    principal_uid: bytes
    principal: str
    certificate_sha256: bytes
    node: str
    action: str
    decision: Decision
    reason: _common_pb2.ErrorReason
    policy_ids: _containers.RepeatedScalarFieldContainer[str]
    roles: _containers.RepeatedScalarFieldContainer[str]
    policy_sha256: bytes
    purpose: str
    ground: str
    reference: str
    recipient: str
    request_id: bytes
    touched: _containers.RepeatedCompositeFieldContainer[Touched]
    details: _containers.ScalarMap[str, str]
    random: bytes
    boot_id: bytes
    boot_sequence: int
    previous_hash: bytes
    boot_public_key: bytes
    boot_endorsement: bytes
    boot_signature: bytes
    def __init__(self, format: _Optional[int] = ..., time_us: _Optional[int] = ..., tenant_uid: _Optional[bytes] = ..., principal_uid: _Optional[bytes] = ..., principal: _Optional[str] = ..., certificate_sha256: _Optional[bytes] = ..., node: _Optional[str] = ..., action: _Optional[str] = ..., decision: _Optional[_Union[Decision, str]] = ..., reason: _Optional[_Union[_common_pb2.ErrorReason, str]] = ..., policy_ids: _Optional[_Iterable[str]] = ..., roles: _Optional[_Iterable[str]] = ..., policy_sha256: _Optional[bytes] = ..., purpose: _Optional[str] = ..., ground: _Optional[str] = ..., reference: _Optional[str] = ..., recipient: _Optional[str] = ..., request_id: _Optional[bytes] = ..., touched: _Optional[_Iterable[_Union[Touched, _Mapping]]] = ..., details: _Optional[_Mapping[str, str]] = ..., random: _Optional[bytes] = ..., boot_id: _Optional[bytes] = ..., boot_sequence: _Optional[int] = ..., previous_hash: _Optional[bytes] = ..., boot_public_key: _Optional[bytes] = ..., boot_endorsement: _Optional[bytes] = ..., boot_signature: _Optional[bytes] = ...) -> None: ...

class Touched(_message.Message):
    __slots__ = ("data_class", "form", "partial_name", "count", "subject_uids", "token_uids", "reason", "change", "envelope_hashes", "mismatched", "queries")
    DATA_CLASS_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_NAME_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_UIDS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_UIDS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_HASHES_FIELD_NUMBER: _ClassVar[int]
    MISMATCHED_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    data_class: str
    form: _common_pb2.FormKind
    partial_name: str
    count: int
    subject_uids: bytes
    token_uids: bytes
    reason: _common_pb2.ErrorReason
    change: Change
    envelope_hashes: bytes
    mismatched: int
    queries: int
    def __init__(self, data_class: _Optional[str] = ..., form: _Optional[_Union[_common_pb2.FormKind, str]] = ..., partial_name: _Optional[str] = ..., count: _Optional[int] = ..., subject_uids: _Optional[bytes] = ..., token_uids: _Optional[bytes] = ..., reason: _Optional[_Union[_common_pb2.ErrorReason, str]] = ..., change: _Optional[_Union[Change, str]] = ..., envelope_hashes: _Optional[bytes] = ..., mismatched: _Optional[int] = ..., queries: _Optional[int] = ...) -> None: ...
