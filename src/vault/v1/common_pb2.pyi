from vault.v1._buf.validate import validate_pb2 as _validate_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FormKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FORM_KIND_UNSPECIFIED: _ClassVar[FormKind]
    FORM_KIND_MASKED: _ClassVar[FormKind]
    FORM_KIND_PLAIN: _ClassVar[FormKind]
    FORM_KIND_PARTIAL: _ClassVar[FormKind]

class Atomicity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ATOMICITY_UNSPECIFIED: _ClassVar[Atomicity]
    ATOMICITY_ALL_OR_NOTHING: _ClassVar[Atomicity]
    ATOMICITY_PER_ITEM: _ClassVar[Atomicity]

class Validation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VALIDATION_UNSPECIFIED: _ClassVar[Validation]
    VALIDATION_STRICT: _ClassVar[Validation]
    VALIDATION_LENIENT: _ClassVar[Validation]

class Provenance(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROVENANCE_UNSPECIFIED: _ClassVar[Provenance]
    PROVENANCE_SUBJECT: _ClassVar[Provenance]
    PROVENANCE_PARTNER: _ClassVar[Provenance]
    PROVENANCE_USAGE: _ClassVar[Provenance]
    PROVENANCE_ON_BEHALF: _ClassVar[Provenance]

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_MALFORMED_REQUEST: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_FIELD: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_VALUE: _ClassVar[ErrorReason]
    ERROR_REASON_UNKNOWN_DATA_CLASS: _ClassVar[ErrorReason]
    ERROR_REASON_UNKNOWN_FORM: _ClassVar[ErrorReason]
    ERROR_REASON_NO_FINGERPRINT: _ClassVar[ErrorReason]
    ERROR_REASON_REFERENCE_LOOKS_PERSONAL: _ClassVar[ErrorReason]
    ERROR_REASON_DEADLINE_REQUIRED: _ClassVar[ErrorReason]
    ERROR_REASON_DEADLINE_TOO_LONG: _ClassVar[ErrorReason]
    ERROR_REASON_PAGE_TOKEN_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_LOG_RANGE: _ClassVar[ErrorReason]
    ERROR_REASON_COSIGNATURE_REFUSED: _ClassVar[ErrorReason]
    ERROR_REASON_SUBJECT_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_CIPHERTEXT_REFUSED: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_TOKEN_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_TOKEN_EXPIRED: _ClassVar[ErrorReason]
    ERROR_REASON_TOKEN_USED_UP: _ClassVar[ErrorReason]
    ERROR_REASON_REVEAL_ALREADY_DELIVERED: _ClassVar[ErrorReason]
    ERROR_REASON_REVISION_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_REQUEST_ID_REUSED: _ClassVar[ErrorReason]
    ERROR_REASON_ALIAS_TAKEN: _ClassVar[ErrorReason]
    ERROR_REASON_SUBJECT_HELD: _ClassVar[ErrorReason]
    ERROR_REASON_KEY_IN_USE: _ClassVar[ErrorReason]
    ERROR_REASON_OPERATION_UNDER_WAY: _ClassVar[ErrorReason]
    ERROR_REASON_WRONG_STATE: _ClassVar[ErrorReason]
    ERROR_REASON_APPROVAL_NEEDED: _ClassVar[ErrorReason]
    ERROR_REASON_CERTIFICATE_REFUSED: _ClassVar[ErrorReason]
    ERROR_REASON_PRINCIPAL_UNKNOWN: _ClassVar[ErrorReason]
    ERROR_REASON_PRINCIPAL_SUSPENDED: _ClassVar[ErrorReason]
    ERROR_REASON_POLICY_DENIED: _ClassVar[ErrorReason]
    ERROR_REASON_PURPOSE_NOT_COLLECTED: _ClassVar[ErrorReason]
    ERROR_REASON_POLICY_ERROR: _ClassVar[ErrorReason]
    ERROR_REASON_TENANT_SEALED: _ClassVar[ErrorReason]
    ERROR_REASON_SUBJECT_RESTRICTED: _ClassVar[ErrorReason]
    ERROR_REASON_RESPONSE_TOO_LARGE: _ClassVar[ErrorReason]
    ERROR_REASON_OVERLOADED: _ClassVar[ErrorReason]
    ERROR_REASON_CONFLICT: _ClassVar[ErrorReason]
    ERROR_REASON_DEADLINE_EXCEEDED: _ClassVar[ErrorReason]
    ERROR_REASON_KMS_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_KMS_SEALED: _ClassVar[ErrorReason]
    ERROR_REASON_KMS_DENIED: _ClassVar[ErrorReason]
    ERROR_REASON_DATABASE_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_DATABASE_READ_ONLY: _ClassVar[ErrorReason]
    ERROR_REASON_SHUTTING_DOWN: _ClassVar[ErrorReason]
    ERROR_REASON_SCHEMA_UNKNOWN: _ClassVar[ErrorReason]
    ERROR_REASON_CLOCK_SKEW: _ClassVar[ErrorReason]
    ERROR_REASON_LOG_STALLED: _ClassVar[ErrorReason]
    ERROR_REASON_LOG_BEHIND_ANCHOR: _ClassVar[ErrorReason]
    ERROR_REASON_RESTORED_NOT_RECONCILED: _ClassVar[ErrorReason]
    ERROR_REASON_INTEGRITY: _ClassVar[ErrorReason]
    ERROR_REASON_INTERNAL: _ClassVar[ErrorReason]
FORM_KIND_UNSPECIFIED: FormKind
FORM_KIND_MASKED: FormKind
FORM_KIND_PLAIN: FormKind
FORM_KIND_PARTIAL: FormKind
ATOMICITY_UNSPECIFIED: Atomicity
ATOMICITY_ALL_OR_NOTHING: Atomicity
ATOMICITY_PER_ITEM: Atomicity
VALIDATION_UNSPECIFIED: Validation
VALIDATION_STRICT: Validation
VALIDATION_LENIENT: Validation
PROVENANCE_UNSPECIFIED: Provenance
PROVENANCE_SUBJECT: Provenance
PROVENANCE_PARTNER: Provenance
PROVENANCE_USAGE: Provenance
PROVENANCE_ON_BEHALF: Provenance
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_MALFORMED_REQUEST: ErrorReason
ERROR_REASON_INVALID_FIELD: ErrorReason
ERROR_REASON_INVALID_VALUE: ErrorReason
ERROR_REASON_UNKNOWN_DATA_CLASS: ErrorReason
ERROR_REASON_UNKNOWN_FORM: ErrorReason
ERROR_REASON_NO_FINGERPRINT: ErrorReason
ERROR_REASON_REFERENCE_LOOKS_PERSONAL: ErrorReason
ERROR_REASON_DEADLINE_REQUIRED: ErrorReason
ERROR_REASON_DEADLINE_TOO_LONG: ErrorReason
ERROR_REASON_PAGE_TOKEN_INVALID: ErrorReason
ERROR_REASON_LOG_RANGE: ErrorReason
ERROR_REASON_COSIGNATURE_REFUSED: ErrorReason
ERROR_REASON_SUBJECT_NOT_FOUND: ErrorReason
ERROR_REASON_CIPHERTEXT_REFUSED: ErrorReason
ERROR_REASON_NOT_FOUND: ErrorReason
ERROR_REASON_TOKEN_NOT_FOUND: ErrorReason
ERROR_REASON_TOKEN_EXPIRED: ErrorReason
ERROR_REASON_TOKEN_USED_UP: ErrorReason
ERROR_REASON_REVEAL_ALREADY_DELIVERED: ErrorReason
ERROR_REASON_REVISION_MISMATCH: ErrorReason
ERROR_REASON_REQUEST_ID_REUSED: ErrorReason
ERROR_REASON_ALIAS_TAKEN: ErrorReason
ERROR_REASON_SUBJECT_HELD: ErrorReason
ERROR_REASON_KEY_IN_USE: ErrorReason
ERROR_REASON_OPERATION_UNDER_WAY: ErrorReason
ERROR_REASON_WRONG_STATE: ErrorReason
ERROR_REASON_APPROVAL_NEEDED: ErrorReason
ERROR_REASON_CERTIFICATE_REFUSED: ErrorReason
ERROR_REASON_PRINCIPAL_UNKNOWN: ErrorReason
ERROR_REASON_PRINCIPAL_SUSPENDED: ErrorReason
ERROR_REASON_POLICY_DENIED: ErrorReason
ERROR_REASON_PURPOSE_NOT_COLLECTED: ErrorReason
ERROR_REASON_POLICY_ERROR: ErrorReason
ERROR_REASON_TENANT_SEALED: ErrorReason
ERROR_REASON_SUBJECT_RESTRICTED: ErrorReason
ERROR_REASON_RESPONSE_TOO_LARGE: ErrorReason
ERROR_REASON_OVERLOADED: ErrorReason
ERROR_REASON_CONFLICT: ErrorReason
ERROR_REASON_DEADLINE_EXCEEDED: ErrorReason
ERROR_REASON_KMS_UNAVAILABLE: ErrorReason
ERROR_REASON_KMS_SEALED: ErrorReason
ERROR_REASON_KMS_DENIED: ErrorReason
ERROR_REASON_DATABASE_UNAVAILABLE: ErrorReason
ERROR_REASON_DATABASE_READ_ONLY: ErrorReason
ERROR_REASON_SHUTTING_DOWN: ErrorReason
ERROR_REASON_SCHEMA_UNKNOWN: ErrorReason
ERROR_REASON_CLOCK_SKEW: ErrorReason
ERROR_REASON_LOG_STALLED: ErrorReason
ERROR_REASON_LOG_BEHIND_ANCHOR: ErrorReason
ERROR_REASON_RESTORED_NOT_RECONCILED: ErrorReason
ERROR_REASON_INTEGRITY: ErrorReason
ERROR_REASON_INTERNAL: ErrorReason

class CallContext(_message.Message):
    __slots__ = ("purpose", "request_id", "ground", "reference", "recipient")
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    GROUND_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    purpose: str
    request_id: str
    ground: str
    reference: str
    recipient: str
    def __init__(self, purpose: _Optional[str] = ..., request_id: _Optional[str] = ..., ground: _Optional[str] = ..., reference: _Optional[str] = ..., recipient: _Optional[str] = ...) -> None: ...

class Value(_message.Message):
    __slots__ = ("text", "data")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    text: str
    data: bytes
    def __init__(self, text: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

class Form(_message.Message):
    __slots__ = ("kind", "partial_name")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_NAME_FIELD_NUMBER: _ClassVar[int]
    kind: FormKind
    partial_name: str
    def __init__(self, kind: _Optional[_Union[FormKind, str]] = ..., partial_name: _Optional[str] = ...) -> None: ...
