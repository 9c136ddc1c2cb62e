"""The first of an erasure's two transactions: whether a subject may be erased, and all that is written before its keys go.

From its commit on nothing of the subject is used any more, and any node finishes the erasure (docs/decisions/0008).
"""

from collections.abc import Iterable
from typing import NamedTuple

from vault.admission import Admitted
from vault.audit.events import request_id_bytes
from vault.crypto.commitment import opens
from vault.crypto.envelope import DecryptionError
from vault.crypto.keys import Key
from vault.errors import VaultError
from vault.kms.tenant_keys import KeysMissingError, TenantKeys
from vault.named_subjects import lookups
from vault.store.envelopes import open_opening, seal_opening
from vault.store.reads import Belongings, Known, Reads
from vault.store.rows import RETENTION_US, ErasureRow, HoldRow
from vault.store.sealing import check, sealed
from vault.store.states import ErasureState, SubjectState
from vault.subjects.belongings import live_holds
from vault.subjects.erasure_statement import Found, begun
from vault.subjects.own_keys import only_own
from vault.v1 import common_pb2
from vault.v1.subject_service_pb2 import ErasureReceipt, ErasureStatement

UNKNOWN_HINT = "of one that was erased, the erasure's uid or the same request_id leads to the receipt"
"""What to do about a name that leads to nobody."""


class Opened(NamedTuple):
    """An erasure with the key of its statement's commitment."""

    row: ErasureRow
    key: Key

    def receipt(self, subject_id: str) -> ErasureReceipt:
        """The caller's own copy of its receipt, as far as the first transaction knows it."""
        return ErasureReceipt(statement=self.row.statement, subject_id=subject_id, commitment_key=self.key.raw)


def named(keys: TenantKeys, subject_ids: Iterable[str]) -> Reads:
    """What is read of subjects that are to be erased by name."""
    return Reads(subjects=lookups(keys, subject_ids), requested_erasures=True, tenant_keys=True, owning=True)


def owned_by(admitted: Admitted, subject_uids: frozenset[bytes]) -> dict[bytes, Belongings]:
    """All that belongs to subjects that were found.

    Raises:
        MoreRowsError: it has to be read.
    """
    reads = Reads(belongings=subject_uids, owning=True)
    admitted.need(reads)
    return admitted.rows.belongings


def check_erasable(admitted: Admitted, known: Known, owned: Belongings) -> None:
    """Refuse to erase who is held, or is being erased.

    Raises:
        VaultError: SUBJECT_HELD, WRONG_STATE; INTEGRITY, if a hold was altered.
    """
    for hold in owned.holds:
        check(admitted.keys.authority, hold)
    for hold in live_holds(admitted, owned):
        admitted.draft.touch_subject("", known.subject.uid, reason=common_pb2.ERROR_REASON_SUBJECT_HELD)
        raise _held(hold)
    if known.subject.state == SubjectState.ERASING:
        admitted.draft.touch_subject("", known.subject.uid, reason=common_pb2.ERROR_REASON_WRONG_STATE)
        raise VaultError(
            common_pb2.ERROR_REASON_WRONG_STATE,
            "the subject is being erased already; with the request_id that began it, the call answers the receipt",
        )


def begin(
    admitted: Admitted, known: Known, subject_id: str, owned: Belongings, erasure_uid: bytes, operation_uid: bytes | None = None
) -> Opened:
    """Begin to erase a subject: what is written goes with the call.

    Args:
        admitted: the call.
        known: the subject, checked, and found FOR UPDATE.
        subject_id: the name that was given.
        owned: what is the subject's.
        erasure_uid: 16 random bytes.
        operation_uid: of the operation that it is part of, if it is.
    """
    tenant, subject, key = admitted.tenant, known.subject, Key.generate()
    found, now_us, context = _found(admitted, owned), admitted.rows.now_us, admitted.draft.context
    statement = begun(context, erasure_uid, subject.uid, (key, subject_id), found, now_us)
    row = ErasureRow(
        tenant_uid=tenant.uid,
        uid=erasure_uid,
        subject_uid=subject.uid,
        state=ErasureState.BEGUN,
        statement=statement.SerializeToString(deterministic=True),
        epoch=tenant.epoch,
        index_key_version=tenant.index_key_version,
        begin_us=now_us,
        end_us=0,
        horizon_us=0,
        operation_uid=operation_uid,
        request_id=request_id_bytes(context),
        principal_uid=admitted.principal.uid,
        opening=None,
    )
    row = sealed(admitted.keys.authority, seal_opening(admitted.keys, row, tenant.epoch, key))
    admitted.writes.inserted.append(row)
    admitted.writes.replaced.append((subject, sealed(admitted.keys.authority, subject._replace(state=SubjectState.ERASING))))
    admitted.draft.touch_subject("", subject.uid)
    return Opened(row, key)


def recall_erasure(admitted: Admitted, subject_id: str) -> Opened | None:
    """The erasure of this name that the same request has begun within 24 hours.

    Raises:
        VaultError: REQUEST_ID_REUSED, if it has erased others only; INTEGRITY.
    """
    rows = requested(admitted)
    opened = next((found for row in rows if (found := is_of(admitted, row, subject_id))), None)
    if rows and not opened:
        raise reused()
    return opened


def requested(admitted: Admitted) -> list[ErasureRow]:
    """The erasures that the same request of the same principal has begun within 24 hours, not checked yet."""
    own = [row for row in admitted.rows.requested_erasures if row.principal_uid == admitted.principal.uid]
    return [row for row in own if row.begin_us + RETENTION_US > admitted.rows.now_us]


def is_of(admitted: Admitted, row: ErasureRow, subject_id: str) -> Opened | None:
    """The erasure, if it is that of this name, and what opens it is still there.

    Raises:
        VaultError: INTEGRITY.
    """
    check(admitted.keys.authority, row)
    key = _opening(admitted, row)
    committed = ErasureStatement.FromString(row.statement).subject_commitment
    return Opened(row, key) if key and opens(key, subject_id, committed) else None


def reused() -> VaultError:
    """The refusal of a request_id that stands for another erasure."""
    return VaultError(
        common_pb2.ERROR_REASON_REQUEST_ID_REUSED,
        "request_id was used for another erasure within 24 hours; use a new UUID for each logical call",
    )


def _opening(admitted: Admitted, row: ErasureRow) -> Key | None:
    """The key of an erasure's commitment, while it is kept and its epoch is."""
    if row.opening is None:
        return None
    try:
        return open_opening(admitted.keys, row)
    except KeysMissingError:
        return None
    except DecryptionError:
        raise VaultError(
            common_pb2.ERROR_REASON_INTEGRITY,
            "what opens a stored erasure was altered or moved; it is not used; the operator must investigate",
        ) from None


def _found(admitted: Admitted, owned: Belongings) -> Found:
    own, unopened = only_own(admitted.keys, owned)
    return Found(own, admitted.tenant, admitted.rows.tenant_keys, admitted.keys.kek_version, unopened)


def _held(hold: HoldRow) -> VaultError:
    return VaultError(
        common_pb2.ERROR_REASON_SUBJECT_HELD,
        f"the hold {hold.uid.hex()} ({hold.reference}) keeps the subject from being erased; nothing was done; release it first",
    )
