"""Tokenize: values are sealed under their subjects' keys, and each gets a token."""

from vault import per_item
from vault.admission import Admitted
from vault.classes.taxonomy import Taxonomy
from vault.crypto.token import generate
from vault.errors import VaultError
from vault.held_tokens import not_found, touch
from vault.idempotency import FAILED, Done, note_replayed, recall, remember, replayed_failure
from vault.kms.tenant_keys import TenantKeys
from vault.named_subjects import Lookups, NamedSubjects, lookups_of, reading
from vault.prepared import Prepared, find_class, prepare
from vault.safe import checked, new_uid, seal_value, subject_key
from vault.store.reads import Known, Reads
from vault.store.rows import ItemRow, TokenRow
from vault.store.sealing import sealed
from vault.store.states import SubjectState
from vault.v1 import audit_pb2, common_pb2, vault_service_pb2

ACTION = "Tokenize"


class Tokenize:
    """One Tokenize request; values are validated and normalised when it is made."""

    def __init__(self, request: vault_service_pb2.TokenizeRequest, taxonomy: Taxonomy) -> None:
        self._request = request
        self._taxonomy = taxonomy
        self._prepared = [self._prepare(item) for item in request.items]
        self._lookups: Lookups = {}

    def reads(self, keys: TenantKeys) -> Reads:
        """The subjects named, by every live index key."""
        self._lookups = lookups_of((item.subject_id for item in self._request.items), keys)
        return reading(self._lookups)

    def decide(self, admitted: Admitted) -> vault_service_pb2.TokenizeResponse:
        """Store what is new, find what is deterministic and known."""
        done = recall(admitted, self._request)
        if done is not None:
            return self._replay(admitted, done)
        writing = _Writing(admitted, self._taxonomy.edition, self._lookups)
        self._find_deterministic(admitted, writing)
        outcomes: list[Done] = []

        def work(index: int, item: vault_service_pb2.TokenizeItem) -> vault_service_pb2.TokenizeResult:
            prepared = self._prepared[index]
            try:
                if isinstance(prepared, VaultError):
                    raise prepared
                token = writing.store(item, prepared)
            except VaultError as error:
                outcomes.append(Done(*FAILED, error.reason))
                raise
            outcomes.append(Done(token.subject_uid, token.uid, 1, 0))
            return _result(token)

        def refused(item: vault_service_pb2.TokenizeItem, error: VaultError) -> None:
            known = item.data_class if self._taxonomy.get(item.data_class) else ""
            admitted.draft.touch_unknown(known, error.audited_as)

        results = per_item.each(
            self._request.items, self._request.atomicity, "items", work, vault_service_pb2.TokenizeResult, refused
        )
        remember(admitted, self._request, outcomes)
        return vault_service_pb2.TokenizeResponse(results=results)

    def _prepare(self, item: vault_service_pb2.TokenizeItem) -> Prepared | VaultError:
        try:
            prepared = prepare(find_class(self._taxonomy, item.data_class), item.value, item.validation)
            is_deterministic = item.token_kind == vault_service_pb2.TOKEN_KIND_DETERMINISTIC
            return prepared.need_fingerprint() if is_deterministic else prepared
        except VaultError as error:
            return error

    def _find_deterministic(self, admitted: Admitted, writing: "_Writing") -> None:
        keys = frozenset(
            key
            for item, prepared in zip(self._request.items, self._prepared, strict=True)
            if item.token_kind == vault_service_pb2.TOKEN_KIND_DETERMINISTIC and isinstance(prepared, Prepared)
            for key in writing.deterministic_keys(item, prepared)
        )
        reads = Reads(deterministic=keys, locking=True)
        if keys:
            admitted.need(reads)

    def _replay(self, admitted: Admitted, done: list[Done]) -> vault_service_pb2.TokenizeResponse:
        reads = Reads(token_ids=frozenset((one.subject_uid, one.token_uid) for one in done if not one.reason))
        admitted.need(reads)

        def work(_index: int, one: Done) -> vault_service_pb2.TokenizeResult:
            if one.reason:
                raise replayed_failure(one)
            held = admitted.rows.token_ids.get((one.subject_uid, one.token_uid))
            if held is None:
                raise not_found()
            checked(admitted, held)
            admitted.permit(ACTION, held.item.data_class, state=held.subject.state)
            touch(admitted, held)
            return _result(held.token)

        results = per_item.each(
            done, self._request.atomicity, "items", work, vault_service_pb2.TokenizeResult, note_replayed(admitted)
        )
        return vault_service_pb2.TokenizeResponse(results=results)


