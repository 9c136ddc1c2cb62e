"""The erased while keys change: nothing of theirs may be there that could move to newer keys, or that only waits to go."""

from typing import NamedTuple

from vault.errors import VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.server.key_worker.desk import Desk
from vault.server.key_worker.remembered import Remembered
from vault.store.engine import reading
from vault.store.returned import are_under_way, come_back
from vault.subjects.destroyed_note import read_notes
from vault.v1 import common_pb2


class Living(NamedTuple):
    """Who may get new keys: everybody but those whom the KMS remembered as erased once this epoch was the current one.

    Whoever is erased later waits for the end of this epoch at least, and so for that of what was sealed anew meanwhile.
    """

    epoch: int
    erased: frozenset[bytes]


def check_nobody_is_back(desk: Desk, keys: TenantKeys, remembered: Remembered, patience_s: float) -> None:
    """Refuse if rows of somebody are there who was erased, as the KMS remembers it. Whose erasure is under way does not count.

    Args:
        desk: what it takes to look.
        keys: the tenant's.
        remembered: of its erasures.
        patience_s: how long one statement may take.

    Raises:
        VaultError: INTEGRITY; of the KMS.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    erased = read_notes(remembered.notes())  # before the rows: whoever is erased meanwhile is not among these
    with reading(desk.engine, patience_s) as connection:
        back = come_back(connection, keys.tenant_uid, erased)
        if not are_under_way(connection, keys.authority, keys.tenant_uid, back.values()):
            raise VaultError(
                common_pb2.ERROR_REASON_INTEGRITY,
                "somebody who was erased is back in the database, and keys stay until nothing of theirs is there: after a restore, "
                "`pdvault restore reconcile` erases them again; else the operator must investigate who put it there",
            )


def erased_subjects(remembered: Remembered) -> frozenset[bytes]:
    """The uids of all subjects that were erased, or are being erased, as the KMS remembers it.

    Raises:
        VaultError: INTEGRITY, if an entry can't be read; of the KMS.
    """
    return frozenset(read_notes(remembered.notes()).by_subject)
