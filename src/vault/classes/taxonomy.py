"""The taxonomy: which data classes a vault knows, under an edition that is stored with every item."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from vault.classes.bank_account import BANK_ACCOUNT
from vault.classes.cn_resident_id import CN_RESIDENT_ID
from vault.classes.data_class import DataClass
from vault.classes.email import EMAIL
from vault.classes.face_template import FACE_TEMPLATE
from vault.classes.free_text import FREE_TEXT
from vault.classes.payment_card import PAYMENT_CARD
from vault.classes.person_name import PERSON_NAME
from vault.classes.phone import PHONE

_UUID = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9A-Za-z])", re.IGNORECASE)
_WEAK_SEPARATOR = re.compile(r"[:/]")
_SEPARATOR = re.compile(r"[._:/-]")
_BEFORE_NUMBER = re.compile(r"[^0-9+]+")


class Taxonomy:
    """An edition of data classes. Immutable.

    Args:
        edition: names this set of classes; another set has another edition.
        classes: the classes, in any order.

    Raises:
        ValueError: two classes share a name or a token prefix.
    """

    def __init__(self, edition: str, classes: Iterable[DataClass]) -> None:
        ordered = sorted(classes, key=lambda data_class: data_class.name)
        self.edition = edition
        self._by_name = {data_class.name: data_class for data_class in ordered}
        if not len(ordered) == len(self._by_name) == len({data_class.token_prefix for data_class in ordered}):
            raise ValueError("each data class of a taxonomy has its own name and its own token prefix")

    def get(self, name: str) -> DataClass | None:
        """The class of this name, or None."""
        return self._by_name.get(name)

    def __iter__(self) -> Iterator[DataClass]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def recognises(self, text: str) -> str | None:
        """The name of a class that takes the text, or a part of it, for a personal value; None if no class does.

        It keeps people from writing an ID number where a ticket's number belongs; it cannot stop somebody who wants to.
        Looked at are the text, its parts between ``:`` and ``/``, its parts between ``. _ : / -``, and each of these
        from its first digit on. Missed, so that ticket numbers pass, is a value spread over several parts behind
        another number, or with letters after it. UUIDs are never looked into.
        """
        parts = _parts(text)
        return next((known.name for known in self for part in parts if known.recognises(part)), None)


def _parts(text: str) -> list[str]:
    plain = _UUID.sub("", unicodedata.normalize("NFKC", text))
    parts = [plain, *_WEAK_SEPARATOR.split(plain), *_SEPARATOR.split(plain)]
    numbers = [_BEFORE_NUMBER.sub("", part, count=1) for part in parts if _BEFORE_NUMBER.match(part)]
    return list(dict.fromkeys(part.strip() for part in (*parts, *numbers)))


BUILT_IN = Taxonomy(
    edition="1",
    classes=(
        BANK_ACCOUNT,
        CN_RESIDENT_ID,
        EMAIL,
        FACE_TEMPLATE,
        FREE_TEXT,
        PAYMENT_CARD,
        PERSON_NAME,
        PHONE,
    ),
)
"""The classes that every vault has."""
