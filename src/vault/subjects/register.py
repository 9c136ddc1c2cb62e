"""Register: a subject before any value of it, or the one that is there; with other names that lead to it."""

from vault.admission import Admitted
from vault.crypto.fingerprint import subject_lookup
from vault.idempotency import Done, recall, remember
from vault.kms.tenant_keys import TenantKeys
from vault.named_subjects import lookups
from vault.safe import new_subject
from vault.store.reads import Known, Reads
from vault.subjects import aliases
from vault.subjects.belongings import belongings
from vault.subjects.link import LINK
from vault.subjects.named import find, need_lasting
from vault.v1 import subject_service_pb2 as v1

ACTION = "Register"
_FOUND, _MADE = 0, 1
"""What is remembered of a request, as a revision."""


class Register:
    """One Register request."""

    def __init__(self, request: v1.RegisterRequest) -> None:
        self._request = request
        self._aliases = [name for name in request.aliases if name != request.subject_id]

    def reads(self, keys: TenantKeys) -> Reads:
        """Whoever has one of the names; nobody else may give them away meanwhile."""
        subjects = lookups(keys, [self._request.subject_id, *self._aliases])
        return Reads(subjects=subjects, owning=True) if self._aliases else Reads(subjects=subjects, locking=True)

    def decide(self, admitted: Admitted) -> v1.RegisterResponse:
        """Find it or make it."""
        done = recall(admitted, self._request)
        admitted.permit(ACTION, "")
        if done is None:
            done = [self._register(admitted)]
            remember(admitted, self._request, done)
        (one,) = done
        admitted.draft.touch_subject("", one.subject_uid)
        return v1.RegisterResponse(subject_uid=one.subject_uid, existed=one.revision == _FOUND)

    def _register(self, admitted: Admitted) -> Done:
        found = find(admitted, self._request.subject_id)
        if found and self._aliases:
            admitted.permit(LINK, "")  # before it is looked to whom they lead: whoever may not link isn't told who is whom
        known = need_lasting(admitted, found) if found else self._make(admitted)
        new = self._unused(admitted, found)
        if found and new:
            aliases.need_room(len(belongings(admitted, found).aliases) + len(new))
        for alias in new:
            aliases.add(admitted, known, alias)
        return Done(known.subject.uid, bytes(16), _FOUND if found else _MADE, 0)

    def _make(self, admitted: Admitted) -> Known:
        index_key = admitted.keys.index(admitted.tenant.index_key_version)
        return new_subject(admitted, self._request.subject_id, subject_lookup(index_key, self._request.subject_id))

    def _unused(self, admitted: Admitted, known: Known | None) -> list[str]:
        """The names that lead nowhere yet.

        Raises:
            VaultError: ALIAS_TAKEN, if one leads to another subject.
        """
        unused = []
        for alias in self._aliases:
            other = find(admitted, alias)
            if other is None:
                unused.append(alias)
            elif known is None or other.subject.uid != known.subject.uid:
                raise aliases.taken(admitted, other)
        return unused
