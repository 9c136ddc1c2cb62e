"""NameSubjects: the callers' own names of subjects, for an auditor's report. An act of its own, decided and noted as one."""

from collections.abc import Sequence

from vault.admission import Admitted
from vault.audit.actions import NAME_SUBJECTS
from vault.kms.tenant_keys import TenantKeys
from vault.safe import checked_known, open_subject_id
from vault.store.reads import Reads
from vault.v1 import audit_service_pb2 as v1

AT_ONCE = 200
"""Subjects in one act: some 50 ms in the lane, where everybody's calls wait meanwhile."""


class NameSubjects:
    """The subjects of a part of a report."""

    def __init__(self, subject_uids: Sequence[bytes]) -> None:
        self._subject_uids = subject_uids

    def reads(self, _keys: TenantKeys) -> Reads:
        """The subjects."""
        return Reads(subject_uids=frozenset(self._subject_uids))

    def decide(self, admitted: Admitted) -> v1.BreachReportResponse:
        """A row with uid and name for each that the vault still knows."""
        admitted.permit(NAME_SUBJECTS, "")
        response = v1.BreachReportResponse()
        for uid in self._subject_uids:
            known = admitted.rows.subject_uids.get(uid)
            if known:
                subject_id = open_subject_id(admitted, checked_known(admitted, known))
                response.rows.add(subject_uid=uid, subject_id=subject_id)
                admitted.draft.look_into(uid)
        return response
