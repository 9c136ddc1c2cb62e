"""What callers of FieldService hand in and get back: plain frozen dataclasses, no protobuf; and the text form of ciphertexts.

Personal values and subject_ids are in no representation. Ciphertexts are: they are made to be kept anywhere.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pdvault_client.types import Form, Validation

_TEXT_FORM = re.compile(r"pdv1\.([A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True)
class FieldValue:
    """A value to encrypt for your own database.

    Attributes:
        subject_id: your own name of the person or organisation, 1 to 128 bytes.
        data_class: for example "cn_resident_id".
        value: str for classes of kind text, bytes for kind bytes; at most 1 MiB, 512 bytes where the class can be searched.
        associated_data: what the ciphertext is bound to besides, such as the row and column it will stand in, at most 4 KiB; to be
            given again to decrypt it. None is not the same as empty.
        purposes: what the value was collected for; the call's purpose if empty. They travel in the ciphertext.
        validation: how strictly the value is checked.
    """

    subject_id: str = field(repr=False)
    data_class: str
    value: str | bytes = field(repr=False)
    associated_data: bytes | None = None
    purposes: Sequence[str] = ()
    validation: Validation = Validation.STRICT


@dataclass(frozen=True, slots=True)
class DecryptItem:
    """A ciphertext to decrypt, as bytes or in its text form, with what it was bound to and a form of its own."""

    ciphertext: bytes | str
    associated_data: bytes | None = None
    form: Form = Form.MASKED


@dataclass(frozen=True, slots=True)
class ReencryptItem:
    """A ciphertext to move to its subject's newest key, as bytes or in its text form, with what it was bound to."""

    ciphertext: bytes | str
    associated_data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reencrypted:
    """A ciphertext under its subject's newest key; ``changed`` if it is another one than before, and has to be stored."""

    ciphertext: bytes
    changed: bool


def ciphertext_to_text(ciphertext: bytes) -> str:
    """The text form of a ciphertext, for columns that hold text: "pdv1." and base64url without padding."""
    return "pdv1." + base64.urlsafe_b64encode(ciphertext).decode().rstrip("=")


def ciphertext_from_text(text: str) -> bytes:
    """The ciphertext in a text form.

    Raises:
        ValueError: it is none, or not in the one way to write it.
    """
    found = _TEXT_FORM.fullmatch(text)
    if found and len(found[1]) % 4 != 1:
        ciphertext = base64.urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4))
        if ciphertext_to_text(ciphertext) == text:
            return ciphertext
    raise ValueError('a ciphertext in text is "pdv1." and base64url without padding')
