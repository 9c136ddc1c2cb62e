"""Items and tokens against what the log says was written: rows that are missing, edited, put back, or that nobody wrote.

Both sides are split by token uid into parts that fit into memory, kept in temporary files without names: uids and hashes only. Of
who was erased, the uids are in memory.
"""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256
from struct import Struct
from typing import IO, Any, NamedTuple

import sqlalchemy as sa

from vault.audit.actions import ERASED, ERASURE_REPEATED, REKEYED
from vault.audit.verify_leaves import fault_of_touched
from vault.cli.audit.database_rows import Findings, Row, select
from vault.v1.audit_pb2 import CHANGE_CREATED, CHANGE_DELETED, CHANGE_UPDATED, DECISION_ALLOWED, DECISION_PARTIAL, AuditEvent

PENDING = 1 << 62
"""Added to the number of an event that is not in the tree yet."""

_PARTS = 64
_CHANGE = Struct(">16sqqB32sq")
_STORED = Struct(">16s16s16s32s32sq")
_NO_HASH = bytes(32)
_RESEALED = 100
"""Beside the log's own changes: the same revision under another key."""
_DONE = (DECISION_ALLOWED, DECISION_PARTIAL)
_ERASING = (ERASED, ERASURE_REPEATED)
"""What erasing somebody is called in the log, the first time and after a restore."""
_TOKENS = (
    "SELECT token.uid, token.subject_uid, token.item_uid, item.envelope_sha256, item.envelope, item.revision FROM token "
    "LEFT JOIN item ON item.tenant_uid = token.tenant_uid AND item.subject_uid = token.subject_uid AND item.uid = token.item_uid "
    "WHERE token.tenant_uid = :tenant"
)
_LOST_ITEMS = (
    "SELECT item.uid FROM item LEFT JOIN token ON token.tenant_uid = item.tenant_uid AND token.subject_uid = item.subject_uid "
    "AND token.item_uid = item.uid WHERE item.tenant_uid = :tenant AND token.uid IS NULL"
)


class _Change(NamedTuple):
    """What one event did to the item behind a token; ``group`` says whose it is: one of those that are listed there."""

    entry: int
    time_us: int
    change: int
    envelope_hash: bytes
    group: int


class _Stored(NamedTuple):
    """A token's row with its item's; ``revision`` is -1 where the item is missing."""

    subject_uid: bytes
    item_uid: bytes
    envelope_hash: bytes
    computed_hash: bytes
    revision: int


