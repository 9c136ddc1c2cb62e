"""Verify: whether a candidate equals a stored value, by fingerprint, without opening anything."""

from hmac import compare_digest

from vault import per_item
from vault.admission import Admitted
from vault.classes.taxonomy import Taxonomy
from vault.errors import VaultError
from vault.held_tokens import class_by_prefix, hold, need_alive, need_unspent, not_found, note_refusal, permit, touch, well_formed
from vault.kms.tenant_keys import TenantKeys
from vault.prepared import Prepared, prepare
from vault.store.reads import Reads
from vault.v1 import common_pb2, vault_service_pb2

ACTION = "Verify"


class Verify:
    """One Verify request; candidates are normalised when it is made, by the class that their token's prefix names."""

    def __init__(self, request: vault_service_pb2.VerifyRequest, taxonomy: Taxonomy) -> None:
        self._request = request
        self._prepared = [_prepare(item, taxonomy) for item in request.items]

    def reads(self, _keys: TenantKeys) -> Reads:
        """The tokens."""
        return Reads(tokens=well_formed(item.token for item in self._request.items))

    def decide(self, admitted: Admitted) -> vault_service_pb2.VerifyResponse:
        """Compare fingerprints."""
        seen: set[bytes] = set()

        def work(index: int, item: vault_service_pb2.VerifyItem) -> vault_service_pb2.VerifyResult:
            held = hold(admitted, item.token)
            permit(admitted, ACTION, held)
            need_alive(admitted, held)
            need_unspent(held)
            prepared = self._prepared[index]
            if isinstance(prepared, VaultError):
                raise prepared
            if held.item.fingerprint is None:
                raise VaultError(common_pb2.ERROR_REASON_NO_FINGERPRINT, "the stored value is ill-formed and can't be compared")
            if held.item.normaliser_version != prepared.data_class.normaliser_version:
                text = "the stored value was normalised by another edition; it can't be compared until it is fingerprinted anew"
                raise VaultError(common_pb2.ERROR_REASON_NO_FINGERPRINT, text)
            if held.item.uid in seen:
                raise VaultError(common_pb2.ERROR_REASON_INVALID_FIELD, "an item is verified once a call, against one candidate")
            seen.add(held.item.uid)
            candidate = prepared.fingerprint(admitted.keys, held.item.index_key_version) or b""
            matches = compare_digest(candidate, held.item.fingerprint)
            touch(admitted, held, mismatched=not matches)
            return vault_service_pb2.VerifyResult(matches=matches)

        def refused(item: vault_service_pb2.VerifyItem, error: VaultError) -> None:
            note_refusal(admitted, item.token, error)

        results = per_item.each(
            self._request.items, self._request.atomicity, "items", work, vault_service_pb2.VerifyResult, refused
        )
        return vault_service_pb2.VerifyResponse(results=results)


def _prepare(item: vault_service_pb2.VerifyItem, taxonomy: Taxonomy) -> Prepared | VaultError:
    data_class = class_by_prefix(taxonomy, item.token)
    if data_class is None:
        return not_found()
    try:
        return prepare(data_class, item.value).need_fingerprint()
    except VaultError as error:
        return error
