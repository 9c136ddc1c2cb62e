"""Subjects by the names that callers give them: found under every live index key, or made."""

from collections.abc import Iterable, Mapping

from vault.admission import Admitted
from vault.crypto.fingerprint import subject_lookup
from vault.errors import VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.safe import checked_known, new_subject
from vault.store.reads import Known, Reads
from vault.v1 import common_pb2

Lookups = Mapping[str, Mapping[int, bytes]]
"""For each subject_id its look-up hashes, by the version of the index key."""


def lookups_of(subject_ids: Iterable[str], keys: TenantKeys) -> Lookups:
    """The look-up hashes of subjects, one for each live index key."""
    return {name: {version: subject_lookup(key, name) for version, key in keys.indexes.items()} for name in set(subject_ids)}


def reading(by_name: Lookups) -> Reads:
    """What to read to find these subjects, and to keep them from being erased or made by somebody else meanwhile."""
    return Reads(subjects=_every(by_name), locking=True)


def lookups(keys: TenantKeys, names: Iterable[str]) -> frozenset[bytes]:
    """Where names are looked up: a hash (32 bytes) of each under each live index key."""
    return _every(lookups_of(names, keys))


def find(admitted: Admitted, name: str) -> Known | None:
    """The subject that a name leads to, checked, if it is among those that were read.

    Raises:
        VaultError: INTEGRITY.
    """
    return _found(admitted, lookups(admitted.keys, [name]))


def unknown(hint: str = "it was never stored or registered, or it was erased") -> VaultError:
    """The refusal of a name that leads nowhere: the same for unknown, foreign and erased subjects."""
    return VaultError(common_pb2.ERROR_REASON_SUBJECT_NOT_FOUND, f"the tenant knows no such subject; {hint}")


def _every(by_name: Lookups) -> frozenset[bytes]:
    return frozenset(lookup for by_version in by_name.values() for lookup in by_version.values())


def _found(admitted: Admitted, hashes: Iterable[bytes]) -> Known | None:
    known = next(filter(None, map(admitted.rows.subjects.get, hashes)), None)
    return checked_known(admitted, known) if known else None


class NamedSubjects:
    """The subjects that one call names, each checked or made once."""

    def __init__(self, admitted: Admitted, by_name: Lookups) -> None:
        self._admitted = admitted
        self._lookups = by_name
        self._known: dict[str, Known | None] = {}

    def find(self, subject_id: str) -> Known | None:
        """The subject of this name, if there is one.

        Raises:
            VaultError: INTEGRITY.
        """
        if subject_id not in self._known:
            self._known[subject_id] = _found(self._admitted, self._lookups[subject_id].values())
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
