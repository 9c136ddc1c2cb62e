import datetime

from vault.v1._buf.validate import validate_pb2 as _validate_pb2
from google.longrunning import operations_pb2 as _operations_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from vault.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubjectState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SUBJECT_STATE_UNSPECIFIED: _ClassVar[SubjectState]
    SUBJECT_STATE_ACTIVE: _ClassVar[SubjectState]
    SUBJECT_STATE_RESTRICTED: _ClassVar[SubjectState]
    SUBJECT_STATE_ERASING: _ClassVar[SubjectState]
SUBJECT_STATE_UNSPECIFIED: SubjectState
SUBJECT_STATE_ACTIVE: SubjectState
SUBJECT_STATE_RESTRICTED: SubjectState
SUBJECT_STATE_ERASING: SubjectState

class Subject(_message.Message):
    __slots__ = ("subject_uid", "subject_id", "state", "aliases", "holds", "items")
    SUBJECT_UID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    subject_uid: bytes
    subject_id: str
    state: SubjectState
    aliases: _containers.RepeatedScalarFieldContainer[str]
    holds: _containers.RepeatedCompositeFieldContainer[Hold]
    items: _containers.RepeatedCompositeFieldContainer[ClassCount]
    def __init__(self, subject_uid: _Optional[bytes] = ..., subject_id: _Optional[str] = ..., state: _Optional[_Union[SubjectState, str]] = ..., aliases: _Optional[_Iterable[str]] = ..., holds: _Optional[_Iterable[_Union[Hold, _Mapping]]] = ..., items: _Optional[_Iterable[_Union[ClassCount, _Mapping]]] = ...) -> None: ...

class Hold(_message.Message):
    __slots__ = ("hold_uid", "reference", "create_time", "expire_time")
    HOLD_UID_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    hold_uid: bytes
    reference: str
    create_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, hold_uid: _Optional[bytes] = ..., reference: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ClassCount(_message.Message):
    __slots__ = ("data_class", "count")
    DATA_CLASS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    data_class: str
    count: int
    def __init__(self, data_class: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class RegisterRequest(_message.Message):
    __slots__ = ("context", "subject_id", "aliases")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    subject_id: str
    aliases: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., subject_id: _Optional[str] = ..., aliases: _Optional[_Iterable[str]] = ...) -> None: ...

class RegisterResponse(_message.Message):
    __slots__ = ("subject_uid", "existed")
    SUBJECT_UID_FIELD_NUMBER: _ClassVar[int]
    EXISTED_FIELD_NUMBER: _ClassVar[int]
    subject_uid: bytes
    existed: bool
    def __init__(self, subject_uid: _Optional[bytes] = ..., existed: _Optional[bool] = ...) -> None: ...

class GetSubjectRequest(_message.Message):
    __slots__ = ("context", "subject_id")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    subject_id: str
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., subject_id: _Optional[str] = ...) -> None: ...

class GetSubjectResponse(_message.Message):
    __slots__ = ("subject",)
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ...) -> None: ...

class ListSubjectsRequest(_message.Message):
    __slots__ = ("context", "page_size", "page_token")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    page_size: int
    page_token: str
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSubjectsResponse(_message.Message):
    __slots__ = ("subjects", "next_page_token")
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    subjects: _containers.RepeatedCompositeFieldContainer[Subject]
    next_page_token: str
    def __init__(self, subjects: _Optional[_Iterable[_Union[Subject, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class LinkRequest(_message.Message):
    __slots__ = ("context", "subject_id", "alias")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    subject_id: str
    alias: str
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., subject_id: _Optional[str] = ..., alias: _Optional[str] = ...) -> None: ...

class LinkResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UnlinkRequest(_message.Message):
    __slots__ = ("context", "alias")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    alias: str
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., alias: _Optional[str] = ...) -> None: ...

class UnlinkResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RestrictRequest(_message.Message):
    __slots__ = ("context", "subject_id")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    subject_id: str
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., subject_id: _Optional[str] = ...) -> None: ...

class RestrictResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UnrestrictRequest(_message.Message):
    __slots__ = ("context", "subject_id")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    subject_id: str
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., subject_id: _Optional[str] = ...) -> None: ...

class UnrestrictResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PlaceHoldRequest(_message.Message):
    __slots__ = ("context", "subject_id", "expire_time")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    subject_id: str
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., subject_id: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PlaceHoldResponse(_message.Message):
    __slots__ = ("hold",)
    HOLD_FIELD_NUMBER: _ClassVar[int]
    hold: Hold
    def __init__(self, hold: _Optional[_Union[Hold, _Mapping]] = ...) -> None: ...

class ReleaseHoldRequest(_message.Message):
    __slots__ = ("context", "subject_id", "hold_uid")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    HOLD_UID_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    subject_id: str
    hold_uid: bytes
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., subject_id: _Optional[str] = ..., hold_uid: _Optional[bytes] = ...) -> None: ...

class ReleaseHoldResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class EraseRequest(_message.Message):
    __slots__ = ("context", "subject_id")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    subject_id: str
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., subject_id: _Optional[str] = ...) -> None: ...

class EraseResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: ErasureReceipt
    def __init__(self, receipt: _Optional[_Union[ErasureReceipt, _Mapping]] = ...) -> None: ...

class BulkEraseRequest(_message.Message):
    __slots__ = ("context", "subject_ids")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_IDS_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    subject_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., subject_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class BulkEraseResponse(_message.Message):
    __slots__ = ("operation",)
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    operation: _operations_pb2.Operation
    def __init__(self, operation: _Optional[_Union[_operations_pb2.Operation, _Mapping]] = ...) -> None: ...

class BulkEraseResult(_message.Message):
    __slots__ = ("erasure_uids",)
    ERASURE_UIDS_FIELD_NUMBER: _ClassVar[int]
    erasure_uids: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, erasure_uids: _Optional[_Iterable[bytes]] = ...) -> None: ...

class GetErasureReceiptRequest(_message.Message):
    __slots__ = ("context", "erasure_uid")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    ERASURE_UID_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    erasure_uid: bytes
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., erasure_uid: _Optional[bytes] = ...) -> None: ...

class GetErasureReceiptResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: ErasureReceipt
    def __init__(self, receipt: _Optional[_Union[ErasureReceipt, _Mapping]] = ...) -> None: ...

class VerifyErasureRequest(_message.Message):
    __slots__ = ("context", "erasure_uid")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    ERASURE_UID_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    erasure_uid: bytes
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., erasure_uid: _Optional[bytes] = ...) -> None: ...

class VerifyErasureResponse(_message.Message):
    __slots__ = ("clean", "rows_left", "anchored", "horizon_reached")
    class RowsLeftEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    CLEAN_FIELD_NUMBER: _ClassVar[int]
    ROWS_LEFT_FIELD_NUMBER: _ClassVar[int]
    ANCHORED_FIELD_NUMBER: _ClassVar[int]
    HORIZON_REACHED_FIELD_NUMBER: _ClassVar[int]
    clean: bool
    rows_left: _containers.ScalarMap[str, int]
    anchored: bool
    horizon_reached: bool
    def __init__(self, clean: _Optional[bool] = ..., rows_left: _Optional[_Mapping[str, int]] = ..., anchored: _Optional[bool] = ..., horizon_reached: _Optional[bool] = ...) -> None: ...

class ErasureReceipt(_message.Message):
    __slots__ = ("statement", "subject_id", "commitment_key", "erased", "horizon")
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_KEY_FIELD_NUMBER: _ClassVar[int]
    ERASED_FIELD_NUMBER: _ClassVar[int]
    HORIZON_FIELD_NUMBER: _ClassVar[int]
    statement: bytes
    subject_id: str
    commitment_key: bytes
    erased: LeafProof
    horizon: LeafProof
    def __init__(self, statement: _Optional[bytes] = ..., subject_id: _Optional[str] = ..., commitment_key: _Optional[bytes] = ..., erased: _Optional[_Union[LeafProof, _Mapping]] = ..., horizon: _Optional[_Union[LeafProof, _Mapping]] = ...) -> None: ...

