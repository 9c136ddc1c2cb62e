"""Decrypt: values come out of ciphertexts as they come out of tokens: masked unless another form is asked for and allowed.

No limit of its own on what one call opens: a value is shorter than its ciphertext, and a request has at most 4 MiB.
"""

from collections.abc import Mapping

from vault import per_item
from vault.admission import Admitted
from vault.classes.taxonomy import Taxonomy
from vault.crypto.plaintext import decode
from vault.errors import VaultError
from vault.fields.opening import Ciphertexts, Opened, Unopened, need_opened, note_refusal, permit
from vault.forms import as_noted, chosen, counts_as, in_form, parts_asked
from vault.kms.tenant_keys import TenantKeys
from vault.prepared import find_class
from vault.store.reads import Reads
from vault.v1 import field_service_pb2 as v1

ACTION = "Decrypt"

_Asked = tuple[v1.DecryptItem, Opened | Unopened]


class Decrypt:
    """One Decrypt request."""

    def __init__(self, request: v1.DecryptRequest, taxonomy: Taxonomy) -> None:
        self._request = request
        self._taxonomy = taxonomy
        self._ciphertexts = Ciphertexts(request.items)

    def reads(self, _keys: TenantKeys) -> Reads:
        """The field keys."""
        return self._ciphertexts.reads()

    def decide(self, admitted: Admitted) -> v1.DecryptResponse:
        """Open, decide and release."""
        asked: list[_Asked] = list(zip(self._request.items, self._ciphertexts.open(admitted), strict=True))
        parts = parts_asked((_whose(one), item.form) for item, one in asked if isinstance(one, Opened))

        def work(_index: int, pair: _Asked) -> v1.DecryptResult:
            item, one = pair
            return self._release(admitted, item, need_opened(one), parts)

        def refused(pair: _Asked, error: VaultError) -> None:
            item, one = pair
            note_refusal(admitted, one, error, as_noted(item.form, self._taxonomy))

        results = per_item.each(asked, self._request.atomicity, "items", work, v1.DecryptResult, refused)
        return v1.DecryptResponse(results=results)

    def _release(
        self, admitted: Admitted, item: v1.DecryptItem, one: Opened, parts: Mapping[tuple[bytes, str], set[str]]
    ) -> v1.DecryptResult:
        data_class = find_class(self._taxonomy, one.header.data_class)
        form = chosen(item.form)
        counted = counts_as(form, data_class, parts.get(_whose(one), set()))
        permit(admitted, ACTION, one, counted)
        value = in_form(data_class, form, decode(one.plaintext), lenient=one.header.ill_formed)
        admitted.draft.touch_subject(data_class.name, one.subject.uid, form=counted, items=1)
        return v1.DecryptResult(value=value, form=form, data_class=data_class.name)


def _whose(one: Opened) -> tuple[bytes, str]:
    """What parts are counted for: two ciphertexts may hold one value, so all of a person's of one class count together."""
    return one.subject.uid, one.header.data_class
