import datetime

from vault.v1._buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from vault.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TokenKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOKEN_KIND_UNSPECIFIED: _ClassVar[TokenKind]
    TOKEN_KIND_RANDOM: _ClassVar[TokenKind]
    TOKEN_KIND_DETERMINISTIC: _ClassVar[TokenKind]
TOKEN_KIND_UNSPECIFIED: TokenKind
TOKEN_KIND_RANDOM: TokenKind
TOKEN_KIND_DETERMINISTIC: TokenKind

class TokenizeRequest(_message.Message):
    __slots__ = ("context", "items", "atomicity")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    ATOMICITY_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    items: _containers.RepeatedCompositeFieldContainer[TokenizeItem]
    atomicity: _common_pb2.Atomicity
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., items: _Optional[_Iterable[_Union[TokenizeItem, _Mapping]]] = ..., atomicity: _Optional[_Union[_common_pb2.Atomicity, str]] = ...) -> None: ...

class TokenizeItem(_message.Message):
    __slots__ = ("subject_id", "data_class", "value", "purposes", "provenance", "token_kind", "ttl", "max_reveals", "validation")
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    DATA_CLASS_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_KIND_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    MAX_REVEALS_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    subject_id: str
    data_class: str
    value: _common_pb2.Value
    purposes: _containers.RepeatedScalarFieldContainer[str]
    provenance: _common_pb2.Provenance
    token_kind: TokenKind
    ttl: _duration_pb2.Duration
    max_reveals: int
    validation: _common_pb2.Validation
    def __init__(self, subject_id: _Optional[str] = ..., data_class: _Optional[str] = ..., value: _Optional[_Union[_common_pb2.Value, _Mapping]] = ..., purposes: _Optional[_Iterable[str]] = ..., provenance: _Optional[_Union[_common_pb2.Provenance, str]] = ..., token_kind: _Optional[_Union[TokenKind, str]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_reveals: _Optional[int] = ..., validation: _Optional[_Union[_common_pb2.Validation, str]] = ...) -> None: ...

class TokenizeResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[TokenizeResult]
    def __init__(self, results: _Optional[_Iterable[_Union[TokenizeResult, _Mapping]]] = ...) -> None: ...

class TokenizeResult(_message.Message):
    __slots__ = ("token", "expire_time", "error")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    token: str
    expire_time: _timestamp_pb2.Timestamp
    error: _status_pb2.Status
    def __init__(self, token: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class RevealRequest(_message.Message):
    __slots__ = ("context", "items", "atomicity")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    ATOMICITY_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    items: _containers.RepeatedCompositeFieldContainer[RevealItem]
    atomicity: _common_pb2.Atomicity
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., items: _Optional[_Iterable[_Union[RevealItem, _Mapping]]] = ..., atomicity: _Optional[_Union[_common_pb2.Atomicity, str]] = ...) -> None: ...

class RevealItem(_message.Message):
    __slots__ = ("token", "form")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELD_NUMBER: _ClassVar[int]
    token: str
    form: _common_pb2.Form
    def __init__(self, token: _Optional[str] = ..., form: _Optional[_Union[_common_pb2.Form, _Mapping]] = ...) -> None: ...

class RevealResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[RevealResult]
    def __init__(self, results: _Optional[_Iterable[_Union[RevealResult, _Mapping]]] = ...) -> None: ...

class RevealResult(_message.Message):
    __slots__ = ("value", "form", "data_class", "error")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELD_NUMBER: _ClassVar[int]
    DATA_CLASS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    value: _common_pb2.Value
    form: _common_pb2.Form
    data_class: str
    error: _status_pb2.Status
    def __init__(self, value: _Optional[_Union[_common_pb2.Value, _Mapping]] = ..., form: _Optional[_Union[_common_pb2.Form, _Mapping]] = ..., data_class: _Optional[str] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class VerifyRequest(_message.Message):
    __slots__ = ("context", "items", "atomicity")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    ATOMICITY_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    items: _containers.RepeatedCompositeFieldContainer[VerifyItem]
    atomicity: _common_pb2.Atomicity
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., items: _Optional[_Iterable[_Union[VerifyItem, _Mapping]]] = ..., atomicity: _Optional[_Union[_common_pb2.Atomicity, str]] = ...) -> None: ...

class VerifyItem(_message.Message):
    __slots__ = ("token", "value")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    token: str
    value: _common_pb2.Value
    def __init__(self, token: _Optional[str] = ..., value: _Optional[_Union[_common_pb2.Value, _Mapping]] = ...) -> None: ...

class VerifyResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[VerifyResult]
    def __init__(self, results: _Optional[_Iterable[_Union[VerifyResult, _Mapping]]] = ...) -> None: ...

class VerifyResult(_message.Message):
    __slots__ = ("matches", "error")
    MATCHES_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    matches: bool
    error: _status_pb2.Status
    def __init__(self, matches: _Optional[bool] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class SearchRequest(_message.Message):
    __slots__ = ("context", "queries", "page_size", "page_token", "atomicity")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ATOMICITY_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    queries: _containers.RepeatedCompositeFieldContainer[SearchQuery]
    page_size: int
    page_token: str
    atomicity: _common_pb2.Atomicity
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., queries: _Optional[_Iterable[_Union[SearchQuery, _Mapping]]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., atomicity: _Optional[_Union[_common_pb2.Atomicity, str]] = ...) -> None: ...

class SearchQuery(_message.Message):
    __slots__ = ("data_class", "value", "subject_id")
    DATA_CLASS_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    data_class: str
    value: _common_pb2.Value
    subject_id: str
    def __init__(self, data_class: _Optional[str] = ..., value: _Optional[_Union[_common_pb2.Value, _Mapping]] = ..., subject_id: _Optional[str] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[SearchResult]
    def __init__(self, results: _Optional[_Iterable[_Union[SearchResult, _Mapping]]] = ...) -> None: ...

class SearchResult(_message.Message):
    __slots__ = ("items", "next_page_token", "error")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Description]
    next_page_token: str
    error: _status_pb2.Status
    def __init__(self, items: _Optional[_Iterable[_Union[Description, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class DescribeRequest(_message.Message):
    __slots__ = ("context", "tokens", "atomicity")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    ATOMICITY_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    tokens: _containers.RepeatedScalarFieldContainer[str]
    atomicity: _common_pb2.Atomicity
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., tokens: _Optional[_Iterable[str]] = ..., atomicity: _Optional[_Union[_common_pb2.Atomicity, str]] = ...) -> None: ...

class DescribeResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[DescribeResult]
    def __init__(self, results: _Optional[_Iterable[_Union[DescribeResult, _Mapping]]] = ...) -> None: ...

class DescribeResult(_message.Message):
    __slots__ = ("description", "error")
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    description: Description
    error: _status_pb2.Status
    def __init__(self, description: _Optional[_Union[Description, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class Description(_message.Message):
    __slots__ = ("token", "subject_id", "data_class", "revision", "purposes", "provenance", "ill_formed", "create_time", "update_time", "expire_time", "max_reveals", "reveals_used")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    DATA_CLASS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    ILL_FORMED_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    MAX_REVEALS_FIELD_NUMBER: _ClassVar[int]
    REVEALS_USED_FIELD_NUMBER: _ClassVar[int]
    token: str
    subject_id: str
    data_class: str
    revision: int
    purposes: _containers.RepeatedScalarFieldContainer[str]
    provenance: _common_pb2.Provenance
    ill_formed: bool
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    max_reveals: int
    reveals_used: int
    def __init__(self, token: _Optional[str] = ..., subject_id: _Optional[str] = ..., data_class: _Optional[str] = ..., revision: _Optional[int] = ..., purposes: _Optional[_Iterable[str]] = ..., provenance: _Optional[_Union[_common_pb2.Provenance, str]] = ..., ill_formed: _Optional[bool] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., max_reveals: _Optional[int] = ..., reveals_used: _Optional[int] = ...) -> None: ...

class UpdateRequest(_message.Message):
    __slots__ = ("context", "items", "atomicity")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    ATOMICITY_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    items: _containers.RepeatedCompositeFieldContainer[UpdateItem]
    atomicity: _common_pb2.Atomicity
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., items: _Optional[_Iterable[_Union[UpdateItem, _Mapping]]] = ..., atomicity: _Optional[_Union[_common_pb2.Atomicity, str]] = ...) -> None: ...

class UpdateItem(_message.Message):
    __slots__ = ("token", "value", "expected_revision", "validation")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    token: str
    value: _common_pb2.Value
    expected_revision: int
    validation: _common_pb2.Validation
    def __init__(self, token: _Optional[str] = ..., value: _Optional[_Union[_common_pb2.Value, _Mapping]] = ..., expected_revision: _Optional[int] = ..., validation: _Optional[_Union[_common_pb2.Validation, str]] = ...) -> None: ...

class UpdateResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[UpdateResult]
    def __init__(self, results: _Optional[_Iterable[_Union[UpdateResult, _Mapping]]] = ...) -> None: ...

class UpdateResult(_message.Message):
    __slots__ = ("revision", "error")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    revision: int
    error: _status_pb2.Status
    def __init__(self, revision: _Optional[int] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class DeleteRequest(_message.Message):
    __slots__ = ("context", "tokens", "atomicity")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    ATOMICITY_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    tokens: _containers.RepeatedScalarFieldContainer[str]
    atomicity: _common_pb2.Atomicity
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., tokens: _Optional[_Iterable[str]] = ..., atomicity: _Optional[_Union[_common_pb2.Atomicity, str]] = ...) -> None: ...

class DeleteResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[DeleteResult]
    def __init__(self, results: _Optional[_Iterable[_Union[DeleteResult, _Mapping]]] = ...) -> None: ...

class DeleteResult(_message.Message):
    __slots__ = ("error",)
    ERROR_FIELD_NUMBER: _ClassVar[int]
    error: _status_pb2.Status
    def __init__(self, error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class ListDataClassesRequest(_message.Message):
    __slots__ = ("context",)
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ...) -> None: ...

class ListDataClassesResponse(_message.Message):
    __slots__ = ("edition", "data_classes")
    EDITION_FIELD_NUMBER: _ClassVar[int]
    DATA_CLASSES_FIELD_NUMBER: _ClassVar[int]
    edition: str
    data_classes: _containers.RepeatedCompositeFieldContainer[DataClass]
    def __init__(self, edition: _Optional[str] = ..., data_classes: _Optional[_Iterable[_Union[DataClass, _Mapping]]] = ...) -> None: ...

class DataClass(_message.Message):
    __slots__ = ("name", "title", "sensitivity", "kind", "token_prefix", "fingerprinted", "partial_forms", "max_bytes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    SENSITIVITY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TOKEN_PREFIX_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINTED_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_FORMS_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    title: str
    sensitivity: str
    kind: str
    token_prefix: str
    fingerprinted: bool
    partial_forms: _containers.RepeatedScalarFieldContainer[str]
    max_bytes: int
    def __init__(self, name: _Optional[str] = ..., title: _Optional[str] = ..., sensitivity: _Optional[str] = ..., kind: _Optional[str] = ..., token_prefix: _Optional[str] = ..., fingerprinted: _Optional[bool] = ..., partial_forms: _Optional[_Iterable[str]] = ..., max_bytes: _Optional[int] = ...) -> None: ...
