"""The contract as message classes, in a descriptor pool of its own.

Two copies of one proto file share a process's default pool only while they are byte-identical. An application may hold the
vault's server code, or another version of this client's contract, so nothing of ours goes into the default pool.

Messages made at run time have no static types: this module is where ``Any`` enters, and where it must stop is the conversion
to and from the dataclasses of ``types``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, TypeAlias

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

Message: TypeAlias = Any
"""A message of the contract."""

VAULT, AUDIT = "vault.v1.VaultService", "vault.v1.AuditService"
FIELD, SUBJECT = "vault.v1.FieldService", "vault.v1.SubjectService"
KEY, OPERATION, APPROVAL = "vault.v1.KeyService", "vault.v1.OperationService", "vault.v1.ApprovalService"
"""The services."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a service.

    Attributes:
        path: as HTTP/2 names it.
        encode: gives the bytes of a request from its fields.
        decode: parses the bytes of a response; raises google.protobuf.message.DecodeError.
    """

    path: str
    encode: Callable[[Mapping[str, object]], bytes]
    decode: Callable[[bytes], Message]


class Contract:
    """A serialised ``FileDescriptorSet``, dependencies first, made usable."""

    def __init__(self, descriptor_set: bytes) -> None:
        self._pool = DescriptorPool()
        for file in FileDescriptorSet.FromString(descriptor_set).file:
            self._pool.AddSerializedFile(file.SerializeToString())

    def message(self, name: str) -> Message:
        """The class of the message with this full name; KeyError if there is none."""
        return GetMessageClass(self._pool.FindMessageTypeByName(name))

    def enum(self, name: str) -> dict[str, int]:
        """The numbers of the enum with this full name, by name; KeyError if there is none."""
        found: Message = self._pool.FindEnumTypeByName(name)
        return {value.name: value.number for value in found.values}

    def method(self, service: str, name: str) -> Method:
        """The method with this name of the service with this full name; KeyError if there is none."""
        found: Message = self._pool.FindMethodByName(f"{service}.{name}")
        request, response = GetMessageClass(found.input_type), GetMessageClass(found.output_type)

        def encode(fields: Mapping[str, object]) -> bytes:
            return request(**fields).SerializeToString()

        return Method(f"/{service}/{name}", encode, response.FromString)


@cache
def contract() -> Contract:
    """The contract this client was built for, loaded once."""
    return load()


def load() -> Contract:
    """The contract this client was built for."""
    return Contract((resources.files("pdvault_client") / "_v1" / "contract.binpb").read_bytes())
