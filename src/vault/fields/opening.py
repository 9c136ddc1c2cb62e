"""From a ciphertext to the value in it, in the same words for every use case.

Nothing that a ciphertext says of itself is believed, decided on or logged before its tag is right. What can't be opened is refused
in one way, whatever the cause, after the same query and the same work.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from vault.admission import Admitted
from vault.crypto.envelope import DecryptionError
from vault.crypto.field_ciphertext import FieldKey, Header, read_header, unseal_field
from vault.crypto.keys import Key
from vault.errors import FieldViolation, VaultError
from vault.fields.field_keys import field_key
from vault.store.reads import Reads
from vault.store.rows import SubjectRow
from vault.v1 import common_pb2
from vault.v1 import field_service_pb2 as v1

_NOBODYS: Final = Key.generate()
"""Tried in place of a key that is not there, so that it takes as long to find out."""

Item = v1.DecryptItem | v1.ReencryptItem


@dataclass(frozen=True, repr=False)
class Opened:
    """A ciphertext that this tenant's vault made: whose it is, under which key, what it says of itself, what is in it."""

    subject: SubjectRow
    key: FieldKey
    header: Header
    plaintext: bytes


@dataclass(frozen=True)
class Unopened:
    """Why a ciphertext was not opened, and whose key it names, if there is such a key."""

    error: VaultError
    subject_uid: bytes = b""


class Ciphertexts:
    """The ciphertexts of one request, read as far as can be without a key when it is made."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self._headers = [_header(item.ciphertext) for item in items]

    def reads(self) -> Reads:
        """The keys that they name."""
        return Reads(field_keys=frozenset(header.key_id for header in self._headers if header))

    def open(self, admitted: Admitted) -> list[Opened | Unopened]:
        """All of them, in their order.

        Raises:
            KeysMissingError: an epoch key is not in memory.
        """
        return [_open(admitted, header, item) for header, item in zip(self._headers, self._items, strict=True)]


def caller_data(item: v1.EncryptItem | Item) -> bytes | None:
    """What the caller bound a ciphertext to; None if to nothing, which is not the same as to nothing in particular."""
    return item.associated_data if item.HasField("associated_data") else None


def need_opened(one: Opened | Unopened) -> Opened:
    """The ciphertext, opened.

    Raises:
        VaultError: it was not.
    """
    if isinstance(one, Unopened):
        raise one.error
    return one


def permit(admitted: Admitted, action: str, opened: Opened, form: common_pb2.Form | None = None) -> None:
    """Let a policy decide about a value; see ``Admitted.permit``."""
    header = opened.header
    collected = admitted.collected(",".join(header.purposes))
    admitted.permit(action, header.data_class, form=form, state=opened.subject.state, collected=collected)


def note_refusal(admitted: Admitted, one: Opened | Unopened, error: VaultError, form: common_pb2.Form | None = None) -> None:
    """Note in the audit event that a ciphertext was refused, and why, with class and subject if it could be opened."""
    if isinstance(one, Opened):
        admitted.draft.touch_subject(one.header.data_class, one.subject.uid, form=form, reason=error.audited_as, items=1)
    elif one.subject_uid:
        admitted.draft.touch_subject("", one.subject_uid, form=form, reason=error.audited_as, items=1)
    else:
        admitted.draft.touch_unknown("", error.audited_as, form)


def refusal() -> VaultError:
    """The one answer for ciphertexts that can't be opened, whatever the cause."""
    rule = (
        "must be a ciphertext of this tenant as it was made, with the associated data it was made with, of a subject that is there"
    )
    return VaultError(
        common_pb2.ERROR_REASON_CIPHERTEXT_REFUSED,
        f"the ciphertext can't be opened: it {rule}; which of these fails, nobody is told",
        violations=[FieldViolation(".ciphertext", rule)],
    )


def _header(ciphertext: bytes) -> Header | None:
    try:
        return read_header(ciphertext)
    except DecryptionError:
        return None


def _open(admitted: Admitted, header: Header | None, item: Item) -> Opened | Unopened:
    if header is None:
        return Unopened(refusal())
    held = admitted.rows.field_keys.get(header.key_id)
    if held is None:
        with suppress(DecryptionError):
            unseal_field(FieldKey(admitted.tenant.uid, bytes(16), header.key_id, 0, _NOBODYS), item.ciphertext, caller_data(item))
        return Unopened(refusal())
    try:
        key = field_key(admitted, held)
        return Opened(held.subject, key, header, unseal_field(key, item.ciphertext, caller_data(item)))
    except VaultError as error:
        return Unopened(error, held.subject.uid)
    except DecryptionError:
        return Unopened(refusal(), held.subject.uid)
