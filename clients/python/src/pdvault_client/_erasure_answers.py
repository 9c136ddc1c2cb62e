"""Fields of answers about erasures to dataclasses. An answer that does not fit its request is an error, never guessed at.

Messages of receipts hold names, and are in no frame that an error leaves.
"""

from google.protobuf import json_format
from google.protobuf.message import DecodeError

from pdvault_client._answers import Answer, time, unfit
from pdvault_client._contract import Message, contract
from pdvault_client._hidden import Hidden
from pdvault_client.erasure_types import ErasureCheck, ErasureReceipt

_UID = 16


def erased(answer: Answer, named: Hidden[str]) -> ErasureReceipt:
    """An EraseResponse about this subject."""
    if answer.message.receipt.subject_id != named.content:
        raise unfit("the server answered the receipt of another erasure", answer.request_id)
    return _receipt(answer)


def own_receipt(text: Hidden[str]) -> Hidden[Message]:
    """The receipt that the caller has.

    Raises:
        ValueError: it is none.
    """
    found = _parsed(text)
    if found is None:
        raise ValueError("own is no receipt: give the text that erase gave, as it was")
    return found


def receipt(answer: Answer, erasure_uid: bytes, own: Hidden[Message] | None) -> ErasureReceipt:
    """A GetErasureReceiptResponse about this erasure, together with what only the caller's own receipt has."""
    if own and not _open(answer, own):
        raise unfit("the server's receipt does not say what your own says", answer.request_id)
    made = _receipt(answer)
    if made.erasure_uid != erasure_uid:
        raise unfit("the server answered the receipt of another erasure", answer.request_id)
    return made


def check(answer: Answer) -> ErasureCheck:
    """A VerifyErasureResponse."""
    found = answer.message
    return ErasureCheck(found.clean, dict(found.rows_left), found.anchored, found.horizon_reached)


def _parsed(text: Hidden[str]) -> Hidden[Message] | None:
    made = contract().message("vault.v1.ErasureReceipt")()
    try:
        json_format.Parse(text.content, made)
    except (json_format.ParseError, RecursionError):
        return None
    return Hidden(made) if made.statement else None


def _open(answer: Answer, own: Hidden[Message]) -> bool:
    """Put the name into the receipt, if both say the same."""
    message, kept = answer.message.receipt, own.content
    message.subject_id, message.commitment_key = kept.subject_id, kept.commitment_key
    return bool(kept.statement == message.statement)


def _receipt(answer: Answer) -> ErasureReceipt:
    made = _read(answer.message.receipt)
    if made is None:
        raise unfit("the server answered a receipt that says nothing of an erasure", answer.request_id)
    return made


def _read(message: Message) -> ErasureReceipt | None:
    try:
        said = contract().message("vault.v1.ErasureStatement").FromString(message.statement)
    except DecodeError:
        return None
    if {len(said.erasure_uid), len(said.subject_uid)} != {_UID}:
        return None
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
