"""Query: events that match a filter, newest first.

The call itself only resolves the filter, and leaves its event; what it asks for is read afterwards, outside of the lane.
"""

from functools import partial

from vault.admission import Admitted
from vault.auditing.filter import Selection, check
from vault.auditing.log import AuditLog
from vault.auditing.named import Named
from vault.auditing.page import NEWEST_FIRST, PagePlace, Pages, note_page
from vault.auditing.walk import DEFAULT_PAGE_SIZE, Read, backwards, read_page, window_of
from vault.classes.taxonomy import Taxonomy
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Reads
from vault.v1 import audit_service_pb2 as v1

ACTION = "Query"


class Query:
    """One Query request."""

    def __init__(self, request: v1.QueryRequest, taxonomy: Taxonomy) -> None:
        check(request.filter, taxonomy)
        self._request = request
        self._named = Named(request.filter)

    def reads(self, keys: TenantKeys) -> Reads:
        """The subject and the token that are named."""
        return self._named.reads(keys)

    def decide(self, admitted: Admitted) -> v1.QueryRequest:
        """The request with subject and token named by uid, and a page token that is good for it."""
        request = v1.QueryRequest()
        request.CopyFrom(self._request)
        request.filter.CopyFrom(self._named.admit(admitted, ACTION))
        place = Pages(admitted.tenant.uid, request.filter, NEWEST_FIRST).place(request.page_token)
        note_page(admitted, place)
        return request


def answer(log: AuditLog, request: v1.QueryRequest) -> v1.QueryResponse:
    """The page that a resolved request asks for.

    Raises:
        VaultError: PAGE_TOKEN_INVALID, INTEGRITY, DEADLINE_EXCEEDED.
    """
    selection, pages = Selection(request.filter), Pages(log.head.tenant_uid, request.filter, NEWEST_FIRST)
    place = pages.place_in(request.page_token, log.head.size)
    window = window_of(log, selection, place, backwards)
    size = request.page_size or DEFAULT_PAGE_SIZE
    page = read_page(log, selection, window, _reader(log, selection), backwards, size)
    response = v1.QueryResponse(entries=[each.entry() for each in page.found], size=window.size)
    if page.end:
        response.next_page_token = pages.token(PagePlace(window.size, page.end))
    return response


def _reader(log: AuditLog, selection: Selection) -> Read:
    """Along the mentions of what events must mention, where they must, since these are few; else along all facets that match."""
    if selection.mentions:
        return partial(log.queries.newest_mentions, *selection.mentions[0])
    facets = [number for number, facet in log.queries.facets().items() if selection.takes(facet)]
    return partial(log.queries.events, facets)
