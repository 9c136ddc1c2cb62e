"""Re-keying some subjects at a time, each part of each by a call of its own: one with many items in several parts.

Whose rows were altered keeps its keys, is named, and holds up nobody.
"""

from collections.abc import Iterable, Mapping, Sequence

import structlog

from vault.audit.events import Caller
from vault.errors import VaultError
from vault.keys.rekeying import GONE, NewFieldKey, NextPart, Rekeying
from vault.server.key_worker.desk import Desk

log = structlog.get_logger(__name__)


class Renewal:
    """The subjects that are under way.

    Attributes:
        done: how many of them all is under a new store key.
        altered: whose rows were altered, by uid (16 bytes).
        full: who got no new field key for want of room.
    """

    def __init__(self, desk: Desk, caller: Caller, details: Mapping[str, str], new_field_key: NewFieldKey) -> None:
        """Begin with nobody; ``details`` is what the log says besides."""
        self._desk, self._caller, self._details, self._new_field_key = desk, caller, details, new_field_key
        self._partly: list[bytes] = []
        self.done = 0
        self.altered: list[bytes] = []
        self.full: list[bytes] = []

    @property
    def is_over(self) -> bool:
        """Whether nobody is left with more to move."""
        return not self._partly

    def begin(self, subject_uids: Iterable[bytes]) -> None:
        """Give these a new store key, and move as much of each as one part has.

        Raises:
            VaultError: somebody can't be re-keyed for another reason than altered rows.
        """
        calls = [Rekeying(self._caller, uid, self._details, self._new_field_key) for uid in subject_uids]
        self._run(calls)
        self.full += [call.subject_uid for call in calls if call.lacks_room]

    def take_up(self, subject_uids: Iterable[bytes]) -> None:
        """Go on with these, of whom somebody has left more to move."""
        self._partly += subject_uids

    def go_on(self) -> None:
        """Move the next part of the first that has more; errors as ``begin``."""
        uid, *self._partly = self._partly
        self._run([NextPart(self._caller, uid, self._details)])

    def _run(self, calls: Sequence[Rekeying | NextPart]) -> None:
        for call, answer in zip(calls, self._desk.each(calls), strict=True):
            if isinstance(answer, VaultError):
                self._note(call, answer)
            elif call.is_last:
                self.done += 1
            else:
                self._partly.append(call.subject_uid)

    def _note(self, call: Rekeying | NextPart, error: VaultError) -> None:
        if call.is_altered:
            log.warning("a subject keeps its keys", subject=call.subject_uid.hex(), reason=error.reason_name)
            self.altered.append(call.subject_uid)
        elif error.reason not in GONE:
            raise error
