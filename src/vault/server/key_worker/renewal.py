"""Re-keying some subjects at a time, each part of each by a call of its own: one with many items in several parts.

Whose rows were altered keeps its keys, is named, and holds up nobody; nor does one of whom not even a small part can be moved
within the time that a transaction may take.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from vault.errors import VaultError
from vault.keys.rekeying import NewFieldKey, NextPart, Rekeying
from vault.keys.rekeying_refusals import GONE
from vault.server.key_worker.erased import Living
from vault.server.key_worker.held_operation import HeldOperation
from vault.store.blanking import blank_next
from vault.store.reading import whole_subjects

log = structlog.get_logger(__name__)

MAX_SUBJECTS = 50
"""Subjects in one transaction."""
_TRIES = 3
"""How often a part that takes too long is tried, each time with a tenth of the items."""


class _Task(NamedTuple):
    """A subject with more to move: the next part of it.

    ``after`` is the item up to which it has its new keys; None if it has none yet. ``limit`` is how many items at most.
    """

    uid: bytes
    weight: int
    after: bytes | None
    limit: int
    tries: int = 1


@dataclass
class Renewed:
    """What one step did.

    Attributes:
        done: how many subjects are under a new store key now, all that is theirs.
        rows: items and subjects that were moved, and requests that were blanked beforehand.
        altered: whose rows were altered, by uid (16 bytes).
        late: of whom no part could be moved in time.
        full: who got no new field key for want of room.
    """

    done: int = 0
    rows: int = 0
    altered: list[bytes] = field(default_factory=list)
    late: list[bytes] = field(default_factory=list)
    full: list[bytes] = field(default_factory=list)


class Renewal:
    """The subjects that are under way."""

    def __init__(self, held: HeldOperation, new_field_key: NewFieldKey, batch: int, living: Living) -> None:
        """Begin with nobody.

        Args:
            held: the operation that they are re-keyed for.
            new_field_key: whether those who begin get one.
            batch: how many items a transaction moves, unless one part alone has more.
            living: who may get new keys. Nobody else ever does, although their rows were put back.
        """
        self._held, self._new_field_key, self._batch, self._living = held, new_field_key, batch, living
        self._tasks = deque[_Task]()

    @property
    def left(self) -> frozenset[bytes]:
        """Who has more to move."""
        return frozenset(task.uid for task in self._tasks)

    def begin(self, subject_uid: bytes, weight: int) -> None:
        """Let somebody get a new store key whose first part weighs as much as ``weight`` items."""
        self._add(_Task(subject_uid, weight, after=None, limit=whole_subjects.MAX_ITEMS))

    def take_up(self, subject_uid: bytes) -> None:
        """Go on with somebody of whom another has left more to move."""
        limit = whole_subjects.MAX_ITEMS
        self._add(_Task(subject_uid, limit, after=b"", limit=limit))

    def step(self) -> Renewed:
        """Move the next part of as many as one transaction takes; or blank requests of those who begin, while somebody was in many.

        Raises:
            VaultError: somebody can't be re-keyed for another reason than altered rows, or want of time.
        """
        tasks, said = self._next(), Renewed()
        beginning = [task.uid for task in tasks if task.after is None]
        said.rows = blank_next(self._held.desk.engine, self._held.tenant_uid, beginning)
        if said.rows:
            self._tasks.extendleft(reversed(tasks))
            return said
        calls = [self._call(task) for task in tasks]
        unfinished = list[_Task]()
        for task, call, answer in zip(tasks, calls, self._held.desk.each(calls), strict=True):
            if isinstance(answer, VaultError):
                unfinished += self._refused(task, call, answer, said)
                continue
            said.rows += call.moved + 1
            if isinstance(call, Rekeying) and call.lacks_room:
                said.full.append(task.uid)
            if call.is_last:
                said.done += 1
            else:
                unfinished.append(task._replace(weight=task.limit, after=call.end, tries=1))
        self._tasks.extendleft(reversed(unfinished))
        return said

    def _add(self, task: _Task) -> None:
        if task.uid not in self._living.erased:
            self._tasks.append(task)

    def _next(self) -> list[_Task]:
        """Those that come first, and are not too much together."""
        tasks, weight = list[_Task](), 0
        while self._tasks and len(tasks) < MAX_SUBJECTS:
            task = self._tasks[0]
            weight += task.weight + 1
            if tasks and (weight > self._batch or task.tries > 1):
                break
            tasks.append(self._tasks.popleft())
            if task.tries > 1:
                break
        return tasks

    def _call(self, task: _Task) -> Rekeying | NextPart:
        caller, details, epoch, size = self._held.caller, self._held.details, self._living.epoch, (task.limit, task.weight)
        if task.after is None:
            return Rekeying(caller, task.uid, details, epoch, self._new_field_key, *size)
        return NextPart(caller, task.uid, details, epoch, task.after, *size)

    def _refused(self, task: _Task, call: Rekeying | NextPart, error: VaultError, said: Renewed) -> list[_Task]:
        """Note why somebody was refused; what is to be tried again, smaller.

        Raises:
            VaultError: the refusal, where it says nothing about this subject.
        """
        if error.reason in GONE:
            return []
        if call.is_too_slow and task.tries < _TRIES:
            limit = max(1, task.limit // 10)
            return [task._replace(limit=limit, weight=min(task.weight, limit), tries=task.tries + 1)]
        if not call.is_altered and not call.is_too_slow:
            raise error
        log.warning("a subject keeps its keys", subject=task.uid.hex(), reason=error.reason_name)
        (said.altered if call.is_altered else said.late).append(task.uid)
        return []
