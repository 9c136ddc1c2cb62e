"""How a log goes on after a restore: under a new name, with a first checkpoint that says what it goes on from.

Auditors and witnesses hold checkpoints of leaves that a restore lost. Under the old name the log could only fork. So it gets a new
one, ``<old>/r1``, then ``/r2``, with the same key; and the log's key signs, in the new name's first checkpoint, the last one that
was anchored under the old name (docs/formats-backup.md, "A log that goes on").
"""

import re
from typing import NamedTuple

from vault.audit.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, parse_decimal
from vault.audit.note import NoteError, decode_base64, encode_base64, parse_note, verifier

_NAME = re.compile(r"(.+/([0-9a-f]{32}))(?:/r([1-9][0-9]{0,3}))?")
_LABEL = "pdvault/v1/continues"
_HASH = 32


class Name(NamedTuple):
    """A log's origin: the one it began with, and how often it went on after a restore."""

    first: str
    number: int

    def __str__(self) -> str:
        return f"{self.first}/r{self.number}" if self.number else self.first

    def next(self) -> "Name":
        """Under which it goes on."""
        return self._replace(number=self.number + 1)


def parse_name(origin: str, tenant_uid: bytes) -> Name:
    """The parts of an origin.

    Raises:
        NoteError: it is none of this tenant's log.
    """
    found = _NAME.fullmatch(origin)
    if found is None or found[2] != tenant_uid.hex():
        raise NoteError("the origin is none of this tenant's log")
    return Name(found[1], int(found[3] or 0))


def opened(text: str, tenant_uid: bytes, public_key: bytes) -> Checkpoint:
    """A tenant's checkpoint, under whichever of its log's names it was signed.

    Args:
        text: the whole note.
        tenant_uid: whose log.
        public_key: the log's, 32 bytes: the same under each name.

    Raises:
        NoteError: malformed, of another tenant, or not signed by this key.
    """
    origin = parse_checkpoint(parse_note(text).text).origin
    parse_name(origin, tenant_uid)
    return open_checkpoint(text, verifier(origin, public_key))[0]


def continuing(last: Checkpoint, tenant_uid: bytes, size: int, root: bytes) -> Checkpoint:
    """The first checkpoint of the log that goes on with ``size`` leaves, where ``last`` was the last one anchored.

    Raises:
        NoteError: ``last`` is of another tenant's log.
    """
    name = parse_name(last.origin, tenant_uid).next()
    return Checkpoint(str(name), size, root, (f"{_LABEL} {last.size} {encode_base64(last.root)} {last.origin}",))


def continued(first: Checkpoint) -> Checkpoint | None:
    """What a checkpoint says its log goes on from; None if it is not the first one of a log that goes on.

    Raises:
        NoteError: what it says can't be read.
    """
    if not first.extensions or not first.extensions[0].startswith(f"{_LABEL} "):
        return None
    _, *said = first.extensions[0].split(" ", 3)
    if len(said) != 3:
        raise NoteError("a log that goes on names size, root and origin")
    size, root, origin = parse_decimal(said[0]), decode_base64(said[1]), said[2]
    if len(root) != _HASH:
        raise NoteError("a root is of 32 bytes")
    return Checkpoint(origin, size, root)
