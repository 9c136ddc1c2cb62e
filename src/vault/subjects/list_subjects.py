"""ListSubjects: all subjects, page by page, in the order of their uids.

Page tokens are no secret and bear no rights: who presents one is asked who it is and what it may see as ever (docs/formats.md,
"Page token of ListSubjects").
"""

import base64
from hashlib import sha256

from vault.admission import Admitted
from vault.crypto.encoding import EncodingError, decode_base64url, pack
from vault.errors import VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.safe import checked_known
from vault.store.reads import Reads, SubjectPage
from vault.subjects.get_subject import summary
from vault.v1 import common_pb2
from vault.v1 import subject_service_pb2 as v1

ACTION = "ListSubjects"
DEFAULT_PAGE_SIZE = 100

_LABEL = "pdvault/v1/subject-page"
_FORMAT = b"\x01"
_BOUND, _UID = 16, 16


class ListSubjects:
    """One ListSubjects request."""

    def __init__(self, request: v1.ListSubjectsRequest) -> None:
        self._token = request.page_token
        self._size = weight(request)

    def reads(self, keys: TenantKeys) -> Reads:
        """The page, and one subject more."""
        after = open_page_token(keys.tenant_uid, self._token) if self._token else b""
        return Reads(subject_page=SubjectPage(after, self._size))

    def decide(self, admitted: Admitted) -> v1.ListSubjectsResponse:
        """Tell."""
        admitted.permit(ACTION, "")
        response = v1.ListSubjectsResponse()
        for known in admitted.rows.subject_page[: self._size]:
            response.subjects.append(summary(admitted, checked_known(admitted, known)))
            admitted.draft.touch_subject("", known.subject.uid)
        if len(admitted.rows.subject_page) > self._size:
            response.next_page_token = page_token(admitted.tenant.uid, response.subjects[-1].subject_uid)
        return response


def weight(request: v1.ListSubjectsRequest) -> int:
    """How many subjects a request may answer."""
    return request.page_size or DEFAULT_PAGE_SIZE


def page_token(tenant_uid: bytes, subject_uid: bytes) -> str:
    """The text of a page token, 44 characters: where the page ended."""
    return base64.urlsafe_b64encode(_FORMAT + _bound(tenant_uid) + subject_uid).decode()


def open_page_token(tenant_uid: bytes, text: str) -> bytes:
    """The uid of the last subject of the page before.

    Raises:
        VaultError: PAGE_TOKEN_INVALID.
    """
    try:
        raw = decode_base64url(text)
    except EncodingError:
        raw = b""
    head = _FORMAT + _bound(tenant_uid)
    if len(raw) != len(head) + _UID or not raw.startswith(head):
        raise VaultError(
            common_pb2.ERROR_REASON_PAGE_TOKEN_INVALID,
            "page_token is damaged or belongs to another call or tenant; start again without one",
        )
    return raw[len(head) :]


def _bound(tenant_uid: bytes) -> bytes:
    return sha256(pack(_LABEL, tenant_uid)).digest()[:_BOUND]
