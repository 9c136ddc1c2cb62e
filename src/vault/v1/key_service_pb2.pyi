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

class KeyState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KEY_STATE_UNSPECIFIED: _ClassVar[KeyState]
    KEY_STATE_ACTIVE: _ClassVar[KeyState]
    KEY_STATE_OLD: _ClassVar[KeyState]
    KEY_STATE_RETIRED: _ClassVar[KeyState]
    KEY_STATE_DESTROYED: _ClassVar[KeyState]
KEY_STATE_UNSPECIFIED: KeyState
KEY_STATE_ACTIVE: KeyState
KEY_STATE_OLD: KeyState
KEY_STATE_RETIRED: KeyState
KEY_STATE_DESTROYED: KeyState

class StatusRequest(_message.Message):
    __slots__ = ("context",)
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ...) -> None: ...

class StatusResponse(_message.Message):
    __slots__ = ("tenant_state", "kek_versions", "epochs", "index_keys", "authority_keys", "rekey_due", "schedule", "next_rotation_time", "overdue", "erasures_waiting", "kek_imported", "proves_destruction", "tenant")
    TENANT_STATE_FIELD_NUMBER: _ClassVar[int]
    KEK_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    INDEX_KEYS_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_KEYS_FIELD_NUMBER: _ClassVar[int]
    REKEY_DUE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    NEXT_ROTATION_TIME_FIELD_NUMBER: _ClassVar[int]
    OVERDUE_FIELD_NUMBER: _ClassVar[int]
    ERASURES_WAITING_FIELD_NUMBER: _ClassVar[int]
    KEK_IMPORTED_FIELD_NUMBER: _ClassVar[int]
    PROVES_DESTRUCTION_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    tenant_state: str
    kek_versions: _containers.RepeatedCompositeFieldContainer[KekVersion]
    epochs: _containers.RepeatedCompositeFieldContainer[KeyStatus]
    index_keys: _containers.RepeatedCompositeFieldContainer[KeyStatus]
    authority_keys: _containers.RepeatedCompositeFieldContainer[KeyStatus]
    rekey_due: int
    schedule: KeySchedule
    next_rotation_time: _timestamp_pb2.Timestamp
    overdue: bool
    erasures_waiting: int
    kek_imported: bool
    proves_destruction: bool
    tenant: str
    def __init__(self, tenant_state: _Optional[str] = ..., kek_versions: _Optional[_Iterable[_Union[KekVersion, _Mapping]]] = ..., epochs: _Optional[_Iterable[_Union[KeyStatus, _Mapping]]] = ..., index_keys: _Optional[_Iterable[_Union[KeyStatus, _Mapping]]] = ..., authority_keys: _Optional[_Iterable[_Union[KeyStatus, _Mapping]]] = ..., rekey_due: _Optional[int] = ..., schedule: _Optional[_Union[KeySchedule, _Mapping]] = ..., next_rotation_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., overdue: _Optional[bool] = ..., erasures_waiting: _Optional[int] = ..., kek_imported: _Optional[bool] = ..., proves_destruction: _Optional[bool] = ..., tenant: _Optional[str] = ...) -> None: ...

class KekVersion(_message.Message):
    __slots__ = ("version", "create_time", "destroyable", "destroy_time", "would_lose")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DESTROYABLE_FIELD_NUMBER: _ClassVar[int]
    DESTROY_TIME_FIELD_NUMBER: _ClassVar[int]
    WOULD_LOSE_FIELD_NUMBER: _ClassVar[int]
    version: int
    create_time: _timestamp_pb2.Timestamp
    destroyable: bool
    destroy_time: _timestamp_pb2.Timestamp
    would_lose: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, version: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., destroyable: _Optional[bool] = ..., destroy_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., would_lose: _Optional[_Iterable[str]] = ...) -> None: ...

class KeyStatus(_message.Message):
    __slots__ = ("version", "state", "kek_version", "create_time", "end_time", "live")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    KEK_VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    version: int
    state: KeyState
    kek_version: int
    create_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    live: int
    def __init__(self, version: _Optional[int] = ..., state: _Optional[_Union[KeyState, str]] = ..., kek_version: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., live: _Optional[int] = ...) -> None: ...

