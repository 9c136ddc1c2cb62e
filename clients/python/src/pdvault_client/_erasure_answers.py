"""Fields of answers about erasures to dataclasses. An answer that does not fit its request is an error, never guessed at."""

from google.protobuf import json_format
from google.protobuf.message import DecodeError

from pdvault_client._answers import Answer, time, unfit
from pdvault_client._contract import Message, contract
from pdvault_client.erasure_types import ErasureCheck, ErasureReceipt

_UID = 16
_OPERATION = "operations/"


def erased(answer: Answer, subject_id: str) -> ErasureReceipt:
    """An EraseResponse about this subject."""
    if answer.message.receipt.subject_id != subject_id:
        raise unfit("the server answered the receipt of another erasure", answer.request_id)
    return _receipt(answer.message.receipt, answer.request_id)


def receipt(answer: Answer, erasure_uid: bytes, own: ErasureReceipt | None) -> ErasureReceipt:
    """A GetErasureReceiptResponse about this erasure, together with what only the caller's own receipt has."""
    message = answer.message.receipt
    if own:
        kept = contract().message("vault.v1.ErasureReceipt")()
        json_format.Parse(own.text, kept)
        if kept.statement != message.statement:
            raise unfit("the server's receipt does not say what your own says", answer.request_id)
        message.subject_id, message.commitment_key = kept.subject_id, kept.commitment_key
    made = _receipt(message, answer.request_id)
    if made.erasure_uid != erasure_uid:
        raise unfit("the server answered the receipt of another erasure", answer.request_id)
    return made


def check(answer: Answer) -> ErasureCheck:
    """A VerifyErasureResponse."""
    found = answer.message
    return ErasureCheck(found.clean, dict(found.rows_left), found.anchored, found.horizon_reached)


def operation(answer: Answer) -> str:
    """The name of the operation in a response."""
    name = str(answer.message.operation.name)
    if not name.startswith(_OPERATION):
        raise unfit("the server answered no operation", answer.request_id)
    return name


def _receipt(message: Message, request_id: str) -> ErasureReceipt:
    try:
        said = contract().message("vault.v1.ErasureStatement").FromString(message.statement)
    except DecodeError:
        said = None
    if said is None or {len(said.erasure_uid), len(said.subject_uid)} != {_UID}:
        raise unfit("the server answered a receipt that says nothing of an erasure", request_id)
    return ErasureReceipt(
        text=json_format.MessageToJson(message, ensure_ascii=False) + "\n",
        erasure_uid=said.erasure_uid,
        subject_uid=said.subject_uid,
        subject_id=message.subject_id,
        keys=len(said.keys),
        items={each.data_class: each.count for each in said.items},
        tokens=said.tokens,
        refused_time=time(said, "refused_time"),
        clean_time=time(said, "clean_time"),
        horizon_time=time(said, "horizon_time"),
        is_proven=message.HasField("erased"),
        is_past_horizon=message.HasField("horizon"),
    )
