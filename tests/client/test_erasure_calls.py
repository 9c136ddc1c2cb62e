"""What SubjectClient sends and makes of answers about erasures; names are in no error, and an answer that does not fit is one."""

import grpc
import pytest
from tests.client.test_secrecy import SUBJECT, locals_of_the_client

from pdvault_client import SubjectClient, SubjectNotFoundError, VaultError
from vault.audit.receipt_file import decode
from vault.errors import VaultError as ServerError
from vault.v1 import common_pb2
from vault.v1 import subject_service_pb2 as v1
from vault.v1.key_service_pb2 import OperationProgress

UID, WHOM = b"\x01" * 16, b"\x02" * 16


def statement(**fields) -> bytes:
    """What was erased."""
    said = {"format": 1, "erasure_uid": UID, "subject_uid": WHOM, "tokens": 2}
    items = [v1.ClassCount(data_class="email", count=2)]
    made = v1.ErasureStatement(**{**said, **fields}, items=items, keys=[v1.DestroyedKey(kind="store")])
    made.clean_time.seconds = 1_700_000_000
    return made.SerializeToString(deterministic=True)


def own(**fields) -> v1.ErasureReceipt:
    """The caller's receipt."""
    return v1.ErasureReceipt(
        **{"statement": statement(), "subject_id": SUBJECT, "commitment_key": bytes(range(32)), **fields}  # type: ignore[arg-type]
    )


@pytest.fixture
def officer(connect) -> SubjectClient:
    """A privacy officer's client of the scripted vault."""
    return connect(SubjectClient)


def test_erase_sends_the_name_and_gives_the_receipt(officer, scripted):
    scripted.script("Erase", v1.EraseResponse(receipt=own()))
    receipt = officer.erase(SUBJECT, ground="request", reference="T-1")
    (request,) = scripted.requests()
    assert (request.subject_id, request.context.ground, request.context.reference) == (SUBJECT, "request", "T-1")
    assert (receipt.erasure_uid, receipt.subject_uid, receipt.subject_id) == (UID, WHOM, SUBJECT)
    assert (receipt.keys, receipt.items, receipt.tokens, receipt.is_proven) == (1, {"email": 2}, 2, False)
    assert receipt.clean_time.timestamp() == 1_700_000_000
    assert decode(receipt.text.encode()) == own()
    assert SUBJECT not in repr(receipt)


def test_a_later_receipt_says_whom_it_is_about_if_the_own_one_is_given(officer, scripted):
    scripted.script("Erase", v1.EraseResponse(receipt=own()))
    later = v1.ErasureReceipt(statement=statement(), erased=v1.LeafProof(leaf=b"leaf"))
    scripted.script("GetErasureReceipt", v1.GetErasureReceiptResponse(receipt=later))
    first = officer.erase(SUBJECT)
    whole = officer.erasure_receipt(UID, own=first.text)
    assert (whole.subject_id, whole.is_proven, whole.is_past_horizon) == (SUBJECT, True, False)
    assert decode(whole.text.encode()) == own(erased=later.erased)
    assert officer.erasure_receipt(UID).subject_id == ""


def test_bulk_and_verify(officer, scripted):
    response = v1.BulkEraseResponse()
    response.operation.name = "operations/" + "0" * 32
    response.operation.metadata.Pack(OperationProgress(kind="BulkErase", state="WAITING", total=2))
    scripted.script("BulkErase", response)
    scripted.script("VerifyErasure", v1.VerifyErasureResponse(rows_left={"token": 2}, anchored=True))
    begun = officer.bulk_erase([SUBJECT, "another"])
    assert (begun.name, begun.kind, begun.state, begun.total) == (response.operation.name, "BulkErase", "WAITING", 2)
    assert list(scripted.requests()[0].subject_ids) == [SUBJECT, "another"]
    found = officer.verify_erasure(UID)
    assert (found.is_clean, found.rows_left, found.is_anchored, found.is_past_horizon) == (False, {"token": 2}, True, False)


@pytest.mark.parametrize("names", [SUBJECT, [SUBJECT] * 1001, [7]])
def test_what_is_no_list_of_names_is_not_sent(officer, scripted, names):
    with pytest.raises((TypeError, ValueError)) as caught:
        officer.bulk_erase(names)
    assert "canary" not in str(caught.value)
    assert not scripted.requests()


UNFIT = [
    own(subject_id="somebody else"),
    own(statement=b"\xff"),
    own(statement=b""),
    own(statement=statement(erasure_uid=b"short")),
]


@pytest.mark.parametrize("answer", UNFIT)
def test_a_receipt_that_does_not_fit_is_an_error_that_names_nobody(officer, scripted, answer):
    scripted.script("Erase", v1.EraseResponse(receipt=answer))
    with pytest.raises(VaultError) as caught:
        officer.erase(SUBJECT)
    assert not [text for text in [*locals_of_the_client(caught.value), str(caught.value)] if "canary" in text]


@pytest.mark.parametrize("said", [statement(tokens=3), statement(erasure_uid=b"\x09" * 16)])
def test_a_later_receipt_that_says_something_else_is_an_error(officer, scripted, said):
    scripted.script("Erase", v1.EraseResponse(receipt=own()))
    scripted.script("GetErasureReceipt", v1.GetErasureReceiptResponse(receipt=v1.ErasureReceipt(statement=said)))
    first = officer.erase(SUBJECT)
    with pytest.raises(VaultError) as caught:
        officer.erasure_receipt(UID, own=first.text)
    assert not [text for text in [*locals_of_the_client(caught.value), str(caught.value)] if "canary" in text]


@pytest.mark.parametrize("text", ["", "[]", "{" * 5000, '{"subjectId": "canary", "statement": 7}', '{"canary": 1}'])
def test_what_is_no_receipt_is_not_taken_for_ones_own(officer, scripted, text):
    with pytest.raises(ValueError, match="own is no receipt") as caught:
        officer.erasure_receipt(UID, own=text)
    assert not [shown for shown in [*locals_of_the_client(caught.value), str(caught.value)] if "canary" in shown]
    assert not scripted.requests()


@pytest.mark.parametrize(
    "failure",
    [ServerError(common_pb2.ERROR_REASON_SUBJECT_HELD, "a hold"), grpc.StatusCode.UNAVAILABLE],
)
@pytest.mark.parametrize("call", [lambda officer: officer.erase(SUBJECT), lambda officer: officer.bulk_erase([SUBJECT])])
def test_a_refused_erasure_leaves_no_name_in_the_traceback(officer, scripted, call, failure):
    for method in ("Erase", "BulkErase"):
        scripted.script(method, failure)
    with pytest.raises(VaultError) as caught:
        call(officer)
    shown = locals_of_the_client(caught.value)
    assert shown
    assert not [text for text in [*shown, str(caught.value)] if "canary" in text]


def test_an_unknown_subject_is_told_apart(officer, scripted):
    scripted.script("Erase", ServerError(common_pb2.ERROR_REASON_SUBJECT_NOT_FOUND, "the tenant knows no such subject"))
    with pytest.raises(SubjectNotFoundError):
        officer.erase(SUBJECT)
