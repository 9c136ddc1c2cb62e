"""Checking millions of leaves: whatever has the shape of a leaf that was checked needs not be checked again.

Most leaves of a log are alike: the same fields in the same order, of the same lengths, with other uids, hashes, times and texts.
From a leaf that ``verify_leaves`` has found sound, this module makes a pattern: tags, lengths, flags and the tenant's uid stand in
it as they are, and where an identifier, a hash, a number or a text stood, any other of as many bytes may stand. A leaf that
matches is parsed by every protobuf parser into the same fields with the same lengths, so it is sound too; only its time is still
to be looked at. What matches nothing is checked in full. This is three times faster than to ask for every field of every leaf.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from vault.audit.verify_leaves import Link, check_leaf, check_time

_MAX_LEAF = 2048
"""Bytes: larger leaves, of large calls, are few, and each of another length."""
_MAX_SHAPES = 16
"""For each length of leaf."""
_WORTHWHILE = 16
"""A pattern costs as much as checking a hundred leaves: it is made for each so many leaves of a length that matched none."""

_VARINT, _LENGTH = 0, 2
_BYTES, _NUMBER, _TEXT = "bytes", "number", "text"
_EVENT = {
    **dict.fromkeys((4, 6, 16, 20, 22, 30, 32, 35), _BYTES),  # uids, hashes, random, signature
    **dict.fromkeys((2, 31), _NUMBER),  # time_us, boot_sequence
    **dict.fromkeys((5, 7, 11, 12, 13, 14, 15, 21), _TEXT),  # names, policies, the call's context, roles
}
"""Fields of AuditEvent that may differ between leaves of one shape, in the same number of bytes. No others may differ."""
_TOUCHED = {1: _TEXT, 3: _TEXT, 4: _NUMBER, 5: _BYTES, 6: _BYTES, 9: _BYTES, 10: _NUMBER, 11: _NUMBER}
"""The same for the message Touched, which is field 17."""
_TOUCHED_FIELD = 17
_LINKED = (2, 30, 31, 32)
"""time_us, boot_id, boot_sequence, previous_hash: what a link is made of."""


class LeafChecker:
    """Checks the leaves of one log."""

    def __init__(self, tenant_uid: bytes, now_us: int) -> None:
        """Begin; arguments as in ``verify_leaves.check_leaf``."""
        self._tenant_uid = tenant_uid
        self._now_us = now_us
        self._shapes: dict[int, list[_Shape]] = {}
        self._missed: dict[int, int] = {}

    def check(self, first: int, leaves: Sequence[bytes]) -> list[Link]:
        """Check consecutive leaves.

        Raises:
            WrongError: one is no event of this log; the message names the first.
        """
        links: list[Link] = []
        last_time, time_us = b"", 0
        for leaf in leaves:
            for match, is_signed, done in self._shapes.get(len(leaf), ()):
                found = match(leaf)
                if found:
                    time, boot_id, sequence, previous = found.groups()
                    if time != last_time:
                        last_time, time_us = time, _number(time)
                        check_time(first + len(links), time_us, self._now_us)
                    links.append((boot_id, _number(sequence), previous, time_us, is_signed, done, None))
                    break
            else:
                links.append(self._check_in_full(first + len(links), leaf))
        return links

    def _check_in_full(self, index: int, leaf: bytes) -> Link:
        link = check_leaf(index, leaf, self._tenant_uid, self._now_us)
        length, own = len(leaf), link[-1]
        if own is None and length <= _MAX_LEAF:
            self._missed[length] = missed = self._missed.get(length, 0) + 1
            shapes = self._shapes.setdefault(length, [])
            if missed % _WORTHWHILE == 0 and len(shapes) < _MAX_SHAPES and (pattern := shape_of(leaf)):
                shapes.append((pattern.fullmatch, link[4], link[5]))
        return link


_Shape = tuple[Callable[[bytes], "re.Match[bytes] | None"], bool, bool]
"""(match, whether such leaves are signed, whether they say that something was allowed)."""


def shape_of(leaf: bytes) -> "re.Pattern[bytes] | None":
    """The pattern of all leaves like a sound one. Its groups are time_us, boot_id, boot_sequence and previous_hash, as encoded.

    None if the leaf is written in a way that writers don't use.
    """
    parts, linked = [], []
    for number, start, value, end in _fields(leaf):
        content = leaf[value:end]
        if number == _TOUCHED_FIELD:
            pattern = b"".join(
                re.escape(content[inner:inner_value]) + _pattern(_TOUCHED.get(inner_number), content[inner_value:inner_end])
                for inner_number, inner, inner_value, inner_end in _fields(content)
            )
        else:
            pattern = _pattern(_EVENT.get(number), content)
        if number in _LINKED:
            linked.append(number)
            pattern = b"(%b)" % pattern
        parts.append(re.escape(leaf[start:value]) + pattern)
    return re.compile(b"".join(parts), re.DOTALL) if linked == list(_LINKED) else None


def _pattern(kind: str | None, content: bytes) -> bytes:
    """What may stand in the place of a field's content."""
    if kind == _BYTES:
        return b".{%d}" % len(content)
    if kind == _NUMBER:
        return b"[\x80-\xff]{%d}[\x01-\x7f]" % (len(content) - 1)
    if kind == _TEXT and content.isascii() and content.decode().isprintable():
        return b"[ -~]{%d}" % len(content)
    return re.escape(content)


def _fields(message: bytes) -> Iterator[tuple[int, int, int, int]]:
    """(number, where its tag begins, its content, and where it ends) of each field of a message that was parsed before."""
    at = 0
    while at < len(message):
        start = at
        tag, value = _varint(message, at)
        if tag & 7 == _LENGTH:
            length, value = _varint(message, value)
            at = value + length
        elif tag & 7 == _VARINT:
            _, at = _varint(message, value)
        else:  # fixed32 and fixed64, of which no field is: all that follows stands as it is
            at = len(message)
        yield tag >> 3, start, value, at


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A varint, and where it ends."""
    end = at + 1
    while message[end - 1] & 0x80:
        end += 1
    return _number(message[at:end]), end


def _number(varint: bytes) -> int:
    number = 0
    for octet in reversed(varint):
        number = number << 7 | octet & 0x7F
    return number