class KeySchedule(_message.Message):
    __slots__ = ("rotate_every", "restore_window", "kms_snapshot_retention")
    ROTATE_EVERY_FIELD_NUMBER: _ClassVar[int]
    RESTORE_WINDOW_FIELD_NUMBER: _ClassVar[int]
    KMS_SNAPSHOT_RETENTION_FIELD_NUMBER: _ClassVar[int]
    rotate_every: _duration_pb2.Duration
    restore_window: _duration_pb2.Duration
    kms_snapshot_retention: _duration_pb2.Duration
    def __init__(self, rotate_every: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., restore_window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., kms_snapshot_retention: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RotateRequest(_message.Message):
    __slots__ = ("context", "max_rows_per_second")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    MAX_ROWS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    max_rows_per_second: int
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., max_rows_per_second: _Optional[int] = ...) -> None: ...

class RotateResponse(_message.Message):
    __slots__ = ("operation",)
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    operation: _operations_pb2.Operation
    def __init__(self, operation: _Optional[_Union[_operations_pb2.Operation, _Mapping]] = ...) -> None: ...

class RekeyRequest(_message.Message):
    __slots__ = ("context", "subject_id", "max_rows_per_second")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_ROWS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    subject_id: str
    max_rows_per_second: int
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., subject_id: _Optional[str] = ..., max_rows_per_second: _Optional[int] = ...) -> None: ...

class RekeyWork(_message.Message):
    __slots__ = ("subject_uid", "max_rows_per_second")
    SUBJECT_UID_FIELD_NUMBER: _ClassVar[int]
    MAX_ROWS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    subject_uid: bytes
    max_rows_per_second: int
    def __init__(self, subject_uid: _Optional[bytes] = ..., max_rows_per_second: _Optional[int] = ...) -> None: ...

class RekeyResponse(_message.Message):
    __slots__ = ("operation",)
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    operation: _operations_pb2.Operation
    def __init__(self, operation: _Optional[_Union[_operations_pb2.Operation, _Mapping]] = ...) -> None: ...

class DestroyRequest(_message.Message):
    __slots__ = ("context", "keep_from_version", "approval_uid")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    KEEP_FROM_VERSION_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_UID_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    keep_from_version: int
    approval_uid: bytes
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., keep_from_version: _Optional[int] = ..., approval_uid: _Optional[bytes] = ...) -> None: ...

class DestroyResponse(_message.Message):
    __slots__ = ("approval", "operation")
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    approval: Approval
    operation: _operations_pb2.Operation
    def __init__(self, approval: _Optional[_Union[Approval, _Mapping]] = ..., operation: _Optional[_Union[_operations_pb2.Operation, _Mapping]] = ...) -> None: ...

class SealRequest(_message.Message):
    __slots__ = ("context",)
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ...) -> None: ...

class SealResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UnsealRequest(_message.Message):
    __slots__ = ("context", "approval_uid")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_UID_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    approval_uid: bytes
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., approval_uid: _Optional[bytes] = ...) -> None: ...

class UnsealResponse(_message.Message):
    __slots__ = ("approval",)
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    approval: Approval
    def __init__(self, approval: _Optional[_Union[Approval, _Mapping]] = ...) -> None: ...

class SetScheduleRequest(_message.Message):
    __slots__ = ("context", "schedule")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    schedule: KeySchedule
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., schedule: _Optional[_Union[KeySchedule, _Mapping]] = ...) -> None: ...

class SetScheduleResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Attestation(_message.Message):
    __slots__ = ("done", "left", "retired_epochs", "retired_index_keys", "kek_version", "destroyed_kek_versions", "horizons_reached", "altered_subjects", "late_subjects")
    class DoneEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class LeftEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    DONE_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    RETIRED_EPOCHS_FIELD_NUMBER: _ClassVar[int]
    RETIRED_INDEX_KEYS_FIELD_NUMBER: _ClassVar[int]
    KEK_VERSION_FIELD_NUMBER: _ClassVar[int]
    DESTROYED_KEK_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    HORIZONS_REACHED_FIELD_NUMBER: _ClassVar[int]
    ALTERED_SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    LATE_SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    done: _containers.ScalarMap[str, int]
    left: _containers.ScalarMap[str, int]
    retired_epochs: _containers.RepeatedScalarFieldContainer[int]
    retired_index_keys: _containers.RepeatedScalarFieldContainer[int]
    kek_version: int
    destroyed_kek_versions: _containers.RepeatedScalarFieldContainer[int]
    horizons_reached: int
    altered_subjects: _containers.RepeatedScalarFieldContainer[bytes]
    late_subjects: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, done: _Optional[_Mapping[str, int]] = ..., left: _Optional[_Mapping[str, int]] = ..., retired_epochs: _Optional[_Iterable[int]] = ..., retired_index_keys: _Optional[_Iterable[int]] = ..., kek_version: _Optional[int] = ..., destroyed_kek_versions: _Optional[_Iterable[int]] = ..., horizons_reached: _Optional[int] = ..., altered_subjects: _Optional[_Iterable[bytes]] = ..., late_subjects: _Optional[_Iterable[bytes]] = ...) -> None: ...

