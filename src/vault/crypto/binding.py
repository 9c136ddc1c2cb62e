"""What each stored thing is bound to: its associated data (docs/formats.md, "Associated data").

A row moved to another tenant, subject, item, revision or key no longer opens.
"""

from typing import Final

from vault.crypto.encoding import pack

UID_BYTES: Final = 16


def item(
    tenant_uid: bytes,
    subject_uid: bytes,
    data_class: str,
    item_uid: bytes,
    revision: int,
    key_version: int,
) -> bytes:
    """The associated data of an item's envelope; ``key_version`` is the store key's.

    Raises:
        ValueError: a uid is not 16 bytes, or a number is not from 0 to 2**64 - 1.
    """
    _check_uids(tenant_uid, subject_uid, item_uid)
    return pack("pdvault/v1/item", tenant_uid, subject_uid, data_class, item_uid, revision, key_version)


def subject_key(tenant_uid: bytes, subject_uid: bytes, kind: str, version: int, key_id: bytes, epoch: int) -> bytes:
    """The associated data of a wrapped subject key of the kind "store" or "field".

    Raises:
        ValueError: a uid or the key id is not 16 bytes, or a number is not from 0 to 2**64 - 1.
    """
    _check_uids(tenant_uid, subject_uid, key_id)
    return pack("pdvault/v1/subject-key", tenant_uid, subject_uid, kind, version, key_id, epoch)


def subject_id(tenant_uid: bytes, subject_uid: bytes, key_version: int) -> bytes:
    """The associated data of a subject's encrypted subject_id; ``key_version`` is the store key's.

    Raises:
        ValueError: a uid is not 16 bytes, or the number is not from 0 to 2**64 - 1.
    """
    _check_uids(tenant_uid, subject_uid)
    return pack("pdvault/v1/subject-id", tenant_uid, subject_uid, key_version)


def alias(tenant_uid: bytes, subject_uid: bytes, alias_uid: bytes, key_version: int) -> bytes:
    """The associated data of another name of a subject, encrypted; ``key_version`` is the store key's.

    Raises:
        ValueError: a uid is not 16 bytes, or the number is not from 0 to 2**64 - 1.
    """
    _check_uids(tenant_uid, subject_uid, alias_uid)
    return pack("pdvault/v1/alias", tenant_uid, subject_uid, alias_uid, key_version)


def digest_key(tenant_uid: bytes, request_id: bytes, principal_uid: bytes, epoch: int) -> bytes:
    """The associated data of the wrapped key of a request's digest.

    Raises:
        ValueError: a uid is not 16 bytes, or the number is not from 0 to 2**64 - 1.
    """
    _check_uids(tenant_uid, request_id, principal_uid)
    return pack("pdvault/v1/digest-key", tenant_uid, request_id, principal_uid, epoch)


def opening(tenant_uid: bytes, erasure_uid: bytes, request_id: bytes, principal_uid: bytes, epoch: int) -> bytes:
    """The associated data of the wrapped key of a receipt's commitment; the request is that by which the erasure was asked for.

    Raises:
        ValueError: a uid is not 16 bytes, or the number is not from 0 to 2**64 - 1.
    """
    _check_uids(tenant_uid, erasure_uid, request_id, principal_uid)
    return pack("pdvault/v1/opening", tenant_uid, erasure_uid, request_id, principal_uid, epoch)


def kms_context(tenant_uid: bytes, kind: str, version: int) -> bytes:
    """The context in which the KMS encrypts a tenant's key of the kind "epoch", "index" or "authority".

    Raises:
        ValueError: the uid is not 16 bytes, or the number is not from 0 to 2**64 - 1.
    """
    _check_uids(tenant_uid)
    return pack("pdvault/v1/kms-context", tenant_uid, kind, version)


def _check_uids(*uids: bytes) -> None:
    for uid in uids:
        if type(uid) is not bytes or len(uid) != UID_BYTES:
            raise ValueError("a uid must be exactly 16 bytes")
