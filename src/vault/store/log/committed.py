"""What this node itself committed to each log: by these leaves it can tell that a log stands still, whatever the database says.

Columns of waiting rows can be edited, leaves that a node has answered for can't be edited out of its memory. Only the newest leaf
of each second is kept, since each is linked by its hash to those before it: without them it would be in no chain that verifies.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

_APART_S = 1.0
_MAX_MARKS = 4


class Due(NamedTuple):
    """A leaf that must be in its log by now, nowhere before the index ``floor``."""

    leaf_hash: bytes
    floor: int


class _Mark(NamedTuple):
    """A log had ``size`` entries, no later than at ``moment``."""

    moment: float
    size: int


@dataclass
class _Kept:
    """The newest leaf of those that were committed from ``since`` on, for a second."""

    since: float
    committed: float
    due: Due


@dataclass
class _Log:
    """What is kept of one log: a dozen leaves, and where to look for them."""

    first: _Mark
    marks: deque[_Mark] = field(default_factory=lambda: deque(maxlen=_MAX_MARKS))
    leaves: deque[_Kept] = field(default_factory=deque)


class CommittedLeaves:
    """Told of commits by the runner's thread and of sizes by those that look at logs; shared by threads."""

    def __init__(self, age_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with no logs; a leaf is due ``age_s`` seconds after its commit."""
        self._age_s = age_s
        self._clock = clock
        self._lock = threading.Lock()
        self._logs: dict[bytes, _Log] = {}

    def mark(self, tenant_uid: bytes, size: int) -> None:
        """A snapshot of the database, which is over, showed a log of this size: what is committed from now on comes behind that."""
        with self._lock:
            mark = _Mark(self._clock(), size)
            log = self._logs.setdefault(tenant_uid, _Log(mark))
            log.marks.append(mark)

    def note(self, began: float, last_hashes: Mapping[bytes, bytes]) -> None:
        """Remember a transaction's last leaf in each log.

        A transaction that may have been in the snapshot by which its log was first looked at is none to go by.

        Args:
            began: when it did, in this object's seconds.
            last_hashes: by tenant uid. The transaction is certainly committed.
        """
        with self._lock:
            now = self._clock()
            for tenant_uid, leaf_hash in last_hashes.items():
                log = self._logs.get(tenant_uid)
                if log is None or began <= log.first.moment:
                    continue
                floor = next((mark.size for mark in reversed(log.marks) if mark.moment < began), log.first.size)
                since = log.leaves.pop().since if log.leaves and now - log.leaves[-1].since < _APART_S else now
                log.leaves.append(_Kept(since, now, Due(leaf_hash, floor)))
                self._drop_older(log, now)

    def due(self, tenant_uid: bytes) -> Due | None:
        """The newest leaf that must be in the log by now; None if there is none, or the newest was found there."""
        with self._lock:
            log, now = self._logs.get(tenant_uid), self._clock()
            if log is None:
                return None
            self._drop_older(log, now)
            return log.leaves[0].due if log.leaves and now - log.leaves[0].committed > self._age_s else None

    def found(self, tenant_uid: bytes, due: Due) -> None:
        """That leaf is in the log for good."""
        with self._lock:
            log = self._logs[tenant_uid]
            if log.leaves and log.leaves[0].due == due:
                log.leaves.popleft()

    def _drop_older(self, log: _Log, now: float) -> None:
        """Of the leaves that are due, keep only the newest."""
        while len(log.leaves) > 1 and now - log.leaves[1].committed > self._age_s:
            log.leaves.popleft()
