import datetime

from vault.v1._buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from vault.v1 import audit_pb2 as _audit_pb2
from vault.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Bucket(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUCKET_UNSPECIFIED: _ClassVar[Bucket]
    BUCKET_TOTAL: _ClassVar[Bucket]
    BUCKET_HOUR: _ClassVar[Bucket]
    BUCKET_DAY: _ClassVar[Bucket]

class Dimension(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIMENSION_UNSPECIFIED: _ClassVar[Dimension]
    DIMENSION_ACTION: _ClassVar[Dimension]
    DIMENSION_DECISION: _ClassVar[Dimension]
    DIMENSION_PRINCIPAL: _ClassVar[Dimension]
    DIMENSION_DATA_CLASS: _ClassVar[Dimension]
    DIMENSION_PURPOSE: _ClassVar[Dimension]
    DIMENSION_RECIPIENT: _ClassVar[Dimension]
    DIMENSION_NODE: _ClassVar[Dimension]

class Use(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    USE_UNSPECIFIED: _ClassVar[Use]
    USE_REVEALED: _ClassVar[Use]
    USE_PARTIAL: _ClassVar[Use]
    USE_MASKED: _ClassVar[Use]
    USE_SEARCHED: _ClassVar[Use]
    USE_VERIFIED: _ClassVar[Use]
    USE_WRITTEN: _ClassVar[Use]
    USE_REFUSED: _ClassVar[Use]
    USE_AUDITED: _ClassVar[Use]
    USE_EXPOSED: _ClassVar[Use]

class KeyKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KEY_KIND_UNSPECIFIED: _ClassVar[KeyKind]
    KEY_KIND_EPOCH: _ClassVar[KeyKind]
    KEY_KIND_INDEX: _ClassVar[KeyKind]
    KEY_KIND_KEK: _ClassVar[KeyKind]
BUCKET_UNSPECIFIED: Bucket
BUCKET_TOTAL: Bucket
BUCKET_HOUR: Bucket
BUCKET_DAY: Bucket
DIMENSION_UNSPECIFIED: Dimension
DIMENSION_ACTION: Dimension
DIMENSION_DECISION: Dimension
DIMENSION_PRINCIPAL: Dimension
DIMENSION_DATA_CLASS: Dimension
DIMENSION_PURPOSE: Dimension
DIMENSION_RECIPIENT: Dimension
DIMENSION_NODE: Dimension
USE_UNSPECIFIED: Use
USE_REVEALED: Use
USE_PARTIAL: Use
USE_MASKED: Use
USE_SEARCHED: Use
USE_VERIFIED: Use
USE_WRITTEN: Use
USE_REFUSED: Use
USE_AUDITED: Use
USE_EXPOSED: Use
KEY_KIND_UNSPECIFIED: KeyKind
KEY_KIND_EPOCH: KeyKind
KEY_KIND_INDEX: KeyKind
KEY_KIND_KEK: KeyKind

class EventFilter(_message.Message):
    __slots__ = ("start_time", "end_time", "principal", "action", "decision", "data_class", "purpose", "recipient", "policy_id", "request_id", "node", "certificate_sha256", "subject_id", "subject_uid", "token", "token_uid")
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    DATA_CLASS_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    POLICY_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_SHA256_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_UID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOKEN_UID_FIELD_NUMBER: _ClassVar[int]
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    principal: str
    action: str
    decision: _audit_pb2.Decision
    data_class: str
    purpose: str
    recipient: str
    policy_id: str
    request_id: str
    node: str
    certificate_sha256: bytes
    subject_id: str
    subject_uid: bytes
    token: str
    token_uid: bytes
    def __init__(self, start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., principal: _Optional[str] = ..., action: _Optional[str] = ..., decision: _Optional[_Union[_audit_pb2.Decision, str]] = ..., data_class: _Optional[str] = ..., purpose: _Optional[str] = ..., recipient: _Optional[str] = ..., policy_id: _Optional[str] = ..., request_id: _Optional[str] = ..., node: _Optional[str] = ..., certificate_sha256: _Optional[bytes] = ..., subject_id: _Optional[str] = ..., subject_uid: _Optional[bytes] = ..., token: _Optional[str] = ..., token_uid: _Optional[bytes] = ...) -> None: ...

class LogEntry(_message.Message):
    __slots__ = ("index", "leaf")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    LEAF_FIELD_NUMBER: _ClassVar[int]
    index: int
    leaf: bytes
    def __init__(self, index: _Optional[int] = ..., leaf: _Optional[bytes] = ...) -> None: ...

class QueryRequest(_message.Message):
    __slots__ = ("context", "filter", "page_size", "page_token")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    filter: EventFilter
    page_size: int
    page_token: str
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., filter: _Optional[_Union[EventFilter, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class QueryResponse(_message.Message):
    __slots__ = ("entries", "next_page_token", "size")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[LogEntry]
    next_page_token: str
    size: int
    def __init__(self, entries: _Optional[_Iterable[_Union[LogEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., size: _Optional[int] = ...) -> None: ...

class TailRequest(_message.Message):
    __slots__ = ("context", "start_index", "filter")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    START_INDEX_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    start_index: int
    filter: EventFilter
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., start_index: _Optional[int] = ..., filter: _Optional[_Union[EventFilter, _Mapping]] = ...) -> None: ...

class TailResponse(_message.Message):
    __slots__ = ("entries", "next_index")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_INDEX_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[LogEntry]
    next_index: int
    def __init__(self, entries: _Optional[_Iterable[_Union[LogEntry, _Mapping]]] = ..., next_index: _Optional[int] = ...) -> None: ...

class GetCheckpointRequest(_message.Message):
    __slots__ = ("context",)
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ...) -> None: ...

class GetCheckpointResponse(_message.Message):
    __slots__ = ("checkpoint", "cosigned_checkpoint", "log_key", "witnesses")
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    COSIGNED_CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    LOG_KEY_FIELD_NUMBER: _ClassVar[int]
    WITNESSES_FIELD_NUMBER: _ClassVar[int]
    checkpoint: str
    cosigned_checkpoint: str
    log_key: str
    witnesses: _containers.RepeatedCompositeFieldContainer[WitnessState]
    def __init__(self, checkpoint: _Optional[str] = ..., cosigned_checkpoint: _Optional[str] = ..., log_key: _Optional[str] = ..., witnesses: _Optional[_Iterable[_Union[WitnessState, _Mapping]]] = ...) -> None: ...

class WitnessState(_message.Message):
    __slots__ = ("name", "size", "cosign_time", "problem")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    COSIGN_TIME_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    name: str
    size: int
    cosign_time: _timestamp_pb2.Timestamp
    problem: str
    def __init__(self, name: _Optional[str] = ..., size: _Optional[int] = ..., cosign_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., problem: _Optional[str] = ...) -> None: ...

class GetInclusionProofRequest(_message.Message):
    __slots__ = ("context", "index", "size")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    index: int
    size: int
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., index: _Optional[int] = ..., size: _Optional[int] = ...) -> None: ...

class GetInclusionProofResponse(_message.Message):
    __slots__ = ("entry", "hashes", "size", "proof_file")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    HASHES_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    PROOF_FILE_FIELD_NUMBER: _ClassVar[int]
    entry: LogEntry
    hashes: _containers.RepeatedScalarFieldContainer[bytes]
    size: int
    proof_file: str
    def __init__(self, entry: _Optional[_Union[LogEntry, _Mapping]] = ..., hashes: _Optional[_Iterable[bytes]] = ..., size: _Optional[int] = ..., proof_file: _Optional[str] = ...) -> None: ...

class GetConsistencyProofRequest(_message.Message):
    __slots__ = ("context", "first_size", "second_size")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    FIRST_SIZE_FIELD_NUMBER: _ClassVar[int]
    SECOND_SIZE_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    first_size: int
    second_size: int
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., first_size: _Optional[int] = ..., second_size: _Optional[int] = ...) -> None: ...

class GetConsistencyProofResponse(_message.Message):
    __slots__ = ("hashes", "second_size", "checkpoint")
    HASHES_FIELD_NUMBER: _ClassVar[int]
    SECOND_SIZE_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    hashes: _containers.RepeatedScalarFieldContainer[bytes]
    second_size: int
    checkpoint: str
    def __init__(self, hashes: _Optional[_Iterable[bytes]] = ..., second_size: _Optional[int] = ..., checkpoint: _Optional[str] = ...) -> None: ...

class SubjectTimelineRequest(_message.Message):
    __slots__ = ("context", "subject_id", "subject_uid", "page_size", "page_token")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_UID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    subject_id: str
    subject_uid: bytes
    page_size: int
    page_token: str
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., subject_id: _Optional[str] = ..., subject_uid: _Optional[bytes] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class SubjectTimelineResponse(_message.Message):
    __slots__ = ("entries", "next_page_token", "subject_uid", "size")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_UID_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[LogEntry]
    next_page_token: str
    subject_uid: bytes
    size: int
    def __init__(self, entries: _Optional[_Iterable[_Union[LogEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., subject_uid: _Optional[bytes] = ..., size: _Optional[int] = ...) -> None: ...

class AggregateRequest(_message.Message):
    __slots__ = ("context", "filter", "bucket", "dimensions")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    BUCKET_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    filter: EventFilter
    bucket: Bucket
    dimensions: _containers.RepeatedScalarFieldContainer[Dimension]
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., filter: _Optional[_Union[EventFilter, _Mapping]] = ..., bucket: _Optional[_Union[Bucket, str]] = ..., dimensions: _Optional[_Iterable[_Union[Dimension, str]]] = ...) -> None: ...

class AggregateResponse(_message.Message):
    __slots__ = ("counts", "size")
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedCompositeFieldContainer[Count]
    size: int
    def __init__(self, counts: _Optional[_Iterable[_Union[Count, _Mapping]]] = ..., size: _Optional[int] = ...) -> None: ...

class Count(_message.Message):
    __slots__ = ("time", "values", "events", "items")
    TIME_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    values: _containers.RepeatedScalarFieldContainer[str]
    events: int
    items: int
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., values: _Optional[_Iterable[str]] = ..., events: _Optional[int] = ..., items: _Optional[int] = ...) -> None: ...

class NamedKey(_message.Message):
    __slots__ = ("kind", "number")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    kind: KeyKind
    number: int
    def __init__(self, kind: _Optional[_Union[KeyKind, str]] = ..., number: _Optional[int] = ...) -> None: ...

class BreachReportRequest(_message.Message):
    __slots__ = ("context", "principal", "certificate_sha256", "node", "key", "subject_uid", "start_time", "end_time", "with_subject_ids")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_SHA256_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_UID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    WITH_SUBJECT_IDS_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    principal: str
    certificate_sha256: bytes
    node: str
    key: NamedKey
    subject_uid: bytes
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    with_subject_ids: bool
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., principal: _Optional[str] = ..., certificate_sha256: _Optional[bytes] = ..., node: _Optional[str] = ..., key: _Optional[_Union[NamedKey, _Mapping]] = ..., subject_uid: _Optional[bytes] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., with_subject_ids: _Optional[bool] = ...) -> None: ...

class BreachReportResponse(_message.Message):
    __slots__ = ("rows", "summary")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[BreachRow]
    summary: BreachSummary
    def __init__(self, rows: _Optional[_Iterable[_Union[BreachRow, _Mapping]]] = ..., summary: _Optional[_Union[BreachSummary, _Mapping]] = ...) -> None: ...

class BreachRow(_message.Message):
    __slots__ = ("subject_uid", "subject_id", "data_class", "purpose", "use", "partial_name", "events", "first_time", "last_time", "first_index", "last_index")
    SUBJECT_UID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    DATA_CLASS_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    USE_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_NAME_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    FIRST_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_TIME_FIELD_NUMBER: _ClassVar[int]
    FIRST_INDEX_FIELD_NUMBER: _ClassVar[int]
    LAST_INDEX_FIELD_NUMBER: _ClassVar[int]
    subject_uid: bytes
    subject_id: str
    data_class: str
    purpose: str
    use: Use
    partial_name: str
    events: int
    first_time: _timestamp_pb2.Timestamp
    last_time: _timestamp_pb2.Timestamp
    first_index: int
    last_index: int
    def __init__(self, subject_uid: _Optional[bytes] = ..., subject_id: _Optional[str] = ..., data_class: _Optional[str] = ..., purpose: _Optional[str] = ..., use: _Optional[_Union[Use, str]] = ..., partial_name: _Optional[str] = ..., events: _Optional[int] = ..., first_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., first_index: _Optional[int] = ..., last_index: _Optional[int] = ...) -> None: ...

class BreachSummary(_message.Message):
    __slots__ = ("subjects", "events", "refused", "checkpoint", "size", "key_life", "exposed_subjects")
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    KEY_LIFE_FIELD_NUMBER: _ClassVar[int]
    EXPOSED_SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    subjects: int
    events: int
    refused: int
    checkpoint: str
    size: int
    key_life: KeyLife
    exposed_subjects: int
    def __init__(self, subjects: _Optional[int] = ..., events: _Optional[int] = ..., refused: _Optional[int] = ..., checkpoint: _Optional[str] = ..., size: _Optional[int] = ..., key_life: _Optional[_Union[KeyLife, _Mapping]] = ..., exposed_subjects: _Optional[int] = ...) -> None: ...

class KeyLife(_message.Message):
    __slots__ = ("begin_index", "begin_time", "end_index", "end_time", "destroy_time", "keys")
    BEGIN_INDEX_FIELD_NUMBER: _ClassVar[int]
    BEGIN_TIME_FIELD_NUMBER: _ClassVar[int]
    END_INDEX_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    DESTROY_TIME_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    begin_index: int
    begin_time: _timestamp_pb2.Timestamp
    end_index: int
    end_time: _timestamp_pb2.Timestamp
    destroy_time: _timestamp_pb2.Timestamp
    keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, begin_index: _Optional[int] = ..., begin_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_index: _Optional[int] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., destroy_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., keys: _Optional[_Iterable[str]] = ...) -> None: ...

class ExportRequest(_message.Message):
    __slots__ = ("context", "start_index", "end_index", "start_time", "end_time", "known_size")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    START_INDEX_FIELD_NUMBER: _ClassVar[int]
    END_INDEX_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    KNOWN_SIZE_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    start_index: int
    end_index: int
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    known_size: int
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., start_index: _Optional[int] = ..., end_index: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., known_size: _Optional[int] = ...) -> None: ...

class ExportResponse(_message.Message):
    __slots__ = ("path", "data", "entries_done", "entries_total")
    PATH_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_DONE_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    path: str
    data: bytes
    entries_done: int
    entries_total: int
    def __init__(self, path: _Optional[str] = ..., data: _Optional[bytes] = ..., entries_done: _Optional[int] = ..., entries_total: _Optional[int] = ...) -> None: ...

class AddCosignatureRequest(_message.Message):
    __slots__ = ("context", "checkpoint")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    checkpoint: str
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., checkpoint: _Optional[str] = ...) -> None: ...

class AddCosignatureResponse(_message.Message):
    __slots__ = ("witnesses",)
    WITNESSES_FIELD_NUMBER: _ClassVar[int]
    witnesses: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, witnesses: _Optional[_Iterable[str]] = ...) -> None: ...
