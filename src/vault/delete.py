"""Delete: items go with all their tokens. Their subjects are marked for re-keying, which kills them in backups too."""

from vault import per_item
from vault.admission import Admitted
from vault.errors import VaultError
from vault.held_tokens import hold, note_refusal, permit, touch, well_formed
from vault.idempotency import FAILED, Done, note_replayed, recall, remember, replayed_failure
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Reads
from vault.v1 import audit_pb2, vault_service_pb2

ACTION = "Delete"


class Delete:
    """One Delete request."""

    def __init__(self, request: vault_service_pb2.DeleteRequest) -> None:
        self._request = request

    def reads(self, _keys: TenantKeys) -> Reads:
        """The tokens."""
        return Reads(tokens=well_formed(self._request.tokens), locking=True)

    def decide(self, admitted: Admitted) -> vault_service_pb2.DeleteResponse:
        """Delete each item once."""
        done = recall(admitted, self._request)
        if done is not None:
            return self._replay(admitted, done)
        outcomes: list[Done] = []
        deleted: set[bytes] = set()

        def work(_index: int, token: str) -> vault_service_pb2.DeleteResult:
            try:
                held = hold(admitted, token)
                permit(admitted, ACTION, held)
            except VaultError as error:
                outcomes.append(Done(*FAILED, error.reason))
                raise
            if held.item.uid not in deleted:
                deleted.add(held.item.uid)
                admitted.writes.deleted.append(held.item)
                admitted.mark_for_rekey(held.subject)
            touch(admitted, held, change=audit_pb2.CHANGE_DELETED)
            outcomes.append(Done(held.token.subject_uid, held.token.uid, held.item.revision, 0))
            return vault_service_pb2.DeleteResult()

        def refused(token: str, error: VaultError) -> None:
            note_refusal(admitted, token, error)

        results = per_item.each(
            self._request.tokens, self._request.atomicity, "tokens", work, vault_service_pb2.DeleteResult, refused
        )
        remember(admitted, self._request, outcomes)
        return vault_service_pb2.DeleteResponse(results=results)

    def _replay(self, admitted: Admitted, done: list[Done]) -> vault_service_pb2.DeleteResponse:
        admitted.permit(ACTION, "")

        def work(_index: int, one: Done) -> vault_service_pb2.DeleteResult:
            if one.reason:
                raise replayed_failure(one)
            return vault_service_pb2.DeleteResult()

        results = per_item.each(
            done, self._request.atomicity, "tokens", work, vault_service_pb2.DeleteResult, note_replayed(admitted)
        )
        return vault_service_pb2.DeleteResponse(results=results)
