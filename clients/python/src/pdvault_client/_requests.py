"""Dataclasses to fields of requests. Whatever carries values leaves here in a box that does not show them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TypeVar

from pdvault_client._hidden import Hidden
from pdvault_client.types import Atomicity, Candidate, Form, NewValue, Replacement, RevealItem, SubjectQuery, ValueQuery

MAX_ITEMS = 1000

Fields = Mapping[str, object]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Context:
    """Why a call is made, and which one it is: proto/vault/v1/common.proto, CallContext."""

    purpose: str
    request_id: str
    ground: str = ""
    reference: str = ""
    recipient: str = ""

    def fields(self) -> Fields:
        """The fields of a CallContext."""
        return {name: getattr(self, name) for name in self.__slots__}


def many(
    name: str, items: Sequence[Item], convert: Callable[[Item], object], atomicity: Atomicity, **more: object
) -> Hidden[Fields]:
    """The fields of a request about several items.

    Args:
        name: the items' field.
        items: what the caller gave.
        convert: an item to its fields.
        atomicity: what one failing item does to the others.
        more: further fields.

    Raises:
        TypeError: a single str instead of a sequence; an item of the wrong type.
        ValueError: more than 1,000 items; text that is not Unicode.
    """
    if isinstance(items, str | bytes):
        raise TypeError(f"{name} must be a sequence; put a single one in a list")
    if len(items) > MAX_ITEMS:
        raise ValueError(f"{name} has {len(items)} entries; a call takes {MAX_ITEMS}: split it (tokenize_many and encrypt_many do)")
    return Hidden({name: [convert(item) for item in items], "atomicity": atomicity, **more})


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of ``size``, the last one shorter.

    Raises:
        ValueError: a call does not take so many.
    """
    if not 1 <= size <= MAX_ITEMS:
        raise ValueError(f"batch_size must be 1 to {MAX_ITEMS}, not {size}")
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch


def new_value(item: NewValue) -> Fields:
    """A TokenizeItem."""
    if isinstance(item.purposes, str):
        raise TypeError("purposes must be a sequence; put a single one in a list")
    return {
        "subject_id": text("subject_id", item.subject_id),
        "data_class": item.data_class,
        "value": value(item.value),
        "purposes": item.purposes,
        "provenance": item.provenance,
        "token_kind": item.token_kind,
        "ttl": None if item.ttl is None else duration(item.ttl),
        "max_reveals": item.max_reveals,
        "validation": item.validation,
    }


def reveal_item(form: Form) -> Callable[[str | RevealItem], Fields]:
    """A RevealItem; a bare token gets this form."""

    def convert(item: str | RevealItem) -> Fields:
        item = item if isinstance(item, RevealItem) else RevealItem(item, form)
        return {"token": item.token, "form": {"kind": item.form.kind, "partial_name": item.form.partial_name}}

    return convert


def candidate(item: Candidate) -> Fields:
    """A VerifyItem."""
    return {"token": item.token, "value": value(item.value)}


def query(item: ValueQuery | SubjectQuery) -> Fields:
    """A SearchQuery."""
    if isinstance(item, ValueQuery):
        return {"data_class": item.data_class, "value": value(item.value)}
    return {"data_class": item.data_class, "subject_id": text("subject_id", item.subject_id)}


def replacement(item: Replacement) -> Fields:
    """An UpdateItem."""
    return {
        "token": item.token,
        "value": value(item.value),
        "expected_revision": item.expected_revision,
        "validation": item.validation,
    }


def token(item: str) -> str:
    """A token as it is."""
    return item


def value(content: str | bytes) -> Fields:
    """A Value.

    Raises:
        TypeError: neither str nor bytes.
        ValueError: a str that has no UTF-8 form.
    """
    return {"data": content} if isinstance(content, bytes) else {"text": text("value", content)}


def text(name: str, given: str) -> str:
    """The text, checked here because what protobuf and codecs raise would hold it."""
    if not isinstance(given, str):
        raise TypeError(f"{name} must be {'str or bytes' if name == 'value' else 'str'}, not {type(given).__name__}")
    try:
        given.encode()
    except UnicodeEncodeError:
        pass
    else:
        return given
    raise ValueError(f"{name} has no UTF-8 form: was it decoded with the right encoding?")


def duration(given: timedelta) -> Fields:
    """A Duration."""
    return {"seconds": given.days * 86400 + given.seconds, "nanos": given.microseconds * 1000}
