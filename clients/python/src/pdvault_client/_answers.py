"""Fields of responses to dataclasses. An answer that does not fit its request is an error, never guessed at."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import TypeVar

from pdvault_client import _status
from pdvault_client._contract import Message
from pdvault_client.errors import VaultError
from pdvault_client.field_types import Reencrypted
from pdvault_client.results import Outcome, Results
from pdvault_client.types import (
    Atomicity,
    DataClass,
    Description,
    Form,
    FormKind,
    IssuedToken,
    Page,
    Provenance,
    Revealed,
    Taxonomy,
)

T = TypeVar("T")
E = TypeVar("E", bound=IntEnum)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, and which request it answers."""

    message: Message = field(repr=False)
    request_id: str


def results(answer: Answer, count: int, read: Callable[[Message], T], atomicity: Atomicity) -> Results[T]:
    """One outcome an item.

    Raises:
        VaultError: there are not as many results as items; with ALL_OR_NOTHING, an item failed after all.
    """
    found = len(answer.message.results)
    if found != count:
        raise unfit(f"the server answered {found} results for {count} items", answer.request_id)
    outcomes = [_outcome(result, read, answer.request_id) for result in answer.message.results]
    if atomicity is not Atomicity.PER_ITEM:
        for outcome in outcomes:
            outcome.get()
    return Results(outcomes)


def _outcome(result: Message, read: Callable[[Message], T], request_id: str) -> Outcome[T]:
    if result.HasField("error"):
        return Outcome(error=_status.from_status(result.error.SerializeToString(), request_id))
    try:
        return Outcome(read(result))
    except _EmptyResultError:
        pass
    return Outcome(error=unfit("the server answered neither a result nor an error for an item", request_id))


class _EmptyResultError(Exception):
    """A result holds nothing."""


def unfit(message: str, request_id: str) -> VaultError:
    """The error of an answer that does not fit its request."""
    return VaultError(f"{message}; is it a server of another contract?", request_id=request_id)


def issued(result: Message) -> IssuedToken:
    """A TokenizeResult."""
    if not result.token:
        raise _EmptyResultError
    return IssuedToken(result.token, time(result, "expire_time"))


def revealed(result: Message) -> Revealed:
    """A RevealResult."""
    content = result.value.WhichOneof("content")
    if content is None:
        raise _EmptyResultError
    form = Form(known(FormKind, result.form.kind), result.form.partial_name)
    return Revealed(getattr(result.value, content), form, result.data_class)


def encrypted(result: Message) -> bytes:
    """An EncryptResult."""
    if not result.ciphertext:
        raise _EmptyResultError
    return bytes(result.ciphertext)


def reencrypted(result: Message) -> Reencrypted:
    """A ReencryptResult."""
    if not result.ciphertext:
        raise _EmptyResultError
    return Reencrypted(result.ciphertext, result.changed)


def matches(result: Message) -> bool:
    """A VerifyResult."""
    return bool(result.matches)


def page(result: Message) -> Page:
    """A SearchResult."""
    return Page(tuple(_description(item) for item in result.items), result.next_page_token)


def description(result: Message) -> Description:
    """A DescribeResult."""
    if not result.HasField("description"):
        raise _EmptyResultError
    return _description(result.description)


def revision(result: Message) -> int:
    """An UpdateResult."""
    if not result.revision:
        raise _EmptyResultError
    return int(result.revision)


def nothing(_result: Message) -> None:
    """A DeleteResult."""


def taxonomy(answer: Answer) -> Taxonomy:
    """A ListDataClassesResponse."""
    message = answer.message
    return Taxonomy(message.edition, tuple(_data_class(item) for item in message.data_classes))


def _data_class(item: Message) -> DataClass:
    return DataClass(
        name=item.name,
        title=item.title,
        sensitivity=item.sensitivity,
        kind=item.kind,
        token_prefix=item.token_prefix,
        fingerprinted=item.fingerprinted,
        partial_forms=tuple(item.partial_forms),
        max_bytes=item.max_bytes,
    )


def _description(item: Message) -> Description:
    return Description(
        token=item.token,
        subject_id=item.subject_id,
        data_class=item.data_class,
        revision=item.revision,
        purposes=tuple(item.purposes),
        provenance=known(Provenance, item.provenance),
        ill_formed=item.ill_formed,
        create_time=time(item, "create_time"),
        update_time=time(item, "update_time"),
        expire_time=time(item, "expire_time"),
        max_reveals=item.max_reveals,
        reveals_used=item.reveals_used,
    )


def time(message: Message, name: str) -> datetime | None:
    """The time in a field, if it is there."""
    found: datetime | None = getattr(message, name).ToDatetime(tzinfo=UTC) if message.HasField(name) else None
    return found


def known(kinds: type[E], number: int) -> E:
    """The member with this number; that of 0 for numbers newer than this client."""
    return kinds(number) if number in kinds.__members__.values() else kinds(0)
