"""Subjects by the names that callers give them: found under every live index key, or made."""

from collections.abc import Iterable, Mapping

from vault.admission import Admitted
from vault.crypto.fingerprint import subject_lookup
from vault.kms.tenant_keys import TenantKeys
from vault.safe import checked_known, new_subject
from vault.store.reads import Known, Reads

Lookups = Mapping[str, Mapping[int, bytes]]
"""For each subject_id its look-up hashes, by the version of the index key."""


def lookups_of(subject_ids: Iterable[str], keys: TenantKeys) -> Lookups:
    """The look-up hashes of subjects, one for each live index key."""
    return {name: {version: subject_lookup(key, name) for version, key in keys.indexes.items()} for name in set(subject_ids)}


def reading(lookups: Lookups) -> Reads:
    """What to read to find these subjects, and to keep them from being erased or made by somebody else meanwhile."""
    return Reads(subjects=frozenset(lookup for by_version in lookups.values() for lookup in by_version.values()), locking=True)


class NamedSubjects:
    """The subjects that one call names, each checked or made once."""

    def __init__(self, admitted: Admitted, lookups: Lookups) -> None:
        self._admitted = admitted
        self._lookups = lookups
        self._known: dict[str, Known | None] = {}

    def find(self, subject_id: str) -> Known | None:
        """The subject of this name, if there is one.

        Raises:
            VaultError: INTEGRITY.
        """
        if subject_id not in self._known:
            found = (self._admitted.rows.subjects.get(lookup) for lookup in self._lookups[subject_id].values())
            known = next(filter(None, found), None)
            if known:
                checked_known(self._admitted, known)
            self._known[subject_id] = known
        return self._known[subject_id]

    def find_or_make(self, subject_id: str) -> Known:
        """The subject of this name; a new one is written with the call.

        Raises:
            VaultError: INTEGRITY.
        """
        known = self.find(subject_id)
        if known is None:
            lookup = self._lookups[subject_id][self._admitted.tenant.index_key_version]
            known = self._known[subject_id] = new_subject(self._admitted, subject_id, lookup)
        return known
