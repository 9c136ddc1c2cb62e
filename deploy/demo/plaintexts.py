"""Every value that the demo hands to the vault, also as the vault's classes normalise it: what must lie nowhere in clear."""

from collections.abc import Iterable, Iterator, Mapping

from deploy.demo.people import Person
from deploy.demo.scan import MIN_BYTES
from vault.classes.taxonomy import BUILT_IN

CLASSES: Mapping[str, str] = {
    "name": "person_name",
    "resident_id": "cn_resident_id",
    "phone": "phone",
    "email": "email",
    "bank_account": "bank_account",
    "card": "payment_card",
    "note": "free_text",
    "face": "face_template",
}
"""The data class of each field of a person that is a value."""


def values(person: Person) -> Iterator[tuple[str, str | bytes]]:
    """Field and value of everything that is known of a person."""
    for name in CLASSES:
        value = getattr(person, name)
        if value is not None:
            yield name, value


def plaintexts(people: Iterable[Person]) -> Iterator[tuple[bytes, str]]:
    """Each value's bytes as given and as normalised, with a label that names person and field."""
    for person in people:
        for name, value in values(person):
            data_class = BUILT_IN.get(CLASSES[name])
            given = value.encode() if isinstance(value, str) else value
            normalised = data_class.normalise(value) if data_class else given
            for text in {given, normalised}:
                if len(text) >= MIN_BYTES:
                    yield text, f"{name} of {person.subject_id}"
