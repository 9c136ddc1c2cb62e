"""Requests of every method in few words, and synthetic people who are new each time."""

import itertools
import secrets
from collections.abc import Iterable
from typing import Any

from google.rpc import error_details_pb2, status_pb2
from tests.harness import context

from vault.v1 import common_pb2, vault_service_pb2

PER_ITEM = common_pb2.ATOMICITY_PER_ITEM
MASKED, PLAIN, PARTIAL = common_pb2.FORM_KIND_MASKED, common_pb2.FORM_KIND_PLAIN, common_pb2.FORM_KIND_PARTIAL
DETERMINISTIC = vault_service_pb2.TOKEN_KIND_DETERMINISTIC
LENIENT = common_pb2.VALIDATION_LENIENT

_numbers = itertools.count()


def new_subject() -> str:
    """A subject_id that nobody used before."""
    return f"S-{secrets.token_hex(6)}-{next(_numbers)}"


def new_email() -> str:
    """An address that nobody used before."""
    return f"p{secrets.token_hex(8)}@example.org"


def value(content: str | bytes) -> common_pb2.Value:
    """Text or bytes as a Value."""
    return common_pb2.Value(text=content) if isinstance(content, str) else common_pb2.Value(data=content)


def tokenize(
    *items: tuple[str, str, str | bytes], purpose: str = "payout", atomicity: int = 0, **fields: Any
) -> vault_service_pb2.TokenizeRequest:
    """Store (subject_id, data class, content) triples; ``fields`` go into every item."""
    request = vault_service_pb2.TokenizeRequest(context=context(purpose), atomicity=atomicity)  # type: ignore[arg-type]
    for subject_id, data_class, content in items:
        request.items.add(subject_id=subject_id, data_class=data_class, value=value(content), **fields)
    return request


def reveal(
    *tokens: str, kind: int = PLAIN, partial: str = "", purpose: str = "payout", atomicity: int = 0
) -> vault_service_pb2.RevealRequest:
    """Reveal tokens, all in one form."""
    request = vault_service_pb2.RevealRequest(context=context(purpose), atomicity=atomicity)  # type: ignore[arg-type]
    for token in tokens:
        request.items.add(token=token, form=common_pb2.Form(kind=kind, partial_name=partial))  # type: ignore[arg-type]
    return request


def verify(*items: tuple[str, str | bytes], purpose: str = "payout", atomicity: int = 0) -> vault_service_pb2.VerifyRequest:
    """Compare (token, candidate) pairs."""
    request = vault_service_pb2.VerifyRequest(context=context(purpose), atomicity=atomicity)  # type: ignore[arg-type]
    for token, candidate in items:
        request.items.add(token=token, value=value(candidate))
    return request


def search(*queries: tuple[str, str | None, str | None], purpose: str = "payout", **fields: Any) -> vault_service_pb2.SearchRequest:
    """Search by (data class, value, subject_id), one of the last two being None."""
    request = vault_service_pb2.SearchRequest(context=context(purpose), **fields)
    for data_class, text, subject_id in queries:
        query = request.queries.add(data_class=data_class)
        if text is None:
            query.subject_id = subject_id or ""
        else:
            query.value.text = text
    return request


def describe(*tokens: str, purpose: str = "payout", atomicity: int = 0) -> vault_service_pb2.DescribeRequest:
    """Describe tokens."""
    return vault_service_pb2.DescribeRequest(context=context(purpose), tokens=tokens, atomicity=atomicity)  # type: ignore[arg-type]


def update(
    *items: tuple[str, str | bytes], purpose: str = "payout", atomicity: int = 0, **fields: Any
) -> vault_service_pb2.UpdateRequest:
    """Replace the values of (token, content) pairs; ``fields`` go into every item."""
    request = vault_service_pb2.UpdateRequest(context=context(purpose), atomicity=atomicity)  # type: ignore[arg-type]
    for token, content in items:
        request.items.add(token=token, value=value(content), **fields)
    return request


def delete(*tokens: str, purpose: str = "payout", atomicity: int = 0) -> vault_service_pb2.DeleteRequest:
    """Delete the items behind tokens."""
    return vault_service_pb2.DeleteRequest(context=context(purpose), tokens=tokens, atomicity=atomicity)  # type: ignore[arg-type]


def tokens_of(response: vault_service_pb2.TokenizeResponse) -> list[str]:
    """The tokens of a response."""
    return [result.token for result in response.results]


def reasons(results: Iterable[Any]) -> list[str]:
    """For each result of a PER_ITEM response, the reason its item failed, or an empty text."""
    return [_reason(result.error) for result in results]


def _reason(error: status_pb2.Status) -> str:
    if not error.code:
        return ""
    info = error_details_pb2.ErrorInfo()
    error.details[0].Unpack(info)
    return str(info.reason)
