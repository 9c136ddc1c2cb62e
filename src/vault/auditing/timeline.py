"""SubjectTimeline: everything that happened to one subject, oldest first. Who read it is then in it too."""

from functools import partial

from vault.admission import Admitted
from vault.auditing.filter import Selection
from vault.auditing.log import AuditLog
from vault.auditing.named import Named
from vault.auditing.page import OLDEST_FIRST, PagePlace, Pages, note_page
from vault.auditing.walk import DEFAULT_PAGE_SIZE, forwards, read_page, window_of
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Reads
from vault.v1 import audit_service_pb2 as v1

ACTION = "SubjectTimeline"


class SubjectTimeline:
    """One SubjectTimeline request."""

    def __init__(self, request: v1.SubjectTimelineRequest) -> None:
        self._request = request
        self._named = Named(_filter(request))

    def reads(self, keys: TenantKeys) -> Reads:
        """The subject."""
        return self._named.reads(keys)

    def decide(self, admitted: Admitted) -> v1.SubjectTimelineRequest:
        """The request with its subject named by uid, and a page token that is good for it."""
        resolved = self._named.admit(admitted, ACTION)
        request = v1.SubjectTimelineRequest()
        request.CopyFrom(self._request)
        request.subject_uid = resolved.subject_uid
        note_page(admitted, Pages(admitted.tenant.uid, resolved, OLDEST_FIRST).place(request.page_token))
        return request


def answer(log: AuditLog, request: v1.SubjectTimelineRequest) -> v1.SubjectTimelineResponse:
    """The page that a resolved request asks for.

    Raises:
        VaultError: PAGE_TOKEN_INVALID, INTEGRITY, DEADLINE_EXCEEDED.
    """
    wanted = _filter(request)
    selection, pages = Selection(wanted), Pages(log.head.tenant_uid, wanted, OLDEST_FIRST)
    window = window_of(log, selection, pages.place_in(request.page_token, log.head.size), forwards)
    read = partial(log.queries.oldest_mentions, *selection.mentions[0])
    page = read_page(log, selection, window, read, forwards, request.page_size or DEFAULT_PAGE_SIZE)
    response = v1.SubjectTimelineResponse(
        entries=[each.entry() for each in page.found], subject_uid=request.subject_uid, size=window.size
    )
    if page.end:
        response.next_page_token = pages.token(PagePlace(window.size, page.end))
    return response


def _filter(request: v1.SubjectTimelineRequest) -> v1.EventFilter:
    if request.WhichOneof("subject") == "subject_id":
        return v1.EventFilter(subject_id=request.subject_id)
    return v1.EventFilter(subject_uid=request.subject_uid)
