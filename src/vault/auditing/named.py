"""A filter's subject and token, as auditors name them, made into uids; and what the audit event of a reading says of its filter.

Read in the call's own transaction, like all that calls rest on. What auditors typed is in no log: the event has uids.
"""

from vault.admission import Admitted
from vault.auditing.filter import noted
from vault.held_tokens import hold, well_formed
from vault.kms.tenant_keys import TenantKeys
from vault.named_subjects import find, lookups, unknown
from vault.store.reads import Reads
from vault.v1 import audit_service_pb2


class Named:
    """The filter of one call."""

    def __init__(self, wanted: audit_service_pb2.EventFilter) -> None:
        self._wanted = wanted

    def reads(self, keys: TenantKeys) -> Reads:
        """The subject and the token."""
        subject_id, token = self._wanted.subject_id, self._wanted.token
        return Reads(subjects=lookups(keys, [subject_id] if subject_id else []), tokens=well_formed([token] if token else []))

    def admit(self, admitted: Admitted, action: str) -> audit_service_pb2.EventFilter:
        """Note the filter, let a policy decide, and find whom it names.

        Returns:
            The filter with subject and token named by uid.

        Raises:
            VaultError: POLICY_DENIED, told to everybody who may not read the log, whomever they name; SUBJECT_NOT_FOUND,
                TOKEN_NOT_FOUND, INTEGRITY.
        """
        admitted.draft.details.update(noted(self._wanted))
        admitted.permit(action, "")
        resolved = audit_service_pb2.EventFilter()
        resolved.CopyFrom(self._wanted)
        if resolved.WhichOneof("subject") == "subject_id":
            resolved.subject_uid = self._subject(admitted)
        if resolved.WhichOneof("token_name") == "token":
            held = hold(admitted, resolved.token)
            resolved.token_uid = held.token.uid
            admitted.draft.look_into(held.subject.uid)
        if resolved.subject_uid or resolved.token_uid:
            admitted.draft.look_into(resolved.subject_uid, resolved.token_uid)
        return resolved

    def _subject(self, admitted: Admitted) -> bytes:
        known = find(admitted, self._wanted.subject_id)
        if known:
            return known.subject.uid
        raise unknown("of one that was erased, the uid in a receipt still finds the history")
