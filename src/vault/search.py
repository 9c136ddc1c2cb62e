"""Search: items by exact value or by subject, page by page.

Items that the purpose or a policy does not allow are left out, as if they were not there; those of other purposes are not even
read, so that pages don't tell of them. A page token holds where the page ended, sealed and bound to its tenant and query
(docs/formats.md, "Page token").
"""

import base64

from vault import per_item
from vault.admission import Admitted
from vault.classes.taxonomy import Taxonomy
from vault.crypto.encoding import EncodingError, decode_base64url, pack
from vault.crypto.envelope import DecryptionError, seal, unseal
from vault.crypto.keys import Key
from vault.describe import describe
from vault.errors import FieldViolation, VaultError
from vault.held_tokens import touch
from vault.kms.tenant_keys import TenantKeys
from vault.named_subjects import Lookups, NamedSubjects, lookups_of
from vault.prepared import Prepared, find_class, prepare
from vault.safe import checked
from vault.store.reads import Held, Reads, SearchPage
from vault.v1 import common_pb2, vault_service_pb2

ACTION = "Search"
DEFAULT_PAGE_SIZE = 100
MAX_ITEMS = 1000
"""What the queries of one call may answer together: as much as one audit event names, and one transaction should read."""

_START = (b"", b"")
_UID_BYTES = 16
_LABEL, _KEY_LABEL = "pdvault/v1/page-token", "pdvault/v1/key/page-token"


class Search:
    """One Search request; values are normalised when it is made."""

    def __init__(self, request: vault_service_pb2.SearchRequest, taxonomy: Taxonomy) -> None:
        self._request = request
        self._size = _page_size(request)
        self._prepared = [_prepare(query, taxonomy) for query in request.queries]
        self._after: tuple[bytes, bytes] = _START
        self._lookups: Lookups = {}

    def reads(self, keys: TenantKeys) -> Reads:
        """The pages of values, and the subjects: their pages are read once it is known to whom the names lead."""
        self._after = self._open_page_token(keys)
        self._lookups = lookups_of((query.subject_id for query in self._request.queries if query.subject_id), keys)
        every = (lookup for by_version in self._lookups.values() for lookup in by_version.values())
        of_values = (self._page_of_value(i, one, keys) for i, one in enumerate(self._prepared) if isinstance(one, Prepared))
        return Reads(subjects=frozenset(every), pages=tuple(of_values))

    def decide(self, admitted: Admitted) -> vault_service_pb2.SearchResponse:
        """Answer each query's page."""
        pages = self._pages(admitted)

        def work(index: int, query: vault_service_pb2.SearchQuery) -> vault_service_pb2.SearchResult:
            prepared = self._prepared[index]
            if isinstance(prepared, VaultError):
                raise prepared
            admitted.draft.search(query.data_class)
            admitted.permit(ACTION, query.data_class)
            page = pages[index]
            if isinstance(page, VaultError):
                raise page
            rows = admitted.rows.pages[page] if page else []
            result = vault_service_pb2.SearchResult()
            for held in rows[: self._size]:
                if _allowed(admitted, checked(admitted, held)):
                    touch(admitted, held)
                    result.items.append(describe(admitted, held))
            if len(rows) > self._size:
                last = rows[self._size - 1]
                result.next_page_token = self._page_token(admitted.keys, index, last)
            return result

        def refused(query: vault_service_pb2.SearchQuery, error: VaultError) -> None:
            known = "" if error.reason == common_pb2.ERROR_REASON_UNKNOWN_DATA_CLASS else query.data_class
            admitted.draft.touch_unknown(known, error.audited_as)

        results = per_item.each(
            self._request.queries, self._request.atomicity, "queries", work, vault_service_pb2.SearchResult, refused
        )
        return vault_service_pb2.SearchResponse(results=results)

    def _pages(self, admitted: Admitted) -> list[SearchPage | VaultError | None]:
        """Each query's page, or why there is none; None if nobody has the name.

        Raises:
            MoreRowsError: subjects' pages have to be read.
        """
        subjects = NamedSubjects(admitted, self._lookups)
        pages = [self._page(index, admitted.keys, subjects) for index in range(len(self._prepared))]
        reads = Reads(pages=tuple(page for page in pages if isinstance(page, SearchPage) and page.column == "subject"))
        if reads.pages:
            admitted.need(reads)
        return pages

    def _page(self, index: int, keys: TenantKeys, subjects: NamedSubjects) -> SearchPage | VaultError | None:
        prepared = self._prepared[index]
        if isinstance(prepared, VaultError):
            return prepared
        if prepared:
            return self._page_of_value(index, prepared, keys)
        try:
            known = subjects.find(self._request.queries[index].subject_id)
        except VaultError as error:
            return error
        return self._page_of(index, "subject", (known.subject.uid,)) if known else None

    def _page_of_value(self, index: int, prepared: Prepared, keys: TenantKeys) -> SearchPage:
        return self._page_of(index, "fingerprint", tuple(prepared.fingerprint(keys, version) or b"" for version in keys.indexes))

    def _page_of(self, index: int, column: str, keys: tuple[bytes, ...]) -> SearchPage:
        data_class, purpose = self._request.queries[index].data_class, self._request.context.purpose
        return SearchPage(column, keys, data_class, purpose, self._after, self._size)

    def _page_token(self, keys: TenantKeys, index: int, last: Held) -> str:
        position = seal(_token_key(keys), 1, last.item.uid + last.token.uid, self._bound(keys, index))
        return base64.urlsafe_b64encode(position).decode()

    def _bound(self, keys: TenantKeys, index: int) -> bytes:
        """What a page token is bound to: its tenant and its query."""
        return pack(_LABEL, keys.tenant_uid, self._request.queries[index].SerializeToString(deterministic=True))

    def _open_page_token(self, keys: TenantKeys) -> tuple[bytes, bytes]:
        text = self._request.page_token
        if not text:
            return _START
        try:
            position = unseal(_token_key(keys), decode_base64url(text), self._bound(keys, 0))
        except (EncodingError, DecryptionError):
            position = b""
        if len(position) != 2 * _UID_BYTES:
            raise VaultError(
                common_pb2.ERROR_REASON_PAGE_TOKEN_INVALID,
                "page_token is damaged or belongs to another query; start again without one",
            )
        return position[:_UID_BYTES], position[_UID_BYTES:]


