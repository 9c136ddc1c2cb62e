"""Re-keying many subjects, each by a call of its own: whose rows were altered keeps its keys, is named, and holds up nobody."""

from collections.abc import Iterable, Mapping

import structlog

from vault.audit.events import Caller
from vault.errors import VaultError
from vault.keys.rekeying import GONE, NewFieldKey, Rekeying
from vault.server.key_worker.desk import Desk

log = structlog.get_logger(__name__)


class Renewal:
    """New keys for subjects, as they are asked for.

    Attributes:
        altered: whose rows were altered, by uid (16 bytes), each once.
        full: who got no new field key for want of room.
    """

    def __init__(self, desk: Desk, caller: Caller, details: Mapping[str, str], new_field_key: NewFieldKey) -> None:
        """Make it; ``details`` is what the log says besides."""
        self._desk, self._caller, self._details, self._new_field_key = desk, caller, details, new_field_key
        self.altered: dict[bytes, None] = {}
        self.full: dict[bytes, None] = {}

    def renew(self, subject_uids: Iterable[bytes]) -> int:
        """Re-key these; how many were, without those that have gone meanwhile or were altered.

        Raises:
            VaultError: somebody could not be re-keyed for another reason.
        """
        calls = [Rekeying(self._caller, uid, dict(self._details), self._new_field_key) for uid in subject_uids]
        answers = self._desk.each(calls)
        refused = [(call, answer) for call, answer in zip(calls, answers, strict=True) if isinstance(answer, VaultError)]
        for call, error in refused:
            self._note(call, error)
        self.full |= dict.fromkeys(call.subject_uid for call in calls if call.lacks_room)
        return len(calls) - len(refused)

    def _note(self, call: Rekeying, error: VaultError) -> None:
        if call.is_altered:
            if call.subject_uid not in self.altered:
                log.warning("a subject keeps its keys", subject=call.subject_uid.hex(), reason=error.reason_name)
            self.altered[call.subject_uid] = None
        elif error.reason not in GONE:
            raise error
