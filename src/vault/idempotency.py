"""Doing a request once: what a request_id did is remembered for 24 hours, as uids, revisions and reasons, never as values.

The digest of the request is an HMAC under the index key, which dies with its epoch: old digests can't be used to guess values.
The row is under a MAC as well, else whoever edits the database could have a retry answered with somebody else's token.
"""

import struct
from collections.abc import Callable, Iterable
from hmac import compare_digest
from typing import NamedTuple

from google.protobuf.message import Message

from vault.admission import Admitted
from vault.audit.events import request_id_bytes
from vault.crypto.fingerprint import request_digest
from vault.errors import VaultError
from vault.store.rows import IdempotencyRow
from vault.store.sealing import check, sealed
from vault.v1 import common_pb2

RETENTION_US = 24 * 3600 * 1_000_000

_RESULT = struct.Struct(">16s16sIH")


class Done(NamedTuple):
    """What became of one item: its subject and token (zeros if it failed), its revision, and the reason it failed (0 if not)."""

    subject_uid: bytes
    token_uid: bytes
    revision: int
    reason: int


FAILED = (bytes(16), bytes(16), 0)


def recall(admitted: Admitted, request: Message) -> list[Done] | None:
    """What this request did before, or None if it is new.

    Raises:
        VaultError: REQUEST_ID_REUSED if the id was used for another request; INTEGRITY if the row was altered.
    """
    row = admitted.rows.idempotency
    if row is None:
        return None
    check(admitted.keys.authority, row)
    if row.expire_us <= admitted.rows.now_us:
        return None
    if not compare_digest(row.digest, _digest(admitted, request, row.index_key_version)):
        raise VaultError(
            common_pb2.ERROR_REASON_REQUEST_ID_REUSED,
            "request_id was used for another request within 24 hours; use a new UUID for each logical call",
        )
    return [Done(*fields) for fields in _RESULT.iter_unpack(row.results)]


def remember(admitted: Admitted, request: Message, done: Iterable[Done]) -> None:
    """Write down what this request does, with the rest of its writes; nothing, if it does nothing."""
    done = list(done)
    if all(one.reason for one in done):
        return
    old = admitted.rows.idempotency
    if old is not None:
        admitted.writes.expired.append(old)
    version = admitted.tenant.index_key_version
    row = IdempotencyRow(
        admitted.tenant.uid,
        request_id_bytes(admitted.draft.context),
        admitted.principal.uid,
        version,
        _digest(admitted, request, version),
        b"".join(_RESULT.pack(*one) for one in done),
        admitted.rows.now_us + RETENTION_US,
    )
    admitted.writes.inserted.append(sealed(admitted.keys.authority, row))


def note_replayed(admitted: Admitted) -> Callable[[Done, VaultError], None]:
    """How a replay notes the items that it refuses."""
    return lambda _done, error: admitted.draft.touch_unknown("", error.audited_as)


def replayed_failure(done: Done) -> VaultError:
    """The refusal that an item met when the request was first made."""
    return VaultError(done.reason, "this item was refused when the request was first made")


def _digest(admitted: Admitted, request: Message, index_key_version: int) -> bytes:
    key = admitted.keys.index(index_key_version)
    return request_digest(key, request.DESCRIPTOR.full_name, request.SerializeToString(deterministic=True))