class ItemTables:
    """token and item. Memory: a 64th of both sides."""

    def __init__(self, connection: sa.Connection, tenant_uid: bytes, findings: Findings) -> None:
        self._connection = connection
        self._tenant_uid = tenant_uid
        self._findings = findings
        self._changes = _Parts(_CHANGE)
        self._groups = _Groups()
        self._erased = dict[bytes, int]()

    def observe(self, leaf_index: int, event: AuditEvent) -> None:
        """Note what an event wrote."""
        if event.action in _ERASING and event.decision in _DONE:
            self._erased |= dict.fromkeys((uid for touched in event.touched for uid in _uids(touched.subject_uids)), leaf_index)
        for touched in event.touched:
            if fault := fault_of_touched(touched):
                self._findings.add("audit_entry" if leaf_index < PENDING else "audit_pending", f"{_entry(leaf_index)} {fault}")
            elif touched.change and not touched.reason and event.decision in _DONE:
                tokens, hashes, group = touched.token_uids, touched.envelope_hashes, self._groups.add(touched.subject_uids)
                change = _RESEALED if event.action == REKEYED else touched.change
                for number in range(len(tokens) // 16):
                    uid, envelope_hash = tokens[16 * number : 16 * number + 16], hashes[32 * number : 32 * number + 32]
                    self._changes.add(uid, leaf_index, event.time_us, change, envelope_hash, group)

    def finish(self) -> Iterator[int]:
        """Compare; yields how many rows have been compared, again and again."""
        stored = _Parts(_STORED)
        count = 0
        for row in select(self._connection, _TOKENS, self._tenant_uid):
            stored.add(*_columns(row))
            count += 1
            yield count
        for row in select(self._connection, _LOST_ITEMS, self._tenant_uid):
            self._findings.add("item", f"no token leads to the item {bytes(row[0]).hex()}")
        for part in range(_PARTS):
            self._compare(part, stored)
            yield count

    def _compare(self, part: int, stored: "_Parts") -> None:
        histories = defaultdict[bytes, list[_Change]](list)
        for uid, *change in self._changes.read(part):
            histories[uid].append(_Change(*change))
        for uid, *columns in stored.read(part):
            self._compare_row(uid, _Stored(*columns), histories.pop(uid, []))
        for uid, history in histories.items():
            if not any(change.change == CHANGE_DELETED for change in _latest(history)) and not self._may_be_erased(history):
                self._findings.add(
                    "token", f"{uid.hex()} is missing: {_name(_latest(history)[0])} wrote it, and nothing deleted it"
                )

    def _may_be_erased(self, history: list[_Change]) -> bool:
        """Whether somebody was erased whose the token may have been: a call that stored for many does not say which was whose."""
        owners = set.intersection(*(self._groups.read(change.group) for change in history))
        return any(owner in self._erased for owner in owners)

    def _compare_row(self, uid: bytes, row: _Stored, history: list[_Change]) -> None:
        if row.subject_uid in self._erased:
            erased = _entry(self._erased[row.subject_uid])
            self._findings.add("token", f"{uid.hex()}: {erased} says that its subject was erased, and it is there again")
        elif not history:
            self._findings.add("token", f"{uid.hex()}: nothing in the log wrote it")
        elif all(change.change == CHANGE_DELETED for change in _latest(history)):
            self._findings.add("token", f"{uid.hex()}: {_name(_latest(history)[0])} deleted it, and it is there again")
        elif row.revision < 0:
            self._findings.add("item", f"{row.item_uid.hex()} of token {uid.hex()} is missing, and nothing in the log deleted it")
        else:
            self._compare_item(f"{row.item_uid.hex()} of token {uid.hex()}", row, history)

    def _compare_item(self, name: str, row: _Stored, history: list[_Change]) -> None:
        latest = _latest(history)
        written = next((change for change in history if change.envelope_hash == row.envelope_hash), None)
        revision = sum(change.change in (CHANGE_CREATED, CHANGE_UPDATED) for change in history)
        if row.envelope_hash not in {change.envelope_hash for change in latest}:
            if written:
                self._findings.add("item", f"{name} was put back to what {_name(written)} wrote; {_name(latest[0])} replaced that")
            else:
                self._findings.add("item", f"{name} was edited: nothing wrote its envelope; {_name(latest[0])} wrote the last one")
        elif row.computed_hash != row.envelope_hash:
            self._findings.add("item", f"{name} was edited: its envelope is not the one that {_name(latest[0])} wrote")
        elif row.revision != revision:
            self._findings.add("item", f"{name} was edited: it is at revision {row.revision}, and the log has written {revision}")


def _columns(row: Row) -> tuple[bytes | int, ...]:
    uid, subject_uid, item_uid, envelope_hash, envelope, revision = row
    if revision is None:
        return bytes(uid), bytes(subject_uid), bytes(item_uid), _NO_HASH, _NO_HASH, -1
    computed = sha256(envelope or b"").digest()
    return bytes(uid), bytes(subject_uid), bytes(item_uid), bytes(envelope_hash or _NO_HASH), computed, revision


def _latest(history: list[_Change]) -> list[_Change]:
    """What was done last: by the log's order, and by the time of the events, should two nodes' events have crossed on their way."""
    return [max(history), max(history, key=lambda change: (change.time_us, change.entry))]


def _name(change: _Change) -> str:
    return _entry(change.entry)


def _entry(index: int) -> str:
    return f"entry {index}" if index < PENDING else "a pending event"


def _uids(joined: bytes) -> list[bytes]:
    return [joined[at : at + 16] for at in range(0, len(joined), 16)]


class _Groups:
    """Lists of uids in a file; each is known by where it begins."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  open as long as this is
        self._end = 0

    def add(self, uids: bytes) -> int:
        begin = self._end
        self._end += self._file.write(len(uids).to_bytes(4, "big") + uids)
        return begin

    def read(self, begin: int) -> set[bytes]:
        """The uids; nothing is added any more."""
        self._file.seek(begin)
        return set(_uids(self._file.read(int.from_bytes(self._file.read(4), "big"))))


class _Parts:
    """Records spread over files by the first byte of a uid."""

    def __init__(self, record: Struct) -> None:
        self._record = record
        self._files: list[IO[bytes]] = [tempfile.TemporaryFile() for _ in range(_PARTS)]  # noqa: SIM115  open as long as this is

    def add(self, *fields: bytes | int) -> None:
        packed = self._record.pack(*fields)
        self._files[packed[0] % _PARTS].write(packed)

    def read(self, part: int) -> Iterator[tuple[Any, ...]]:
        """The records of one part, as they came; its file is then closed."""
        with self._files[part] as file:
            file.seek(0)
            while chunk := file.read(self._record.size * 4096):
                yield from self._record.iter_unpack(chunk)