class _Writing:
    """What one Tokenize call stores: subjects once each, deterministic values once each."""

    def __init__(self, admitted: Admitted, edition: str, lookups: Lookups) -> None:
        self._admitted = admitted
        self._subjects = NamedSubjects(admitted, lookups)
        self._edition = edition
        self._deterministic: dict[bytes, TokenRow] = {}

    def store(self, item: vault_service_pb2.TokenizeItem, prepared: Prepared) -> TokenRow:
        """The token of an item, old or new."""
        admitted = self._admitted
        known = self._subjects.find(item.subject_id)
        admitted.permit(ACTION, prepared.data_class.name, state=known.subject.state if known else SubjectState.ACTIVE)
        if item.token_kind == vault_service_pb2.TOKEN_KIND_DETERMINISTIC:
            found = self._found(item, prepared)
            if found:
                return found
        known = self._subjects.find_or_make(item.subject_id)
        row = self._item(item, prepared, known)
        row = sealed(admitted.keys.authority, seal_value(subject_key(admitted, known.key), row, prepared.value))
        token = sealed(admitted.keys.authority, self._token(item, prepared, row))
        admitted.writes.inserted += (row, token)
        admitted.draft.touch(row.data_class, row.subject_uid, token.uid, change=audit_pb2.CHANGE_CREATED, envelope=row.envelope)
        if row.deterministic:
            self._deterministic[row.deterministic] = token
        return token

    def deterministic_keys(self, item: vault_service_pb2.TokenizeItem, prepared: Prepared) -> list[bytes]:
        """The keyed hashes under which this value of a known subject may be stored, one for each live index key."""
        known = self._subjects.find(item.subject_id)
        if known is None:
            return []
        return list(self._by_version(item, prepared, known).values())

    def _found(self, item: vault_service_pb2.TokenizeItem, prepared: Prepared) -> TokenRow | None:
        for key in self.deterministic_keys(item, prepared):
            held = self._admitted.rows.deterministic.get(key)
            if held:
                touch(self._admitted, checked(self._admitted, held))
                return held.token
            token = self._deterministic.get(key)
            if token:
                self._admitted.draft.touch(prepared.data_class.name, token.subject_uid, token.uid)
                return token
        return None

    def _by_version(self, item: vault_service_pb2.TokenizeItem, prepared: Prepared, known: Known) -> dict[int, bytes]:
        return prepared.deterministic_keys(self._admitted.keys, known.subject.uid, self._purposes(item))

    def _purposes(self, item: vault_service_pb2.TokenizeItem) -> list[str]:
        return sorted(item.purposes) or [self._admitted.draft.context.purpose]

    def _item(self, item: vault_service_pb2.TokenizeItem, prepared: Prepared, known: Known) -> ItemRow:
        tenant, now_us = self._admitted.tenant, self._admitted.rows.now_us
        version = tenant.index_key_version
        unique = None
        if item.token_kind == vault_service_pb2.TOKEN_KIND_DETERMINISTIC:
            unique = self._by_version(item, prepared, known)[version]
        return ItemRow(
            tenant_uid=tenant.uid,
            subject_uid=known.subject.uid,
            uid=new_uid(),
            data_class=prepared.data_class.name,
            taxonomy_edition=self._edition,
            normaliser_version=prepared.data_class.normaliser_version,
            index_key_version=version,
            purposes=",".join(self._purposes(item)),
            provenance=item.provenance or common_pb2.PROVENANCE_SUBJECT,
            lenient=prepared.lenient,
            revision=1,
            store_key_version=known.key.version,
            fingerprint=prepared.fingerprint(self._admitted.keys, version),
            deterministic=unique,
            envelope_sha256=b"",
            envelope_size=0,
            envelope=None,
            create_us=now_us,
            update_us=now_us,
        )

    def _token(self, item: vault_service_pb2.TokenizeItem, prepared: Prepared, row: ItemRow) -> TokenRow:
        expires = self._admitted.rows.now_us + item.ttl.ToMicroseconds() if item.HasField("ttl") else None
        text = generate(prepared.data_class.token_prefix)
        return TokenRow(row.tenant_uid, row.subject_uid, new_uid(), row.uid, text, "", expires, item.max_reveals, 0)


def _result(token: TokenRow) -> vault_service_pb2.TokenizeResult:
    result = vault_service_pb2.TokenizeResult(token=token.text)
    if token.expire_us is not None:
        result.expire_time.FromMicroseconds(token.expire_us)
    return result
