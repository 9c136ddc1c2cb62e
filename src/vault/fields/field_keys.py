"""Field keys: under which the ciphertexts that callers keep are sealed. Made at a person's first use; the newest one seals."""

from collections.abc import Iterable

from vault.admission import Admitted
from vault.crypto.field_ciphertext import FieldKey
from vault.crypto.keys import LABEL_FIELD
from vault.safe import altered, new_subject_key, subject_key
from vault.store.reads import FIELD, FieldHeld, Reads
from vault.store.rows import SubjectKeyRow


def field_key(admitted: Admitted, held: FieldHeld) -> FieldKey:
    """A field key in its place, once no row has been altered or moved, and they belong together.

    Raises:
        VaultError: INTEGRITY.
        KeysMissingError: the epoch key is not in memory.
    """
    subject, row = held
    admitted.check_subject(subject)
    own = (admitted.tenant.uid, subject.uid, FIELD)
    if subject.tenant_uid != admitted.tenant.uid or (row.tenant_uid, row.subject_uid, row.kind) != own:
        raise altered("field key")
    return _in_place(admitted, row)


class NewestFieldKeys:
    """The newest field keys of some subjects.

    Raises:
        MoreRowsError: they have to be read.
    """

    def __init__(self, admitted: Admitted, subject_uids: Iterable[bytes]) -> None:
        self._admitted = admitted
        self._keys: dict[bytes, FieldKey] = {}
        reads = Reads(newest_field_keys=frozenset(subject_uids))
        if reads.newest_field_keys:
            admitted.need(reads)

    def find(self, subject_uid: bytes) -> FieldKey | None:
        """The newest field key of a subject, if it has one.

        Raises:
            VaultError: INTEGRITY.
            KeysMissingError: the epoch key is not in memory.
        """
        held = self._admitted.rows.newest_field_keys.get(subject_uid)
        if subject_uid not in self._keys and held:
            self._keys[subject_uid] = field_key(self._admitted, held)
        return self._keys.get(subject_uid)

    def find_or_make(self, subject_uid: bytes) -> FieldKey:
        """The newest field key of a subject that is new, or kept from being erased; its first one is written with the call.

        Raises:
            VaultError: INTEGRITY.
            KeysMissingError: the epoch key is not in memory.
        """
        found = self.find(subject_uid)
        if found is None:
            row = new_subject_key(self._admitted, subject_uid, FIELD, 1)
            found = self._keys[subject_uid] = _in_place(self._admitted, row)
        return found


def _in_place(admitted: Admitted, row: SubjectKeyRow) -> FieldKey:
    key = subject_key(admitted, row).derive(LABEL_FIELD)
    return FieldKey(row.tenant_uid, row.subject_uid, row.key_id, row.version, key)