class OperationProgress(_message.Message):
    __slots__ = ("kind", "state", "phase", "done", "total", "rows_per_second", "estimated_time", "create_time", "update_time", "done_by_kind")
    class DoneByKindEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    ROWS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DONE_BY_KIND_FIELD_NUMBER: _ClassVar[int]
    kind: str
    state: str
    phase: str
    done: int
    total: int
    rows_per_second: float
    estimated_time: _timestamp_pb2.Timestamp
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    done_by_kind: _containers.ScalarMap[str, int]
    def __init__(self, kind: _Optional[str] = ..., state: _Optional[str] = ..., phase: _Optional[str] = ..., done: _Optional[int] = ..., total: _Optional[int] = ..., rows_per_second: _Optional[float] = ..., estimated_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., done_by_kind: _Optional[_Mapping[str, int]] = ...) -> None: ...

class GetOperationRequest(_message.Message):
    __slots__ = ("context", "name")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    name: str
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., name: _Optional[str] = ...) -> None: ...

class GetOperationResponse(_message.Message):
    __slots__ = ("operation",)
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    operation: _operations_pb2.Operation
    def __init__(self, operation: _Optional[_Union[_operations_pb2.Operation, _Mapping]] = ...) -> None: ...

class ListOperationsRequest(_message.Message):
    __slots__ = ("context",)
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ...) -> None: ...

class ListOperationsResponse(_message.Message):
    __slots__ = ("operations",)
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    operations: _containers.RepeatedCompositeFieldContainer[_operations_pb2.Operation]
    def __init__(self, operations: _Optional[_Iterable[_Union[_operations_pb2.Operation, _Mapping]]] = ...) -> None: ...

class PauseOperationRequest(_message.Message):
    __slots__ = ("context", "name")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    name: str
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., name: _Optional[str] = ...) -> None: ...

class PauseOperationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ResumeOperationRequest(_message.Message):
    __slots__ = ("context", "name")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    name: str
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., name: _Optional[str] = ...) -> None: ...

class ResumeOperationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CancelOperationRequest(_message.Message):
    __slots__ = ("context", "name")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    name: str
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., name: _Optional[str] = ...) -> None: ...

class CancelOperationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Approval(_message.Message):
    __slots__ = ("approval_uid", "action", "summary", "asked_by", "ask_time", "expire_time", "state", "decided_by")
    APPROVAL_UID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    ASKED_BY_FIELD_NUMBER: _ClassVar[int]
    ASK_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DECIDED_BY_FIELD_NUMBER: _ClassVar[int]
    approval_uid: bytes
    action: str
    summary: str
    asked_by: str
    ask_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    state: str
    decided_by: str
    def __init__(self, approval_uid: _Optional[bytes] = ..., action: _Optional[str] = ..., summary: _Optional[str] = ..., asked_by: _Optional[str] = ..., ask_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., state: _Optional[str] = ..., decided_by: _Optional[str] = ...) -> None: ...

class ListApprovalsRequest(_message.Message):
    __slots__ = ("context",)
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ...) -> None: ...

class ListApprovalsResponse(_message.Message):
    __slots__ = ("approvals",)
    APPROVALS_FIELD_NUMBER: _ClassVar[int]
    approvals: _containers.RepeatedCompositeFieldContainer[Approval]
    def __init__(self, approvals: _Optional[_Iterable[_Union[Approval, _Mapping]]] = ...) -> None: ...

class ApproveRequest(_message.Message):
    __slots__ = ("context", "approval_uid")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_UID_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    approval_uid: bytes
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., approval_uid: _Optional[bytes] = ...) -> None: ...

class ApproveResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DenyRequest(_message.Message):
    __slots__ = ("context", "approval_uid")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_UID_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    approval_uid: bytes
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., approval_uid: _Optional[bytes] = ...) -> None: ...

class DenyResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
