"""A receipt as a file: the JSON of its protobuf message (proto3 JSON mapping), in the one spelling that the vault writes."""

import json

from google.protobuf import json_format

from vault.audit.verify_errors import WrongError
from vault.v1.subject_service_pb2 import ErasureReceipt

MAX_BYTES = 8 * 1024 * 1024


def encode(receipt: ErasureReceipt) -> str:
    """The file's text."""
    return json_format.MessageToJson(receipt, indent=2, ensure_ascii=False) + "\n"


def decode(data: bytes) -> ErasureReceipt:
    """The receipt in a file, without verifying any of it.

    Raises:
        WrongError: it is none, or spelt in another way: unknown fields, base64 with bits that mean nothing, a field there twice.
    """
    receipt = ErasureReceipt()
    try:
        if len(data) > MAX_BYTES:
            raise ValueError
        content = json.loads(data, object_pairs_hook=_each_once)
        json_format.ParseDict(content, receipt)
        if json_format.MessageToDict(receipt) != content:
            raise ValueError
    except (ValueError, RecursionError, json_format.ParseError):  # their texts would hold what is in the file
        raise WrongError("the file is no receipt as the vault writes it, or it was changed") from None
    return receipt


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a name is there twice")
    return names