class LeafProof(_message.Message):
    __slots__ = ("leaf", "leaf_index", "hashes", "checkpoint")
    LEAF_FIELD_NUMBER: _ClassVar[int]
    LEAF_INDEX_FIELD_NUMBER: _ClassVar[int]
    HASHES_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    leaf: bytes
    leaf_index: int
    hashes: _containers.RepeatedScalarFieldContainer[bytes]
    checkpoint: str
    def __init__(self, leaf: _Optional[bytes] = ..., leaf_index: _Optional[int] = ..., hashes: _Optional[_Iterable[bytes]] = ..., checkpoint: _Optional[str] = ...) -> None: ...

class ErasureStatement(_message.Message):
    __slots__ = ("format", "erasure_uid", "tenant_uid", "subject_uid", "subject_commitment", "ground", "reference", "request_time", "keys", "items", "tokens", "digits_kept", "recipients", "refused_time", "clean_time", "horizon_time", "horizon_provable", "epoch", "index_key_version", "kek_versions", "kek_imported", "unopened_keys", "copies_kept")
    class DigitsKeptEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    ERASURE_UID_FIELD_NUMBER: _ClassVar[int]
    TENANT_UID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_UID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    GROUND_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_TIME_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    DIGITS_KEPT_FIELD_NUMBER: _ClassVar[int]
    RECIPIENTS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_TIME_FIELD_NUMBER: _ClassVar[int]
    CLEAN_TIME_FIELD_NUMBER: _ClassVar[int]
    HORIZON_TIME_FIELD_NUMBER: _ClassVar[int]
    HORIZON_PROVABLE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    INDEX_KEY_VERSION_FIELD_NUMBER: _ClassVar[int]
    KEK_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    KEK_IMPORTED_FIELD_NUMBER: _ClassVar[int]
    UNOPENED_KEYS_FIELD_NUMBER: _ClassVar[int]
    COPIES_KEPT_FIELD_NUMBER: _ClassVar[int]
    format: int
    erasure_uid: bytes
    tenant_uid: bytes
    subject_uid: bytes
    subject_commitment: bytes
    ground: str
    reference: str
    request_time: _timestamp_pb2.Timestamp
    keys: _containers.RepeatedCompositeFieldContainer[DestroyedKey]
    items: _containers.RepeatedCompositeFieldContainer[ClassCount]
    tokens: int
    digits_kept: _containers.ScalarMap[str, int]
    recipients: _containers.RepeatedScalarFieldContainer[str]
    refused_time: _timestamp_pb2.Timestamp
    clean_time: _timestamp_pb2.Timestamp
    horizon_time: _timestamp_pb2.Timestamp
    horizon_provable: bool
    epoch: int
    index_key_version: int
    kek_versions: _containers.RepeatedScalarFieldContainer[int]
    kek_imported: bool
    unopened_keys: int
    copies_kept: _duration_pb2.Duration
    def __init__(self, format: _Optional[int] = ..., erasure_uid: _Optional[bytes] = ..., tenant_uid: _Optional[bytes] = ..., subject_uid: _Optional[bytes] = ..., subject_commitment: _Optional[bytes] = ..., ground: _Optional[str] = ..., reference: _Optional[str] = ..., request_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., keys: _Optional[_Iterable[_Union[DestroyedKey, _Mapping]]] = ..., items: _Optional[_Iterable[_Union[ClassCount, _Mapping]]] = ..., tokens: _Optional[int] = ..., digits_kept: _Optional[_Mapping[str, int]] = ..., recipients: _Optional[_Iterable[str]] = ..., refused_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., clean_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., horizon_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., horizon_provable: _Optional[bool] = ..., epoch: _Optional[int] = ..., index_key_version: _Optional[int] = ..., kek_versions: _Optional[_Iterable[int]] = ..., kek_imported: _Optional[bool] = ..., unopened_keys: _Optional[int] = ..., copies_kept: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class DestroyedKey(_message.Message):
    __slots__ = ("kind", "version", "key_id", "epoch", "wrapped_sha256")
    KIND_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    WRAPPED_SHA256_FIELD_NUMBER: _ClassVar[int]
    kind: str
    version: int
    key_id: bytes
    epoch: int
    wrapped_sha256: bytes
    def __init__(self, kind: _Optional[str] = ..., version: _Optional[int] = ..., key_id: _Optional[bytes] = ..., epoch: _Optional[int] = ..., wrapped_sha256: _Optional[bytes] = ...) -> None: ...
