"""Keys in envelopes under a tenant's epoch keys: subjects' keys, those of requests' digests, those that open receipts.

Each is bound to the row that it stands in and to its epoch (docs/formats.md, "Wrapped keys"), which the envelope itself names.
"""

from vault.crypto import binding
from vault.crypto.envelope import DecryptionError, key_version
from vault.crypto.keys import LABEL_DIGEST_KEY, LABEL_OPENING, LABEL_WRAP, Key, unwrap, wrap
from vault.kms.tenant_keys import TenantKeys
from vault.store.rows import ErasureRow, IdempotencyRow, SubjectKeyRow


def open_subject_key(keys: TenantKeys, row: SubjectKeyRow) -> Key:
    """A subject's key, if the row says all of it that is so.

    Raises:
        DecryptionError: the row was altered or moved.
        KeysMissingError: the epoch that the row names is not among the keys.
    """
    if key_version(row.wrapped) != row.epoch:
        raise DecryptionError
    return unwrap(keys.epoch(row.epoch).derive(LABEL_WRAP), row.wrapped, _bound(row, row.epoch))


def seal_subject_key(keys: TenantKeys, row: SubjectKeyRow, epoch: int, key: Key) -> SubjectKeyRow:
    """The row with the key, wrapped by an epoch's.

    Raises:
        KeysMissingError: the epoch is not among the keys.
    """
    return row._replace(epoch=epoch, wrapped=wrap(keys.epoch(epoch).derive(LABEL_WRAP), epoch, key, _bound(row, epoch)))


def as_wrapped(row: SubjectKeyRow) -> SubjectKeyRow:
    """The row with the epoch that its envelope names: the column is under no MAC.

    Raises:
        DecryptionError: it is no envelope.
    """
    epoch = key_version(row.wrapped)
    return row if row.epoch == epoch else row._replace(epoch=epoch)  # a rotation asks it of each row, and a copy takes long


def open_digest_key(keys: TenantKeys, row: IdempotencyRow) -> Key:
    """The key of a request's digest.

    Raises:
        DecryptionError: the row was altered or moved.
        KeysMissingError: the envelope's epoch is not among the keys.
    """
    epoch = key_version(row.digest_key)
    bound = binding.digest_key(row.tenant_uid, row.request_id, row.principal_uid, epoch)
    return unwrap(keys.epoch(epoch).derive(LABEL_DIGEST_KEY), row.digest_key, bound)


def seal_digest_key(keys: TenantKeys, row: IdempotencyRow, epoch: int, key: Key) -> IdempotencyRow:
    """The row with the key of its digest, wrapped by an epoch's; without a MAC that fits.

    Raises:
        KeysMissingError: the epoch is not among the keys.
    """
    bound = binding.digest_key(row.tenant_uid, row.request_id, row.principal_uid, epoch)
    return row._replace(digest_key=wrap(keys.epoch(epoch).derive(LABEL_DIGEST_KEY), epoch, key, bound))


def open_opening(keys: TenantKeys, row: ErasureRow) -> Key:
    """The key of an erasure's commitment.

    Raises:
        DecryptionError: the row was altered or moved, or has none any more.
        KeysMissingError: the envelope's epoch is not among the keys.
    """
    opening = row.opening or b""
    epoch = key_version(opening)
    return unwrap(keys.epoch(epoch).derive(LABEL_OPENING), opening, _bound_opening(row, epoch))


def seal_opening(keys: TenantKeys, row: ErasureRow, epoch: int, key: Key) -> ErasureRow:
    """The row with the key of its commitment, wrapped by an epoch's; without a MAC that fits.

    Raises:
        KeysMissingError: the epoch is not among the keys.
    """
    return row._replace(opening=wrap(keys.epoch(epoch).derive(LABEL_OPENING), epoch, key, _bound_opening(row, epoch)))


def _bound_opening(row: ErasureRow, epoch: int) -> bytes:
    """Who asked, and in which request, is under no MAC, since it is taken away after a day: with another one nothing opens."""
    try:
        return binding.opening(row.tenant_uid, row.uid, row.request_id or b"", row.principal_uid or b"", epoch)
    except ValueError:  # as below
        raise DecryptionError from None


def _bound(row: SubjectKeyRow, epoch: int) -> bytes:
    try:
        return binding.subject_key(row.tenant_uid, row.subject_uid, row.kind, row.version, row.key_id, epoch)
    except ValueError:  # an id of another length, a version below 0: never written by us
        raise DecryptionError from None
