"""The methods of VaultService: for each, its request type and the use case that answers it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from vault import delete, describe, list_data_classes, reveal, search, tokenize, update, verify
from vault.call import UseCase
from vault.classes.taxonomy import Taxonomy
from vault.v1 import vault_service_pb2 as v1

SERVICE = "vault.v1.VaultService"


@dataclass(frozen=True)
class Method:
    """One method. ``items`` is the request's repeated field, by which its weight is counted."""

    name: str
    request: type[Message]
    items: str
    use_case: Callable[[Any, Taxonomy], UseCase]


METHODS = (
    Method(tokenize.ACTION, v1.TokenizeRequest, "items", tokenize.Tokenize),
    Method(reveal.ACTION, v1.RevealRequest, "items", reveal.Reveal),
    Method(verify.ACTION, v1.VerifyRequest, "items", verify.Verify),
    Method(search.ACTION, v1.SearchRequest, "queries", search.Search),
    Method(describe.ACTION, v1.DescribeRequest, "tokens", lambda request, _: describe.Describe(request)),
    Method(update.ACTION, v1.UpdateRequest, "items", update.Update),
    Method(delete.ACTION, v1.DeleteRequest, "tokens", lambda request, _: delete.Delete(request)),
    Method(list_data_classes.ACTION, v1.ListDataClassesRequest, "", list_data_classes.ListDataClasses),
)
