"""How far a re-keying on demand is, as the cursor of its operation tells whoever goes on with it.

Each subject is to get new keys once: so who is under way is written down before, with the store key that they have.
"""

import struct
from collections.abc import Container
from contextlib import suppress
from typing import NamedTuple

from google.protobuf.message import DecodeError

from vault.v1 import key_service_pb2

_UID_BYTES = 16
_COUNT = struct.Struct(">H")
_SUBJECT = struct.Struct(">16sQ")


class UnderWay(NamedTuple):
    """A subject, by uid (16 bytes), and the version of the store key that it had before."""

    uid: bytes
    version: int


class RekeyPlace(NamedTuple):
    """The uid of the last subject whose turn has come, empty at first; who of these has more to be done; and the result so far."""

    after: bytes
    under_way: tuple[UnderWay, ...]
    said: key_service_pb2.Attestation

    @classmethod
    def of(cls, cursor: bytes) -> "RekeyPlace":
        """Read it; one that can't be read is the beginning, since what was done may be done again."""
        said = key_service_pb2.Attestation()
        with suppress(struct.error, DecodeError):
            (count,) = _COUNT.unpack_from(cursor, _UID_BYTES)
            subjects, told = cursor[_UID_BYTES + _COUNT.size :], _SUBJECT.size * count
            under_way = tuple(UnderWay._make(each) for each in _SUBJECT.iter_unpack(subjects[:told]))
            if len(under_way) == count:
                said.ParseFromString(subjects[told:])
                return cls(cursor[:_UID_BYTES], under_way, said)
        return cls(b"", (), key_service_pb2.Attestation())

    @property
    def cursor(self) -> bytes:
        """For the operation's row."""
        subjects = b"".join(_SUBJECT.pack(*each) for each in self.under_way)
        return self.after + _COUNT.pack(len(self.under_way)) + subjects + self.said.SerializeToString(deterministic=True)

    def only(self, left: Container[bytes]) -> "RekeyPlace":
        """The same, once no others than these are under way."""
        return self._replace(under_way=tuple(each for each in self.under_way if each.uid in left))
