"""Page tokens of the log's readers: where a page ended, bound to the log, the filter and the direction (docs/formats-log.md).

They are no secret and bear no rights: who presents one is asked who it is and what it may see as ever.
"""

import base64
import struct
from hashlib import sha256
from typing import NamedTuple

from google.protobuf.message import Message

from vault.admission import Admitted
from vault.crypto.encoding import EncodingError, decode_base64url, pack
from vault.errors import VaultError
from vault.store.log.queries import Spot
from vault.v1 import common_pb2

NEWEST_FIRST, OLDEST_FIRST = "newest first", "oldest first"
"""Directions."""

_LABEL = "pdvault/v1/audit-page"
_TOKEN = struct.Struct(">B16sQQQ")
_FORMAT = 1
_BOUND = 16
_MAX = 2**63 - 1


class PagePlace(NamedTuple):
    """Where a page ended: the size of the log when the first one was answered, and the last event."""

    size: int
    spot: Spot


class Pages:
    """The pages of one question to one log."""

    def __init__(self, tenant_uid: bytes, wanted: Message, direction: str) -> None:
        """Make it; ``wanted`` is the filter with subject and token named by uid, ``direction`` one of the two."""
        question = pack(_LABEL, tenant_uid, wanted.SerializeToString(deterministic=True), direction)
        self._bound = sha256(question).digest()[:_BOUND]

    def token(self, place: PagePlace) -> str:
        """The text of a page token: 56 characters."""
        return base64.urlsafe_b64encode(_TOKEN.pack(_FORMAT, self._bound, place.size, *place.spot)).decode()

    def place(self, token: str) -> PagePlace | None:
        """Where the page before ended; None for the first one.

        Raises:
            VaultError: PAGE_TOKEN_INVALID.
        """
        if not token:
            return None
        try:
            raw = decode_base64url(token)
        except EncodingError:
            raise _invalid() from None
        if len(raw) == _TOKEN.size:
            version, bound, size, time_us, leaf_index = _TOKEN.unpack(raw)
            if (version, bound) == (_FORMAT, self._bound) and leaf_index < size <= _MAX and time_us <= _MAX:
                return PagePlace(size, Spot(time_us, leaf_index))
        raise _invalid()

    def place_in(self, token: str, size: int) -> PagePlace | None:
        """The same, in a log that has ``size`` entries: nobody has a token from its future."""
        place = self.place(token)
        if place and place.size > size:
            raise _invalid()
        return place


def note_page(admitted: Admitted, place: PagePlace | None) -> None:
    """Note in the audit event which page is read."""
    admitted.draft.details["page"] = "next" if place else "first"


def _invalid() -> VaultError:
    return VaultError(
        common_pb2.ERROR_REASON_PAGE_TOKEN_INVALID,
        "page_token is damaged or belongs to another query; start again without one",
    )
