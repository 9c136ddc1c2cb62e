"""Whether the keys that a subject's rows show are its own: before the KMS is told that they are destroyed.

A key row is under no MAC; the wrapped key itself says whose it is. One that was copied from somebody else would have that person
taken for erased wherever an erasure is repeated by its note.
"""

from collections.abc import Iterable

from vault.crypto import binding
from vault.crypto.envelope import DecryptionError
from vault.crypto.keys import LABEL_WRAP, unwrap
from vault.errors import VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.store.rows import SubjectKeyRow
from vault.v1 import common_pb2


def check_own(keys: TenantKeys, rows: Iterable[SubjectKeyRow]) -> None:
    """Refuse a key row that does not open as what it says it is.

    Raises:
        VaultError: INTEGRITY.
    """
    for row in rows:
        bound = binding.subject_key(row.tenant_uid, row.subject_uid, row.kind, row.version, row.key_id, row.epoch)
        try:
            if row.epoch not in keys.epochs:
                raise DecryptionError
            unwrap(keys.epoch(row.epoch).derive(LABEL_WRAP), row.wrapped, bound)
        except DecryptionError:
            raise VaultError(
                common_pb2.ERROR_REASON_INTEGRITY,
                f"a stored subject key ({row.kind}, version {row.version}) was altered or is not the subject's own, so the subject "
                "is not erased with it; the operator must investigate",
            ) from None
