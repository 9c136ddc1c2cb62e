"""Update: a value is replaced and its tokens stay. The old value's key dies with the subject's next re-keying."""

from vault import per_item
from vault.admission import Admitted
from vault.classes.taxonomy import Taxonomy
from vault.errors import VaultError
from vault.held_tokens import class_by_prefix, hold, need_alive, not_found, note_refusal, permit, touch, well_formed
from vault.idempotency import FAILED, Done, note_replayed, recall, remember, replayed_failure
from vault.kms.tenant_keys import TenantKeys
from vault.prepared import Prepared, prepare
from vault.safe import current, seal_value, subject_key
from vault.store.reads import Held, Reads
from vault.store.rows import ItemRow
from vault.store.sealing import sealed
from vault.v1 import audit_pb2, common_pb2, vault_service_pb2

ACTION = "Update"


class Update:
    """One Update request; values are normalised when it is made, by the class that their token's prefix names."""

    def __init__(self, request: vault_service_pb2.UpdateRequest, taxonomy: Taxonomy) -> None:
        self._request = request
        self._edition = taxonomy.edition
        self._prepared = [_prepare(item, taxonomy) for item in request.items]

    def reads(self, _keys: TenantKeys) -> Reads:
        """The tokens."""
        return Reads(tokens=well_formed(item.token for item in self._request.items), locking=True)

    def decide(self, admitted: Admitted) -> vault_service_pb2.UpdateResponse:
        """Seal the new values."""
        done = recall(admitted, self._request)
        if done is not None:
            return self._replay(admitted, done)
        self._find_deterministic(admitted)
        outcomes: list[Done] = []
        taken: set[bytes] = set()  # uids of items that this call replaces, and the keyed hashes that they take

        def work(index: int, item: vault_service_pb2.UpdateItem) -> vault_service_pb2.UpdateResult:
            try:
                held, row = self._replace(admitted, index, item, taken)
            except VaultError as error:
                outcomes.append(Done(*FAILED, error.reason))
                raise
            outcomes.append(Done(held.token.subject_uid, held.token.uid, row.revision, 0))
            return vault_service_pb2.UpdateResult(revision=row.revision)

        def refused(item: vault_service_pb2.UpdateItem, error: VaultError) -> None:
            note_refusal(admitted, item.token, error)

        results = per_item.each(
            self._request.items, self._request.atomicity, "items", work, vault_service_pb2.UpdateResult, refused
        )
        remember(admitted, self._request, outcomes)
        return vault_service_pb2.UpdateResponse(results=results)

    def _replace(
        self, admitted: Admitted, index: int, item: vault_service_pb2.UpdateItem, taken: set[bytes]
    ) -> tuple[Held, ItemRow]:
        held = hold(admitted, item.token)
        permit(admitted, ACTION, held)
        need_alive(admitted, held)
        prepared = self._prepared[index]
        if isinstance(prepared, VaultError):
            raise prepared
        _check_revision(held, item, taken)
        known = current(admitted, held)
        row = self._row(admitted, held, prepared, taken)._replace(store_key_version=known.key.version)
        row = sealed(admitted.keys.authority, seal_value(subject_key(admitted, known.key), row, prepared.value))
        taken |= {row.uid, row.deterministic or row.uid}
        admitted.writes.replaced.append((held.item, row))
        admitted.mark_for_rekey(held.subject)
        touch(admitted, held, change=audit_pb2.CHANGE_UPDATED, envelope=row.envelope)
        return held, row

    def _row(self, admitted: Admitted, held: Held, prepared: Prepared, taken: set[bytes]) -> ItemRow:
        version = admitted.tenant.index_key_version
        keys = _deterministic_keys(admitted, held, prepared)
        others = (admitted.rows.deterministic.get(key) for key in keys.values())
        unique = keys.get(version)
        if unique in taken or any(other and other.item.uid != held.item.uid for other in others):
            unique = None  # another item stands for the new value already
        return held.item._replace(
            taxonomy_edition=self._edition,
            normaliser_version=prepared.data_class.normaliser_version,
            index_key_version=version,
            lenient=prepared.lenient,
            revision=held.item.revision + 1,
            fingerprint=prepared.fingerprint(admitted.keys, version),
            deterministic=unique,
            update_us=admitted.rows.now_us,
        )

    def _find_deterministic(self, admitted: Admitted) -> None:
        """Read, for all deterministic items at once, which others stand for their new values."""
        pairs = zip(self._request.items, self._prepared, strict=True)
        found = ((admitted.rows.tokens.get(item.token), prepared) for item, prepared in pairs)
        keys = (
            _deterministic_keys(admitted, held, prepared) for held, prepared in found if held and isinstance(prepared, Prepared)
        )
        reads = Reads(deterministic=frozenset(key for by_version in keys for key in by_version.values()), locking=True)
        if reads.deterministic:
            admitted.need(reads)

    def _replay(self, admitted: Admitted, done: list[Done]) -> vault_service_pb2.UpdateResponse:
        def work(index: int, one: Done) -> vault_service_pb2.UpdateResult:
            if one.reason:
                raise replayed_failure(one)
            held = hold(admitted, self._request.items[index].token)
            permit(admitted, ACTION, held)
            touch(admitted, held)
            return vault_service_pb2.UpdateResult(revision=one.revision)

        results = per_item.each(
            done, self._request.atomicity, "items", work, vault_service_pb2.UpdateResult, note_replayed(admitted)
        )
        return vault_service_pb2.UpdateResponse(results=results)


def _check_revision(held: Held, item: vault_service_pb2.UpdateItem, taken: set[bytes]) -> None:
    if held.item.uid in taken or item.expected_revision not in (0, held.item.revision):
        raise VaultError(
            common_pb2.ERROR_REASON_REVISION_MISMATCH,
            "the item is at another revision than expected_revision, or is updated twice in this call; describe it and try again",
        )


def _deterministic_keys(admitted: Admitted, held: Held, prepared: Prepared) -> dict[int, bytes]:
    """The keyed hashes that a deterministic item would have with its new value, by index key; none for other items."""
    if held.item.deterministic is None:
        return {}
    return prepared.deterministic_keys(admitted.keys, held.subject.uid, held.item.purposes.split(","))


def _prepare(item: vault_service_pb2.UpdateItem, taxonomy: Taxonomy) -> Prepared | VaultError:
    data_class = class_by_prefix(taxonomy, item.token)
    if data_class is None:
        return not_found()
    try:
        return prepare(data_class, item.value, item.validation)
    except VaultError as error:
        return error
