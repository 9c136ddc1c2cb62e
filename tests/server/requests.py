"""A well-formed request for each method, full of canaries, to be broken in one place by a test."""

from typing import Any

from google.protobuf.message import Message
from tests.harness import context
from tests.server.canaries import SUBJECT, VALUES

from vault.v1 import common_pb2
from vault.v1 import vault_service_pb2 as v1

UNKNOWN_TOKEN = "pho_000000000000000000000000003"
"""Of the right form, and of no vault."""


def good(method: str) -> Any:
    """A request that keeps every rule of the contract."""
    request: Message = getattr(v1, f"{method}Request")(context=context())
    _FILL.get(method, lambda _: None)(request)
    return request


def value(data_class: str) -> common_pb2.Value:
    """The canary of a class."""
    canary = VALUES[data_class]
    return common_pb2.Value(text=canary) if isinstance(canary, str) else common_pb2.Value(data=canary)


def tokenize(data_class: str, **fields: Any) -> v1.TokenizeRequest:
    """A request to store one canary for the canary subject."""
    item = {"subject_id": SUBJECT, "data_class": data_class, "value": value(data_class), **fields}
    return v1.TokenizeRequest(context=context(), items=[v1.TokenizeItem(**item)])


def _tokenize(request: Any) -> None:
    for data_class in VALUES:
        request.items.add(subject_id=SUBJECT, data_class=data_class, value=value(data_class))


def _search(request: Any) -> None:
    request.queries.add(data_class="phone", value=value("phone"))
    request.queries.add(subject_id=SUBJECT)


_FILL = {
    "Tokenize": _tokenize,
    "Reveal": lambda request: request.items.add(token=UNKNOWN_TOKEN),
    "Verify": lambda request: request.items.add(token=UNKNOWN_TOKEN, value=value("phone")),
    "Search": _search,
    "Describe": lambda request: request.tokens.append(UNKNOWN_TOKEN),
    "Update": lambda request: request.items.add(token=UNKNOWN_TOKEN, value=value("phone")),
    "Delete": lambda request: request.tokens.append(UNKNOWN_TOKEN),
}

METHODS = (*_FILL, "ListDataClasses")
ITEMS = {"Tokenize": "items", "Reveal": "items", "Verify": "items", "Search": "queries"} | {
    "Describe": "tokens",
    "Update": "items",
    "Delete": "tokens",
}
"""The repeated field of each method that has one."""
