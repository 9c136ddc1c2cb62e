"""Sealing and opening: the one module where values and subjects' keys meet.

Everything read is checked before it is used: MACs of token, item and subject row, then the AEAD's own authentication.
"""

import secrets
from hashlib import sha256

from vault.admission import Admitted
from vault.crypto import binding
from vault.crypto.envelope import DecryptionError, key_version, seal, unseal
from vault.crypto.keys import LABEL_ITEM, LABEL_SUBJECT_ID, Key
from vault.crypto.plaintext import PlaintextError, decode, encode
from vault.errors import VaultError
from vault.store.envelopes import open_subject_key, seal_subject_key
from vault.store.reads import STORE, Held, Known, Reads, Rows
from vault.store.rows import ItemRow, SubjectKeyRow, SubjectRow
from vault.store.sealing import check, sealed
from vault.store.states import SubjectState
from vault.v1 import common_pb2

Value = str | bytes


def new_uid() -> bytes:
    """16 random bytes."""
    return secrets.token_bytes(16)


def checked(admitted: Admitted, held: Held) -> Held:
    """What stands behind a token, once no row of it has been altered or moved, and they belong together.

    That they do is not left to the database's join: whoever can redefine ``=`` there could pair one person's token with another's
    item.

    Raises:
        VaultError: INTEGRITY.
    """
    token, item, subject, key = held
    for row in (token, item):
        check(admitted.keys.authority, row)
    admitted.check_subject(subject)
    place = (admitted.tenant.uid, subject.uid)
    belongs = (
        all((row.tenant_uid, row.subject_uid) == place for row in (token, item, key))
        and subject.tenant_uid == admitted.tenant.uid
        and token.item_uid == item.uid
        and (key.kind, key.version) == (STORE, item.store_key_version)
    )
    if not belongs:
        raise altered("token")
    return held


def checked_known(admitted: Admitted, known: Known) -> Known:
    """A subject with its current store key, once its row is sound, the key is its own, and so is the name that led here.

    Raises:
        VaultError: INTEGRITY.
    """
    subject, key, alias = known
    admitted.check_subject(subject)
    if alias:
        check(admitted.keys.authority, alias)
        if (alias.tenant_uid, alias.subject_uid) != (subject.tenant_uid, subject.uid):
            raise altered("name of a subject")
    own = (subject.tenant_uid, subject.uid, STORE, subject.store_key_version)
    if subject.tenant_uid != admitted.tenant.uid or (key.tenant_uid, key.subject_uid, key.kind, key.version) != own:
        raise altered("subject")
    return known


def subject_key(admitted: Admitted, row: SubjectKeyRow) -> Key:
    """A subject's store or field key, unwrapped by its epoch key; once a call.

    Raises:
        VaultError: INTEGRITY.
        KeysMissingError: the epoch key is not in memory.
    """
    if row not in admitted.subject_keys:
        try:
            admitted.subject_keys[row] = open_subject_key(admitted.keys, row)
        except DecryptionError:
            raise altered("subject key") from None
    return admitted.subject_keys[row]


def open_value(admitted: Admitted, held: Held) -> Value:
    """The value of an item whose envelope was read.

    Raises:
        VaultError: INTEGRITY.
    """
    envelope = held.item.envelope or b""
    if sha256(envelope).digest() != held.item.envelope_sha256:
        raise altered("item")
    try:
        return decode(unseal(subject_key(admitted, held.key).derive(LABEL_ITEM), envelope, _bound(held.item)))
    except (DecryptionError, PlaintextError):
        raise altered("item") from None


def seal_value(key: Key, item: ItemRow, value: Value) -> ItemRow:
    """The item with the value in an envelope under a subject's store key, bound to everything its row says of its place."""
    envelope = seal(key.derive(LABEL_ITEM), item.store_key_version, encode(value), _bound(item))
    return item._replace(envelope=envelope, envelope_sha256=sha256(envelope).digest(), envelope_size=len(envelope))


def _bound(item: ItemRow) -> bytes:
    return binding.item(item.tenant_uid, item.subject_uid, item.data_class, item.uid, item.revision, item.store_key_version)


def open_subject_id(admitted: Admitted, known: Known) -> str:
    """The caller's name of a subject.

    Raises:
        VaultError: INTEGRITY.
    """
    subject = known.subject
    bound = binding.subject_id(subject.tenant_uid, subject.uid, key_version(subject.subject_id))
    try:
        return unseal(subject_key(admitted, known.key).derive(LABEL_SUBJECT_ID), subject.subject_id, bound).decode()
    except DecryptionError:
        raise altered("subject") from None


def current(admitted: Admitted, held: Held) -> Known:
    """The subject with the store key that new envelopes use; read again if the item is still under an older one.

    Raises:
        MoreRowsError: it has to be read.
        VaultError: TOKEN_NOT_FOUND if the subject has gone meanwhile, INTEGRITY if its row was altered.
    """
    if held.key.version == held.subject.store_key_version:
        return Known(held.subject, held.key)
    known = admitted.rows.subjects.get(held.subject.lookup)
    if known is None:
        reads = Reads(subjects=_behind(admitted.rows), locking=True)
        admitted.need(reads)
        raise VaultError(common_pb2.ERROR_REASON_TOKEN_NOT_FOUND, "no such token")
    if known.subject.uid != held.subject.uid:
        raise altered("subject")
    return checked_known(admitted, known)


def _behind(rows: Rows) -> frozenset[bytes]:
    """The subjects of all items read that are still under an older store key: asked for together, however many they are."""
    every = (held for page in (rows.tokens.values(), *rows.pages.values()) for held in page)
    return frozenset(held.subject.lookup for held in every if held.key.version != held.subject.store_key_version)


def new_subject(admitted: Admitted, subject_id: str, lookup: bytes) -> Known:
    """A new incarnation of a subject with a new store key; written with the call."""
    uid, tenant = new_uid(), admitted.tenant
    row = new_subject_key(admitted, uid, STORE, 1)
    key = subject_key(admitted, row).derive(LABEL_SUBJECT_ID)
    encrypted = seal(key, 1, subject_id.encode(), binding.subject_id(tenant.uid, uid, 1))
    subject = SubjectRow(tenant.uid, uid, lookup, tenant.index_key_version, 1, encrypted, SubjectState.ACTIVE, rekey_due=False)
    known = Known(sealed(admitted.keys.authority, subject), row)
    admitted.writes.inserted.append(known.subject)
    return known


def new_subject_key(admitted: Admitted, subject_uid: bytes, kind: str, version: int) -> SubjectKeyRow:
    """A new key of a subject, wrapped by the tenant's current epoch key; written with the call."""
    key, tenant = Key.generate(), admitted.tenant
    row = SubjectKeyRow(tenant.uid, subject_uid, kind, version, new_uid(), tenant.epoch, b"")
    row = seal_subject_key(admitted.keys, row, tenant.epoch, key)
    admitted.writes.inserted.append(row)
    admitted.subject_keys[row] = key
    return row


def altered(what: str) -> VaultError:
    """The one answer where stored rows do not belong where they stand."""
    return VaultError(
        common_pb2.ERROR_REASON_INTEGRITY,
        f"a stored {what} was altered or moved; it is not used; the operator must investigate",
    )
