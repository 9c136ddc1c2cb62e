from vault.v1._buf.validate import validate_pb2 as _validate_pb2
from google.rpc import status_pb2 as _status_pb2
from vault.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EncryptRequest(_message.Message):
    __slots__ = ("context", "items", "atomicity")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    ATOMICITY_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    items: _containers.RepeatedCompositeFieldContainer[EncryptItem]
    atomicity: _common_pb2.Atomicity
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., items: _Optional[_Iterable[_Union[EncryptItem, _Mapping]]] = ..., atomicity: _Optional[_Union[_common_pb2.Atomicity, str]] = ...) -> None: ...

class EncryptItem(_message.Message):
    __slots__ = ("subject_id", "data_class", "value", "associated_data", "validation", "purposes")
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    DATA_CLASS_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    ASSOCIATED_DATA_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    subject_id: str
    data_class: str
    value: _common_pb2.Value
    associated_data: bytes
    validation: _common_pb2.Validation
    purposes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, subject_id: _Optional[str] = ..., data_class: _Optional[str] = ..., value: _Optional[_Union[_common_pb2.Value, _Mapping]] = ..., associated_data: _Optional[bytes] = ..., validation: _Optional[_Union[_common_pb2.Validation, str]] = ..., purposes: _Optional[_Iterable[str]] = ...) -> None: ...

class EncryptResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[EncryptResult]
    def __init__(self, results: _Optional[_Iterable[_Union[EncryptResult, _Mapping]]] = ...) -> None: ...

class EncryptResult(_message.Message):
    __slots__ = ("ciphertext", "error")
    CIPHERTEXT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ciphertext: bytes
    error: _status_pb2.Status
    def __init__(self, ciphertext: _Optional[bytes] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class DecryptRequest(_message.Message):
    __slots__ = ("context", "items", "atomicity")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    ATOMICITY_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    items: _containers.RepeatedCompositeFieldContainer[DecryptItem]
    atomicity: _common_pb2.Atomicity
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., items: _Optional[_Iterable[_Union[DecryptItem, _Mapping]]] = ..., atomicity: _Optional[_Union[_common_pb2.Atomicity, str]] = ...) -> None: ...

class DecryptItem(_message.Message):
    __slots__ = ("ciphertext", "associated_data", "form")
    CIPHERTEXT_FIELD_NUMBER: _ClassVar[int]
    ASSOCIATED_DATA_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELD_NUMBER: _ClassVar[int]
    ciphertext: bytes
    associated_data: bytes
    form: _common_pb2.Form
    def __init__(self, ciphertext: _Optional[bytes] = ..., associated_data: _Optional[bytes] = ..., form: _Optional[_Union[_common_pb2.Form, _Mapping]] = ...) -> None: ...

class DecryptResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[DecryptResult]
    def __init__(self, results: _Optional[_Iterable[_Union[DecryptResult, _Mapping]]] = ...) -> None: ...

class DecryptResult(_message.Message):
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

class ReencryptRequest(_message.Message):
    __slots__ = ("context", "items", "atomicity")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    ATOMICITY_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.CallContext
    items: _containers.RepeatedCompositeFieldContainer[ReencryptItem]
    atomicity: _common_pb2.Atomicity
    def __init__(self, context: _Optional[_Union[_common_pb2.CallContext, _Mapping]] = ..., items: _Optional[_Iterable[_Union[ReencryptItem, _Mapping]]] = ..., atomicity: _Optional[_Union[_common_pb2.Atomicity, str]] = ...) -> None: ...

class ReencryptItem(_message.Message):
    __slots__ = ("ciphertext", "associated_data")
    CIPHERTEXT_FIELD_NUMBER: _ClassVar[int]
    ASSOCIATED_DATA_FIELD_NUMBER: _ClassVar[int]
    ciphertext: bytes
    associated_data: bytes
    def __init__(self, ciphertext: _Optional[bytes] = ..., associated_data: _Optional[bytes] = ...) -> None: ...

class ReencryptResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ReencryptResult]
    def __init__(self, results: _Optional[_Iterable[_Union[ReencryptResult, _Mapping]]] = ...) -> None: ...

class ReencryptResult(_message.Message):
    __slots__ = ("ciphertext", "changed", "error")
    CIPHERTEXT_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ciphertext: bytes
    changed: bool
    error: _status_pb2.Status
    def __init__(self, ciphertext: _Optional[bytes] = ..., changed: _Optional[bool] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...
