"""Who is admitted: the tenant, its issuing CA and the principal must be in order before a call is decided.

Their rows are read in the call's own transaction and their MACs checked here, so that a suspension or a seal is effective on the
next call of every node, and a row edited behind the vault's back admits nobody.
"""

from dataclasses import dataclass, field

from vault.access.policy import PolicyEngine, Question, refusal
from vault.audit.events import Caller, Draft
from vault.crypto.keys import Key
from vault.errors import VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Reads, Rows
from vault.store.rows import PrincipalRow, SubjectKeyRow, SubjectRow, TenantRow
from vault.store.runner import MoreRowsError
from vault.store.sealing import check, sealed, tenant_of
from vault.store.states import PrincipalState, SubjectState, TenantState
from vault.store.writes import Writes
from vault.v1 import common_pb2

WHILE_SEALED = frozenset({"Status", "Seal", "Unseal", "ListApprovals", "Approve", "Deny"})
"""The methods that a sealed tenant still answers: what it takes to look at the seal, and to lift it by two."""

_PLAIN_FORM = common_pb2.Form()


@dataclass
class Admitted:
    """An admitted call: who, what was read, and what it has decided so far."""

    caller: Caller
    tenant: TenantRow
    principal: PrincipalRow
    policy: PolicyEngine
    rows: Rows
    keys: TenantKeys
    draft: Draft
    writes: Writes = field(default_factory=Writes)
    subject_keys: dict[SubjectKeyRow, Key] = field(default_factory=dict, repr=False)
    _sound: set[SubjectRow] = field(default_factory=set)
    _marked: set[bytes] = field(default_factory=set)

    def permit(
        self,
        action: str,
        data_class: str,
        *,
        form: common_pb2.Form | None = None,
        state: str = SubjectState.ACTIVE,
        collected: bool = True,
    ) -> None:
        """Let a policy decide; its id is noted in the audit event.

        Args:
            action: the method's name.
            data_class: the class of the item, or empty.
            form: with Reveal and Decrypt, the form that counts (a partial form that gives too much away counts as PLAIN).
            state: the subject's state.
            collected: whether the item was collected for the call's purpose.

        Raises:
            VaultError: POLICY_DENIED, PURPOSE_NOT_COLLECTED, SUBJECT_RESTRICTED or POLICY_ERROR.
        """
        chosen = form or _PLAIN_FORM
        question = Question(
            action=action,
            data_class=data_class,
            purpose=self.draft.context.purpose,
            form=common_pb2.FormKind.Name(chosen.kind).removeprefix("FORM_KIND_") if form else "",
            partial_name=chosen.partial_name,
            subject_state=state,
            purpose_collected=collected,
        )
        verdict = self.policy.decide(self.principal.uid, frozenset(self.draft.roles), question)
        self.draft.policy_ids.update(verdict.policy_ids)
        if not verdict.allowed:
            raise refusal(verdict, question)

    def need(self, reads: Reads) -> None:
        """Go on only with what these name.

        Raises:
            MoreRowsError: they have not been read; the call is decided anew once they are.
        """
        if reads not in self.rows.fetched:
            raise MoreRowsError(reads)

    def collected(self, purposes: str) -> bool:
        """Whether an item with these purposes may be used for the call's purpose."""
        return self.draft.context.purpose in purposes.split(",")

    def check_subject(self, subject: SubjectRow) -> None:
        """Refuse a subject's row that was altered; checked once a call, however many items the subject has.

        Raises:
            VaultError: INTEGRITY.
        """
        if subject not in self._sound:
            check(self.keys.authority, subject)
            self._sound.add(subject)

    def mark_for_rekey(self, subject: SubjectRow) -> None:
        """Note that something of the subject was deleted or replaced: the next epoch gives it a new store key."""
        if not subject.rekey_due and subject.uid not in self._marked:
            self._marked.add(subject.uid)
            self.writes.replaced.append((subject, sealed(self.keys.authority, subject._replace(rekey_due=True))))


def admit(caller: Caller, rows: Rows, keys: TenantKeys, draft: Draft, policy: PolicyEngine) -> Admitted:
    """Check tenant, issuing CA and principal.

    Raises:
        VaultError: TENANT_SEALED, CERTIFICATE_REFUSED, PRINCIPAL_UNKNOWN, PRINCIPAL_SUSPENDED, INTEGRITY.
    """
    tenant = _tenant(rows, keys, draft.action)
    _issuer(caller, rows, keys)
    principal = rows.principal
    if principal is None:
        raise VaultError(
            common_pb2.ERROR_REASON_PRINCIPAL_UNKNOWN,
            "the certificate is good, but its name is no principal of this tenant; add it with `pdvault principal add`",
        )
    check(keys.authority, principal)
    draft.principal_uid = principal.uid
    draft.roles = tuple(principal.roles.split(","))
    draft.policy_sha256 = policy.sha256
    if principal.state != PrincipalState.ACTIVE:
        raise VaultError(common_pb2.ERROR_REASON_PRINCIPAL_SUSPENDED, "the principal is suspended; ask the security team")
    return Admitted(caller, tenant, principal, policy, rows, keys, draft)


def _tenant(rows: Rows, keys: TenantKeys, action: str) -> TenantRow:
    tenant = tenant_of(rows, keys)
    if tenant.state != TenantState.ACTIVE and not (tenant.state == TenantState.SEALED and action in WHILE_SEALED):
        until = " until two security officers lift the seal (`pdvault keys unseal`)" if tenant.state == TenantState.SEALED else ""
        raise VaultError(common_pb2.ERROR_REASON_TENANT_SEALED, f"the tenant is {tenant.state.lower()}; nothing is served{until}")
    return tenant


def _issuer(caller: Caller, rows: Rows, keys: TenantKeys) -> None:
    if rows.ca is None or rows.ca.tenant_uid != caller.tenant_uid:
        raise VaultError(common_pb2.ERROR_REASON_CERTIFICATE_REFUSED, "the tenant no longer trusts the CA of this certificate")
    check(keys.authority, rows.ca)
