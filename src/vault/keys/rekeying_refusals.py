"""Why a subject is not re-keyed now: it goes, its rows were altered, or the tenant's keys are others or stand still."""

from vault.errors import VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.store.rotation.turnstile import stands_still
from vault.store.rows import SubjectRow, TenantRow
from vault.store.sealing import check
from vault.store.states import SubjectState, TenantState
from vault.v1 import common_pb2

GONE = frozenset({common_pb2.ERROR_REASON_SUBJECT_NOT_FOUND, common_pb2.ERROR_REASON_SUBJECT_RESTRICTED})
"""Why a subject is not re-keyed that needs no new keys any more."""
TOO_SLOW = frozenset({common_pb2.ERROR_REASON_DEADLINE_EXCEEDED, common_pb2.ERROR_REASON_DATABASE_UNAVAILABLE})
"""Why a part is refused that takes longer than a transaction may."""


class AlteredError(VaultError):
    """A row of the subject was altered: INTEGRITY."""

    def __init__(self, subject_uid: bytes) -> None:
        """Name the subject by its uid (16 bytes)."""
        super().__init__(
            common_pb2.ERROR_REASON_INTEGRITY,
            f"a stored row of the subject {subject_uid.hex()} was altered or moved; the subject keeps its keys; the operator must "
            "investigate",
        )


def check_current(tenant: TenantRow, epoch: int) -> None:
    """Refuse to seal anything under an epoch that is newer than what is known of the erased.

    Raises:
        VaultError: CONFLICT.
    """
    if tenant.epoch != epoch:
        raise VaultError(
            common_pb2.ERROR_REASON_CONFLICT, "the tenant's keys were rotated meanwhile; who was erased has to be asked anew"
        )


def check_lasting(keys: TenantKeys, tenant: TenantRow, subject: SubjectRow) -> None:
    """Refuse whose keys are noted already as those that go, and a tenant that nothing is to be done for.

    Raises:
        VaultError: TENANT_SEALED, SUBJECT_RESTRICTED; INTEGRITY, as ``AlteredError``.
    """
    if tenant.state != TenantState.ACTIVE:
        raise stands_still(tenant.state)
    try:
        check(keys.authority, subject)
    except VaultError:
        raise AlteredError(subject.uid) from None
    if subject.state == SubjectState.ERASING:
        raise VaultError(common_pb2.ERROR_REASON_SUBJECT_RESTRICTED, "the subject is being erased: it gets no new keys")
