"""PlaceHold and ReleaseHold: what the law wants kept is not erased, until the time is over or the hold is released."""

from vault.admission import Admitted
from vault.errors import FieldViolation, VaultError
from vault.idempotency import Done, recall, remember
from vault.kms.tenant_keys import TenantKeys
from vault.named_subjects import lookups
from vault.safe import new_uid
from vault.store.reads import Known, Reads
from vault.store.rows import HoldRow
from vault.store.sealing import sealed
from vault.subjects.belongings import belongings
from vault.subjects.named import need, need_lasting
from vault.v1 import common_pb2
from vault.v1 import subject_service_pb2 as v1

PLACE, RELEASE = "PlaceHold", "ReleaseHold"
MAX_HOLDS = 100
"""Of one subject, those included that have ended by themselves."""
_MAX_SECONDS = 253_402_300_799
"""The last second of the year 9999, the last one that a Timestamp may name."""


class PlaceHold:
    """One PlaceHold request."""

    def __init__(self, request: v1.PlaceHoldRequest) -> None:
        if not request.context.reference:
            raise _invalid("context.reference", "must say why: a ticket, a file number, a law")
        self._request = request

    def reads(self, keys: TenantKeys) -> Reads:
        """The subject; an erasure that comes at the same time waits, or has begun."""
        return Reads(subjects=lookups(keys, [self._request.subject_id]), owning=True)

    def decide(self, admitted: Admitted) -> v1.PlaceHoldResponse:
        """Place it once."""
        done = recall(admitted, self._request)
        admitted.permit(PLACE, "")
        known = need_lasting(admitted, need(admitted, self._request.subject_id))
        row = self._placed(admitted, known, done[0]) if done else self._place(admitted, known)
        admitted.draft.details["hold"] = row.uid.hex()
        return v1.PlaceHoldResponse(hold=described(row))

    def _place(self, admitted: Admitted, known: Known) -> HoldRow:
        row = HoldRow(
            tenant_uid=admitted.tenant.uid,
            subject_uid=known.subject.uid,
            uid=new_uid(),
            reference=self._request.context.reference,
            principal_uid=admitted.principal.uid,
            create_us=admitted.rows.now_us,
            expire_us=self._expire_us(admitted.rows.now_us),
        )
        if len(belongings(admitted, known).holds) == MAX_HOLDS:
            raise VaultError(
                common_pb2.ERROR_REASON_WRONG_STATE,
                f"the subject has {MAX_HOLDS} holds, which is the most; release those that have ended",
            )
        row = sealed(admitted.keys.authority, row)
        admitted.writes.inserted.append(row)
        remember(admitted, self._request, [Done(row.subject_uid, row.uid, 0, 0)])
        return row

    def _placed(self, admitted: Admitted, known: Known, done: Done) -> HoldRow:
        return _find(admitted, known, done.token_uid)

    def _expire_us(self, now_us: int) -> int | None:
        if not self._request.HasField("expire_time"):
            return None
        expire_time = self._request.expire_time
        if expire_time.seconds > _MAX_SECONDS or expire_time.ToMicroseconds() <= now_us:
            raise _invalid("expire_time", "must be in the future, by the database's clock, and not after the year 9999")
        return expire_time.ToMicroseconds()


class ReleaseHold:
    """One ReleaseHold request."""

    def __init__(self, request: v1.ReleaseHoldRequest) -> None:
        self._request = request

    def reads(self, keys: TenantKeys) -> Reads:
        """The subject."""
        return Reads(subjects=lookups(keys, [self._request.subject_id]), owning=True)

    def decide(self, admitted: Admitted) -> v1.ReleaseHoldResponse:
        """End it."""
        admitted.permit(RELEASE, "")
        known = need_lasting(admitted, need(admitted, self._request.subject_id))
        row = _find(admitted, known, self._request.hold_uid)
        admitted.draft.details["hold"] = row.uid.hex()
        admitted.writes.dropped.append(row)
        return v1.ReleaseHoldResponse()


def described(row: HoldRow) -> v1.Hold:
    """A hold as callers see it."""
    hold = v1.Hold(hold_uid=row.uid, reference=row.reference)
    hold.create_time.FromMicroseconds(row.create_us)
    if row.expire_us is not None:
        hold.expire_time.FromMicroseconds(row.expire_us)
    return hold


def _find(admitted: Admitted, known: Known, uid: bytes) -> HoldRow:
    for row in belongings(admitted, known).holds:
        if row.uid == uid:
            return row
    raise VaultError(common_pb2.ERROR_REASON_NOT_FOUND, "the subject has no such hold; it was released, or is another subject's")


def _invalid(field: str, rule: str) -> VaultError:
    return VaultError(common_pb2.ERROR_REASON_INVALID_FIELD, f"{field} {rule}", violations=[FieldViolation(field, rule)])
