"""Reveal: values come out, masked unless another form is asked for and allowed."""

from collections import Counter
from collections.abc import Iterable, Mapping

from vault import per_item
from vault.admission import Admitted
from vault.classes.data_class import DataClass
from vault.classes.taxonomy import Taxonomy
from vault.errors import VaultError
from vault.forms import as_noted, chosen, counts_as, in_form, parts_asked
from vault.held_tokens import hold, need_alive, need_unspent, note_refusal, permit, touch, well_formed
from vault.idempotency import Done, recall, remember
from vault.kms.tenant_keys import TenantKeys
from vault.prepared import find_class
from vault.safe import open_value
from vault.store.reads import Held, Reads
from vault.store.sealing import sealed
from vault.v1 import common_pb2, vault_service_pb2

ACTION = "Reveal"
MAX_OPENED = 4 * 1024 * 1024
"""Bytes of values that one call opens, whatever the form."""
_SMALL = 16 * 1024
"""Bytes of an envelope that is read with its token; larger ones only once their sizes are known."""
_OVERHEAD = 35
"""Bytes that an envelope has more than its value."""
_PINNED = Reads(pinning=True)


class Reveal:
    """One Reveal request."""

    def __init__(self, request: vault_service_pb2.RevealRequest, taxonomy: Taxonomy) -> None:
        self._request = request
        self._taxonomy = taxonomy

    def reads(self, _keys: TenantKeys) -> Reads:
        """The tokens."""
        return Reads(tokens=well_formed(item.token for item in self._request.items), envelopes=_SMALL)

    def decide(self, admitted: Admitted) -> vault_service_pb2.RevealResponse:
        """Decide, open and spend."""
        found = ((admitted.rows.tokens.get(item.token), item.form) for item in self._request.items)
        partials = parts_asked((held.item.uid, form) for held, form in found if held)
        _read_large(admitted, self._to_open(admitted, partials))
        spending = _Spending(admitted, self._request)

        def work(_index: int, item: vault_service_pb2.RevealItem) -> vault_service_pb2.RevealResult:
            held, data_class, form, counted = self._permit(admitted, item, partials)
            need_alive(admitted, held)
            spending.need_reveal(held)
            value = in_form(data_class, form, open_value(admitted, held), lenient=held.item.lenient)
            spending.spend(held)
            touch(admitted, held, form=counted)
            return vault_service_pb2.RevealResult(value=value, form=form, data_class=data_class.name)

        def refused(item: vault_service_pb2.RevealItem, error: VaultError) -> None:
            note_refusal(admitted, item.token, error, as_noted(item.form, self._taxonomy))

        results = per_item.each(
            self._request.items, self._request.atomicity, "items", work, vault_service_pb2.RevealResult, refused
        )
        spending.write()
        return vault_service_pb2.RevealResponse(results=results)

    def _permit(
        self, admitted: Admitted, item: vault_service_pb2.RevealItem, partials: Mapping[bytes, set[str]]
    ) -> tuple[Held, DataClass, common_pb2.Form, common_pb2.Form]:
        """What stands behind an item, its class, the form it comes out in, and the one that it counts as."""
        held = hold(admitted, item.token)
        data_class = find_class(self._taxonomy, held.item.data_class)
        form = chosen(item.form)
        counted = counts_as(form, data_class, partials.get(held.item.uid, set()))
        permit(admitted, ACTION, held, counted)
        return held, data_class, form, counted

    def _to_open(self, admitted: Admitted, partials: Mapping[bytes, set[str]]) -> list[str]:
        """The tokens whose values this call opens: a small request can name large ones many times, so sizes are summed first.

        If they are too much, only those count that the caller may have, else the refusal would tell sizes to anybody.

        Raises:
            VaultError: RESPONSE_TOO_LARGE.
        """
        items = [item for item in self._request.items if item.token in admitted.rows.tokens]
        if _size(admitted, items) > MAX_OPENED:
            items = [item for item in items if self._may(admitted, item, partials)]
            if _size(admitted, items) > MAX_OPENED:
                raise VaultError(
                    common_pb2.ERROR_REASON_RESPONSE_TOO_LARGE,
                    f"the items asked for have more than {MAX_OPENED} bytes; nothing was consumed; ask for fewer",
                )
        return [item.token for item in items]

    def _may(self, admitted: Admitted, item: vault_service_pb2.RevealItem, partials: Mapping[bytes, set[str]]) -> bool:
        try:
            self._permit(admitted, item, partials)
        except VaultError:
            return False
        return True


def _size(admitted: Admitted, items: Iterable[vault_service_pb2.RevealItem]) -> int:
    return sum(admitted.rows.tokens[item.token].item.envelope_size - _OVERHEAD for item in items)


def _read_large(admitted: Admitted, texts: Iterable[str]) -> None:
    """Have the envelopes read that were too large to be read with their tokens."""
    rows = admitted.rows
    held = ((text, rows.tokens[text]) for text in texts)
    large = {(one.subject.uid, one.token.uid): text for text, one in held if one.item.envelope is None}
    reads = Reads(token_ids=frozenset(large), envelopes=MAX_OPENED + _OVERHEAD)
    if large:
        admitted.need(reads)
    for ids, text in large.items():
        again = rows.token_ids.get(ids)
        if again:
            rows.tokens[text] = again
        else:
            del rows.tokens[text]  # deleted between the two reads


class _Spending:
    """The limited tokens of one call: each reveal is counted in the call's own transaction, and never delivered twice."""

    def __init__(self, admitted: Admitted, request: vault_service_pb2.RevealRequest) -> None:
        self._admitted = admitted
        self._request = request
        self._before = recall(admitted, request) or []
        self._delivered = {done.token_uid for done in self._before}
        self._spent = Counter[bytes]()
        self._held: dict[bytes, Held] = {}

    def need_reveal(self, held: Held) -> None:
        """Refuse a token that has no reveal left for this item.

        Raises:
            VaultError: REVEAL_ALREADY_DELIVERED, TOKEN_USED_UP.
        """
        token = held.token
        if token.uid in self._delivered:
            raise VaultError(
                common_pb2.ERROR_REASON_REVEAL_ALREADY_DELIVERED,
                "this request already took a reveal of this limited token; it is not given twice",
            )
        need_unspent(held._replace(token=token._replace(reveals_used=token.reveals_used + self._spent[token.uid])))

    def spend(self, held: Held) -> None:
        """Count one reveal, if the token is limited."""
        if held.token.max_reveals:
            self._spent[held.token.uid] += 1
            self._held[held.token.uid] = held

    def write(self) -> None:
        """Write the counts, and what was delivered under this request_id.

        Raises:
            MoreRowsError: the tenant's keys must be kept from changing meanwhile.
        """
        if self._spent:
            self._admitted.need(_PINNED)
        for uid, count in self._spent.items():
            old = self._held[uid].token
            new = sealed(self._admitted.keys.authority, old._replace(reveals_used=old.reveals_used + count))
            self._admitted.writes.replaced.append((old, new))
        if self._spent:
            done = [Done(held.token.subject_uid, uid, held.item.revision, 0) for uid, held in self._held.items()]
            remember(self._admitted, self._request, [*self._before, *done])