def _token_key(keys: TenantKeys) -> Key:
    return keys.authority.keys[keys.authority.current].derive(_KEY_LABEL)


def weight(request: vault_service_pb2.SearchRequest) -> int:
    """How many items a request may answer."""
    return min(MAX_ITEMS, len(request.queries) * (request.page_size or DEFAULT_PAGE_SIZE))


def _page_size(request: vault_service_pb2.SearchRequest) -> int:
    queries = len(request.queries)
    if request.page_size * queries > MAX_ITEMS:
        rule = f"must be at most {MAX_ITEMS // queries} with {queries} queries: a call answers at most {MAX_ITEMS} items"
        raise VaultError(common_pb2.ERROR_REASON_INVALID_FIELD, f"page_size {rule}", violations=[FieldViolation("page_size", rule)])
    return request.page_size or min(DEFAULT_PAGE_SIZE, MAX_ITEMS // queries)


def _prepare(query: vault_service_pb2.SearchQuery, taxonomy: Taxonomy) -> Prepared | VaultError | None:
    try:
        if query.data_class:
            data_class = find_class(taxonomy, query.data_class)
        return prepare(data_class, query.value).need_fingerprint() if query.HasField("value") else None
    except VaultError as error:
        return error


def _allowed(admitted: Admitted, held: Held) -> bool:
    try:
        admitted.permit(ACTION, held.item.data_class, state=held.subject.state, collected=admitted.collected(held.item.purposes))
    except VaultError:
        return False
    return True
