"""Doing a request once: what a request_id did is remembered for 24 hours, as uids, revisions and reasons, never as values.

The digest of the request is an HMAC under a key of its own, in an envelope under the epoch key: it moves on with each rotation, and
old digests can't be used to guess values once their epoch is gone. The row is under a MAC as well, else whoever edits the database
could have a retry answered with somebody else's token.
"""

from collections.abc import Callable, Iterable
from hmac import compare_digest
from typing import NamedTuple

from google.protobuf.message import Message

from vault.admission import Admitted
from vault.audit.events import request_id_bytes
from vault.crypto.envelope import DecryptionError
from vault.crypto.fingerprint import request_digest
from vault.crypto.keys import Key
from vault.errors import VaultError
from vault.store.envelopes import open_digest_key, seal_digest_key
from vault.store.request_results import RESULT, subject_uids
from vault.store.rows import RETENTION_US, IdempotencyRow, IdempotencySubjectRow
from vault.store.sealing import check, sealed
from vault.v1 import common_pb2


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
    if row.expire_us <= admitted.rows.now_us:
        return None
    if not row.digest:
        raise VaultError(
            common_pb2.ERROR_REASON_REQUEST_ID_REUSED,
            "what this request_id did is not remembered any more; use a new UUID",
        )
    check(admitted.keys.authority, row)
    if not compare_digest(row.digest, _digest(_digest_key(admitted, row), request)):
        raise VaultError(
            common_pb2.ERROR_REASON_REQUEST_ID_REUSED,
            "request_id was used for another request within 24 hours; use a new UUID for each logical call",
        )
    return [Done(*fields) for fields in RESULT.iter_unpack(row.results)]


def remember(admitted: Admitted, request: Message, done: Iterable[Done]) -> None:
    """Write down what this request does, with the rest of its writes; nothing, if it does nothing."""
    done = list(done)
    if all(one.reason for one in done):
        return
    old = admitted.rows.idempotency
    if old is not None:
        admitted.writes.removed += (old, *_subjects(old))
    tenant, key = admitted.tenant, Key.generate()
    row = IdempotencyRow(
        tenant.uid,
        request_id_bytes(admitted.draft.context),
        admitted.principal.uid,
        b"",
        _digest(key, request),
        b"".join(RESULT.pack(*one) for one in done),
        admitted.rows.now_us + RETENTION_US,
    )
    row = seal_digest_key(admitted.keys, row, tenant.epoch, key)
    admitted.writes.inserted += (sealed(admitted.keys.authority, row), *_subjects(row))


def note_replayed(admitted: Admitted) -> Callable[[Done, VaultError], None]:
    """How a replay notes the items that it refuses."""
    return lambda _done, error: admitted.draft.touch_unknown("", error.audited_as)


def replayed_failure(done: Done) -> VaultError:
    """The refusal that an item met when the request was first made."""
    return VaultError(done.reason, "this item was refused when the request was first made")


def _subjects(row: IdempotencyRow) -> list[IdempotencySubjectRow]:
    """Whom a request was about: so that erasing somebody finds the row."""
    return [
        IdempotencySubjectRow(row.tenant_uid, uid, row.request_id, row.principal_uid, row.expire_us)
        for uid in subject_uids(row.results)
    ]


def _digest_key(admitted: Admitted, row: IdempotencyRow) -> Key:
    try:
        return open_digest_key(admitted.keys, row)
    except DecryptionError:
        raise VaultError(
            common_pb2.ERROR_REASON_INTEGRITY,
            "a stored idempotency row was altered or moved; it is not used; the operator must investigate",
        ) from None


def _digest(key: Key, request: Message) -> bytes:
    return request_digest(key, request.DESCRIPTOR.full_name, request.SerializeToString(deterministic=True))
