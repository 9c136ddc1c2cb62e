"""What takes a second principal: asked for, approved by another, then done once by whoever asked.

An approval stands for one action and one request, and for one occasion: the same request at another time takes another approval.
Its row is under a MAC and replaced by its old MAC, so that of two nodes that use it at once one succeeds.
"""

from dataclasses import dataclass
from hashlib import sha256

from google.protobuf.message import Message

from vault.admission import Admitted
from vault.crypto.encoding import pack
from vault.errors import VaultError
from vault.safe import new_uid
from vault.store.reads import Reads
from vault.store.rows import ApprovalRow
from vault.store.sealing import check, sealed
from vault.store.states import ApprovalState, PrincipalState
from vault.v1 import common_pb2
from vault.v1 import key_service_pb2 as v1

LIFETIME_US = 24 * 3600 * 1_000_000
"""How long an approval can be decided and used."""

_LABEL = "pdvault/v1/approval"
_PENDING = Reads(pending_approvals=True)


@dataclass(frozen=True)
class Need:
    """What is to be approved.

    Attributes:
        action: the method's name.
        request: what is asked for; its context and approval_uid don't count.
        summary: the same in words, for whoever decides; without anything personal.
        occasion: a number that changes when an approval given before must no longer hold.
    """

    action: str
    request: Message
    summary: str
    occasion: int = 0

    def digest(self, tenant_uid: bytes) -> bytes:
        """What an approval's row is bound to, 32 bytes (docs/formats.md, "Approvals")."""
        wanted = type(self.request)()
        wanted.CopyFrom(self.request)
        wanted.ClearField("context")
        wanted.ClearField("approval_uid")
        packed = pack(_LABEL, tenant_uid, self.action, self.occasion, wanted.SerializeToString(deterministic=True))
        return sha256(packed).digest()


def ask(admitted: Admitted, need: Need) -> v1.Approval:
    """Ask for it; what the same principal has asked for already, and can still use, is answered again.

    Raises:
        MoreRowsError: what is pending has to be read.
        VaultError: INTEGRITY.
    """
    admitted.need(_PENDING)
    digest = need.digest(admitted.tenant.uid)
    mine = (need.action, digest, admitted.principal.uid)
    row = next((row for row in pending(admitted) if (row.action, row.digest, row.asked_by) == mine), None)
    if row is None:
        row = sealed(admitted.keys.authority, _asked(admitted, need, digest))
        admitted.writes.inserted.append(row)
    admitted.draft.details["approval"] = row.uid.hex()
    return described(admitted, row)


def use(admitted: Admitted, need: Need, approval_uid: bytes) -> None:
    """Use an approval up; it is with the call that it is used.

    Raises:
        MoreRowsError: it has to be read.
        VaultError: NOT_FOUND; WRONG_STATE, if it is expired, denied or used; APPROVAL_NEEDED, if nobody has approved this very
            request of this principal, or who did was suspended since; INTEGRITY.
    """
    row = found(admitted, approval_uid)
    check_usable(admitted, row)
    if (row.action, row.digest, row.asked_by) != (need.action, need.digest(admitted.tenant.uid), admitted.principal.uid):
        raise _needed("what was approved is another request, or another principal's: ask for this one, without naming an approval")
    if row.state != ApprovalState.APPROVED:
        raise _needed(f"nobody has approved {row.uid.hex()} yet: another principal does it by `pdvault approval approve`")
    decider = admitted.rows.principals.get(row.decided_by or b"")
    if decider is None or row.decided_by == row.asked_by:
        raise _needed("who approved it is no principal any more: ask again")
    check(admitted.keys.authority, decider)
    if decider.state != PrincipalState.ACTIVE:
        raise _needed("who approved it was suspended since: ask again")
    admitted.writes.replaced.append((row, sealed(admitted.keys.authority, row._replace(state=ApprovalState.USED))))


def found(admitted: Admitted, approval_uid: bytes) -> ApprovalRow:
    """The tenant's approval of this uid.

    Raises:
        MoreRowsError: it has to be read.
        VaultError: NOT_FOUND, INTEGRITY.
    """
    reads = Reads(approvals=frozenset({approval_uid}))
    admitted.need(reads)
    admitted.draft.details["approval"] = approval_uid.hex()
    row = admitted.rows.approvals.get(approval_uid)
    if row is None:
        raise VaultError(common_pb2.ERROR_REASON_NOT_FOUND, "the tenant has no such approval: `pdvault approval list` names them")
    check(admitted.keys.authority, row)
    return row


def check_usable(admitted: Admitted, row: ApprovalRow) -> None:
    """Refuse what can't be decided or used any more.

    Raises:
        VaultError: WRONG_STATE, saying which.
    """
    if row.state in (ApprovalState.DENIED, ApprovalState.USED):
        raise _wrong_state(row.state.lower())
    if row.expire_us <= admitted.rows.now_us:
        raise _wrong_state("expired")


def pending(admitted: Admitted) -> list[ApprovalRow]:
    """What can still be decided or used, of the approvals that were read; newest first.

    Raises:
        VaultError: INTEGRITY.
    """
    rows = admitted.rows.pending_approvals
    for row in rows:
        check(admitted.keys.authority, row)
    return [row for row in rows if row.expire_us > admitted.rows.now_us]


def described(admitted: Admitted, row: ApprovalRow) -> v1.Approval:
    """An approval as callers see it."""
    approval = v1.Approval(
        approval_uid=row.uid,
        action=row.action,
        summary=row.summary,
        asked_by=_name(admitted, row.asked_by),
        state=row.state,
        decided_by=_name(admitted, row.decided_by) if row.decided_by else "",
    )
    approval.ask_time.FromMicroseconds(row.ask_us)
    approval.expire_time.FromMicroseconds(row.expire_us)
    return approval


def _asked(admitted: Admitted, need: Need, digest: bytes) -> ApprovalRow:
    now_us = admitted.rows.now_us
    return ApprovalRow(
        tenant_uid=admitted.tenant.uid,
        uid=new_uid(),
        action=need.action,
        digest=digest,
        summary=need.summary,
        asked_by=admitted.principal.uid,
        ask_us=now_us,
        expire_us=now_us + LIFETIME_US,
        state=ApprovalState.ASKED,
        decided_by=None,
        decide_us=0,
    )


def _name(admitted: Admitted, principal_uid: bytes) -> str:
    """A principal's name; of one that is gone, its uid."""
    if principal_uid == admitted.principal.uid:
        return admitted.principal.name
    principal = admitted.rows.principals.get(principal_uid)
    if principal is None:
        return principal_uid.hex()
    check(admitted.keys.authority, principal)
    return principal.name


def _wrong_state(state: str) -> VaultError:
    return VaultError(common_pb2.ERROR_REASON_WRONG_STATE, f"the approval is {state}: ask again, without naming an approval")


def _needed(why: str) -> VaultError:
    return VaultError(common_pb2.ERROR_REASON_APPROVAL_NEEDED, why)
