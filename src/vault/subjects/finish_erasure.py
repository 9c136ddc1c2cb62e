"""The second of an erasure's two transactions: keys, items, tokens and names go, and the log says so. Any node may run it."""

from hashlib import sha256

from vault.administration import Act, nothing
from vault.audit.actions import ERASED
from vault.audit.details import Detail
from vault.audit.events import Caller, Draft
from vault.errors import VaultError
from vault.keys.schedule import schedule_of
from vault.kms.kek import Kek
from vault.kms.tenant_keys import KeysMissingError, TenantKeys
from vault.store.reads import Belongings, Reads, Rows
from vault.store.rotation.turnstile import stands_still
from vault.store.rows import ErasureRow
from vault.store.runner import Outcome
from vault.store.sealing import check, sealed
from vault.store.states import ErasureState, TenantState
from vault.store.writes import Writes
from vault.subjects.erasure_statement import Found, Promises, done
from vault.subjects.own_keys import only_own
from vault.v1 import common_pb2
from vault.v1.subject_service_pb2 import ErasureStatement


class FinishErasure(Act):
    """What is left to do of an erasure once its key ids are noted in the KMS. The server itself acts."""

    def __init__(self, erasure: ErasureRow, promises: Promises, kek: Kek) -> None:
        """Make it.

        Args:
            erasure: as it began.
            promises: of this node.
            kek: the tenant's, as the KMS showed it when the key ids were noted already.
        """
        super().__init__(Caller(erasure.tenant_uid, ""), ERASED, "", {Detail.ERASURE: erasure.uid.hex()}, nothing)
        self._erasure = erasure
        self._promises = promises
        self._kek = kek

    def reads(self, _keys: TenantKeys | None) -> Reads:
        """The erasure and all that goes with it, FOR UPDATE."""
        subject = frozenset({self._erasure.subject_uid})
        return Reads(
            subject_uids=subject,
            belongings=subject,
            erasures=frozenset({self._erasure.uid}),
            tenant_keys=True,
            schedule=True,
            owning=True,
        )

    def decide(self, rows: Rows, keys: TenantKeys | None) -> Outcome:
        """Let everything go, if nobody else has."""
        if keys is None:
            raise KeysMissingError(self._erasure.tenant_uid)
        try:
            return self._erase(rows, keys)
        except VaultError as error:
            return self.failed(error)

    def _erase(self, rows: Rows, keys: TenantKeys) -> Outcome:
        row, tenant = rows.erasures.get(self._erasure.uid), rows.tenant
        if row is None or tenant is None:
            raise VaultError(
                common_pb2.ERROR_REASON_INTEGRITY, "the row of an erasure or its tenant is missing; the operator must investigate"
            )
        for each in (row, tenant):
            check(keys.authority, each)
        if tenant.state != TenantState.ACTIVE:  # no key of the subject's opens, and each would count as somebody else's
            raise stands_still(tenant.state)
        schedule = schedule_of(rows.schedule, keys.authority)
        if row.state != ErasureState.BEGUN:
            raise VaultError(common_pb2.ERROR_REASON_CONFLICT, "another node has finished this erasure")
        own, unopened = only_own(keys, rows.belongings.get(row.subject_uid, Belongings()))
        # The keys are those of the rows that the database shows: under an older KEK version than the newest, if they were put back.
        found = Found(own, tenant, rows.tenant_keys, max(keys.kek_version, self._kek.latest), unopened)
        statement = done(row.statement, found, self._promises, schedule, rows.now_us, kek_imported=self._kek.imported)
        text = statement.SerializeToString(deterministic=True)
        after = row._replace(
            state=ErasureState.DONE,
            statement=text,
            epoch=max(row.epoch, statement.epoch),
            index_key_version=max(row.index_key_version, statement.index_key_version),
            end_us=rows.now_us,
        )
        writes = Writes(replaced=[(row, sealed(keys.authority, after))], erased=[(row.tenant_uid, row.subject_uid)])
        return Outcome(b"", self._said(statement, text), writes)

    def _said(self, statement: ErasureStatement, text: bytes) -> Draft:
        draft = self._draft()
        draft.details |= {Detail.STATEMENT_SHA256: sha256(text).hexdigest(), Detail.KEYS: str(len(statement.keys))}
        if statement.unopened_keys:
            draft.details["unopened_keys"] = str(statement.unopened_keys)
        draft.touch_subject("", statement.subject_uid)
        for each in statement.items:
            draft.touch_subject(each.data_class, statement.subject_uid, items=each.count)
        return draft
