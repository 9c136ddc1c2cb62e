"""Reencrypt: ciphertexts move to their subjects' newest field keys. No value leaves the vault."""

from vault import per_item
from vault.admission import Admitted
from vault.classes.taxonomy import Taxonomy
from vault.crypto.field_ciphertext import seal_field
from vault.errors import VaultError
from vault.fields.field_keys import NewestFieldKeys
from vault.fields.opening import Ciphertexts, Opened, Unopened, caller_data, need_opened, note_refusal, permit, refusal
from vault.kms.tenant_keys import TenantKeys
from vault.prepared import find_class
from vault.store.reads import Reads
from vault.v1 import field_service_pb2 as v1

ACTION = "Reencrypt"

_Asked = tuple[v1.ReencryptItem, Opened | Unopened]


class Reencrypt:
    """One Reencrypt request."""

    def __init__(self, request: v1.ReencryptRequest, taxonomy: Taxonomy) -> None:
        self._request = request
        self._taxonomy = taxonomy
        self._ciphertexts = Ciphertexts(request.items)

    def reads(self, _keys: TenantKeys) -> Reads:
        """The field keys that the ciphertexts name."""
        return self._ciphertexts.reads()

    def decide(self, admitted: Admitted) -> v1.ReencryptResponse:
        """Open, and seal again what is not under the newest key."""
        newest = NewestFieldKeys(admitted, (held.subject.uid for held in admitted.rows.field_keys.values()))
        asked: list[_Asked] = list(zip(self._request.items, self._ciphertexts.open(admitted), strict=True))

        def work(_index: int, pair: _Asked) -> v1.ReencryptResult:
            item, one = pair
            return self._move(admitted, item, need_opened(one), newest)

        def refused(pair: _Asked, error: VaultError) -> None:
            note_refusal(admitted, pair[1], error)

        results = per_item.each(asked, self._request.atomicity, "items", work, v1.ReencryptResult, refused)
        return v1.ReencryptResponse(results=results)

    def _move(self, admitted: Admitted, item: v1.ReencryptItem, one: Opened, newest: NewestFieldKeys) -> v1.ReencryptResult:
        find_class(self._taxonomy, one.header.data_class)
        permit(admitted, ACTION, one)
        key = newest.find(one.subject.uid)
        if key is None:  # erased between the two reads
            raise refusal()
        admitted.draft.touch_subject(one.header.data_class, one.subject.uid, items=1)
        if key.key_id == one.key.key_id:
            return v1.ReencryptResult(ciphertext=item.ciphertext)
        said = one.header
        ciphertext = seal_field(
            key, said.data_class, said.purposes, one.plaintext, caller_data=caller_data(item), ill_formed=said.ill_formed
        )
        return v1.ReencryptResult(ciphertext=ciphertext, changed=True)
