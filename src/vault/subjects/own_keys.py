"""Which of the key rows that a subject shows are its own: before the KMS is told that they are destroyed.

A key row is under no MAC; the wrapped key itself says whose it is. One that was copied from somebody else would have that person
taken for erased wherever an erasure is repeated by its note; one that was damaged would keep the subject from being erased. So both
go with the subject, and are counted, not listed.
"""

from dataclasses import replace

from vault.crypto.envelope import DecryptionError
from vault.kms.tenant_keys import KeysMissingError, TenantKeys
from vault.store.envelopes import as_wrapped, open_subject_key
from vault.store.reads import Belongings
from vault.store.rows import SubjectKeyRow


def only_own(keys: TenantKeys, owned: Belongings) -> tuple[Belongings, int]:
    """What belongs to a subject, with those keys alone that open as what their rows say they are; and how many others there are.

    Args:
        keys: the tenant's, all that are not retired; they can't change until the commit.
        owned: all that the tables have of the subject.
    """
    own = [sound for row in owned.keys if (sound := _sound(keys, row))]
    return replace(owned, keys=own), len(owned.keys) - len(own)


def _sound(keys: TenantKeys, row: SubjectKeyRow) -> SubjectKeyRow | None:
    try:
        wrapped = as_wrapped(row)
        open_subject_key(keys, wrapped)
    except (DecryptionError, KeysMissingError):
        return None
    return wrapped
