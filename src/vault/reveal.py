"""Reveal: values come out, masked unless another form is asked for and allowed."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from vault import per_item
from vault.admission import Admitted
from vault.classes.data_class import DataClass, InvalidValueError
from vault.classes.taxonomy import Taxonomy
from vault.errors import FieldViolation, VaultError
from vault.held_tokens import hold, need_alive, need_unspent, note_refusal, permit, touch, well_formed
from vault.idempotency import Done, recall, remember
from vault.kms.tenant_keys import TenantKeys
from vault.prepared import find_class
from vault.safe import open_value
from vault.store.reads import Held, Reads
from vault.store.runner import MoreRowsError
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
_MASKED = common_pb2.Form(kind=common_pb2.FORM_KIND_MASKED)
_PLAIN = common_pb2.Form(kind=common_pb2.FORM_KIND_PLAIN)


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
        partials = self._partials(admitted)
        _read_large(admitted, self._to_open(admitted, partials))
        spending = _Spending(admitted, self._request)

        def work(_index: int, item: vault_service_pb2.RevealItem) -> vault_service_pb2.RevealResult:
            held, data_class, form, counted = self._permit(admitted, item, partials)
            need_alive(admitted, held)
            spending.need_reveal(held)
            value = _in_form(data_class, form, open_value(admitted, held), lenient=held.item.lenient)
            spending.spend(held)
            touch(admitted, held, form=counted)
            return vault_service_pb2.RevealResult(value=value, form=form, data_class=data_class.name)

        def refused(item: vault_service_pb2.RevealItem, error: VaultError) -> None:
            note_refusal(admitted, item.token, error, self._noted(item.form))

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
        form = item.form if item.form.kind else _MASKED
        counted = _counts_as(form, data_class, partials.get(held.item.uid, set()))
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

    def _noted(self, form: common_pb2.Form) -> common_pb2.Form:
        """The form that a refused item asked for, as the log may hold it: without a name that no class knows."""
        known = not form.partial_name or any(form.partial_name in data_class.partial_forms for data_class in self._taxonomy)
        return common_pb2.Form(kind=form.kind or _MASKED.kind, partial_name=form.partial_name if known else "")

    def _partials(self, admitted: Admitted) -> dict[bytes, set[str]]:
        """The partial forms asked of each item in this call: together they may give away the value."""
        names = defaultdict[bytes, set[str]](set)
        for item in self._request.items:
            held = admitted.rows.tokens.get(item.token)
            if held and item.form.kind == common_pb2.FORM_KIND_PARTIAL:
                names[held.item.uid].add(item.form.partial_name)
        return names


def _size(admitted: Admitted, items: Iterable[vault_service_pb2.RevealItem]) -> int:
    return sum(admitted.rows.tokens[item.token].item.envelope_size - _OVERHEAD for item in items)


def _read_large(admitted: Admitted, texts: Iterable[str]) -> None:
    """Have the envelopes read that were too large to be read with their tokens."""
    rows = admitted.rows
    held = ((text, rows.tokens[text]) for text in texts)
    large = {(one.subject.uid, one.token.uid): text for text, one in held if one.item.envelope is None}
    reads = Reads(token_ids=frozenset(large), envelopes=MAX_OPENED + _OVERHEAD)
    if large and reads not in rows.fetched:
        raise MoreRowsError(reads)
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
        if self._spent and _PINNED not in self._admitted.rows.fetched:
            raise MoreRowsError(_PINNED)
        for uid, count in self._spent.items():
            old = self._held[uid].token
            new = sealed(self._admitted.keys.authority, old._replace(reveals_used=old.reveals_used + count))
            self._admitted.writes.replaced.append((old, new))
        if self._spent:
            done = [Done(held.token.subject_uid, uid, held.item.revision, 0) for uid, held in self._held.items()]
            remember(self._admitted, self._request, [*self._before, *done])


def _counts_as(form: common_pb2.Form, data_class: DataClass, asked: set[str]) -> common_pb2.Form:
    """The form that policy and audit are asked about: PLAIN, if the parts asked for leave too few candidates."""
    if form.kind != common_pb2.FORM_KIND_PARTIAL:
        return form
    if form.partial_name not in data_class.partial_forms:
        raise _no_such_form(data_class)
    return _PLAIN if data_class.form_is_plain(asked) else form


def _in_form(data_class: DataClass, form: common_pb2.Form, value: str | bytes, *, lenient: bool) -> common_pb2.Value:
    if form.kind == common_pb2.FORM_KIND_PLAIN:
        return common_pb2.Value(text=value) if isinstance(value, str) else common_pb2.Value(data=value)
    if form.kind == common_pb2.FORM_KIND_MASKED:
        return common_pb2.Value(text=data_class.mask_ill_formed if lenient else data_class.mask(value))
    part = None
    if not lenient:
        try:
            part = data_class.partial_forms[form.partial_name](value)
        except InvalidValueError:
            part = None
    if part is None:
        raise _no_such_form(data_class)
    return common_pb2.Value(text=part)


def _no_such_form(data_class: DataClass) -> VaultError:
    rule = f"must be a partial form that this {data_class.name} has"
    names = ", ".join(sorted(data_class.partial_forms)) or "none"
    return VaultError(
        common_pb2.ERROR_REASON_UNKNOWN_FORM,
        f"partial_name {rule}; the class has: {names}",
        violations=[FieldViolation(".form.partial_name", rule)],
    )
