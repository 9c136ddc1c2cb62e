"""Each method of FieldService sends what its caller said, and answers what the vault said."""

import json
from pathlib import Path

import pytest

from pdvault_client import (
    Atomicity,
    CiphertextRefusedError,
    DecryptItem,
    FieldValue,
    Form,
    FormKind,
    Reencrypted,
    ReencryptItem,
    Revealed,
    Validation,
    VaultError,
    ciphertext_from_text,
    ciphertext_to_text,
)
from vault.errors import VaultError as ServerError
from vault.v1 import common_pb2
from vault.v1 import field_service_pb2 as v1

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "crypto.json").read_text("utf-8"))
REQUEST_ID = "0d9d5a9e-6f0c-4b0e-8a5e-0c7d1f0b6a11"
REFUSED = ServerError(common_pb2.ERROR_REASON_CIPHERTEXT_REFUSED, "the ciphertext can't be opened")
CONTEXT = {"purpose": "payout", "request_id": REQUEST_ID}


def encrypt(request):
    return v1.EncryptResponse(results=[{"ciphertext": item.value.text.encode()} for item in request.items])


def decrypt(request):
    value = [
        {"value": {"text": f"value of {item.ciphertext!r}"}, "form": item.form, "data_class": "email"} for item in request.items
    ]
    return v1.DecryptResponse(results=value)


def test_encrypt_sends_every_field_and_answers_ciphertexts(fields, scripted):
    scripted.script("Encrypt", v1.EncryptResponse(results=[{"ciphertext": b"\x01a"}, {"ciphertext": b"\x01b"}]))
    items = [
        FieldValue(
            "customer-17",
            "email",
            "li@example.org",
            associated_data=b"",
            purposes=("payout", "support"),
            validation=Validation.LENIENT,
        ),
        FieldValue("customer-18", "face_template", b"\x00\xff"),
    ]
    results = fields.encrypt(items, atomicity=Atomicity.PER_ITEM, request_id=REQUEST_ID, ground="contract", reference="T-1")
    assert list(results) == [b"\x01a", b"\x01b"]
    expected = v1.EncryptRequest(
        context={**CONTEXT, "ground": "contract", "reference": "T-1"},
        items=[
            {
                "subject_id": "customer-17",
                "data_class": "email",
                "value": {"text": "li@example.org"},
                "associated_data": b"",
                "purposes": ["payout", "support"],
                "validation": common_pb2.VALIDATION_LENIENT,
            },
            {
                "subject_id": "customer-18",
                "data_class": "face_template",
                "value": {"data": b"\x00\xff"},
                "validation": common_pb2.VALIDATION_STRICT,
            },
        ],
        atomicity=common_pb2.ATOMICITY_PER_ITEM,
    )
    assert scripted.requests() == [expected]
    assert [item.HasField("associated_data") for item in scripted.requests()[0].items] == [True, False]


def test_encrypt_one_and_decrypt_one_are_about_one(fields, scripted):
    scripted.script("Encrypt", encrypt)
    scripted.script("Decrypt", decrypt)
    assert fields.encrypt_one("customer-17", "email", "li@example.org", associated_data=b"row") == b"li@example.org"
    revealed = fields.decrypt_one(b"\x01a", associated_data=b"row", form=Form.partial("domain"))
    assert revealed == Revealed("value of b'\\x01a'", Form.partial("domain"), "email")
    encrypted, decrypted = scripted.requests()
    assert encrypted.items[0].associated_data == decrypted.items[0].associated_data == b"row"


def test_encrypt_many_pairs_items_and_ciphertexts_over_batches_that_are_calls_of_their_own(fields, scripted):
    scripted.script("Encrypt", encrypt)
    items = [FieldValue("customer-17", "email", f"li{n}@example.org") for n in range(7)]
    assert list(fields.encrypt_many(iter(items), batch_size=3)) == [(item, item.value.encode()) for item in items]
    assert [len(request.items) for request in scripted.requests()] == [3, 3, 1]
    assert len({request.context.request_id for request in scripted.requests()}) == 3
    with pytest.raises(ValueError, match="batch_size"):
        next(fields.encrypt_many(items, batch_size=1001))


def test_decrypt_takes_bytes_text_and_items_with_forms_of_their_own(fields, scripted):
    scripted.script("Decrypt", decrypt)
    items = [b"\x01a", ciphertext_to_text(b"\x01b"), DecryptItem(ciphertext_to_text(b"\x01c"), b"", Form.PLAIN)]
    results = fields.decrypt(items, form=Form.partial("domain"), request_id=REQUEST_ID)
    assert [revealed.form.kind for revealed in results] == [FormKind.PARTIAL, FormKind.PARTIAL, FormKind.PLAIN]
    part = {"kind": common_pb2.FORM_KIND_PARTIAL, "partial_name": "domain"}
    expected = v1.DecryptRequest(
        context=CONTEXT,
        items=[
            {"ciphertext": b"\x01a", "form": part},
            {"ciphertext": b"\x01b", "form": part},
            {"ciphertext": b"\x01c", "associated_data": b"", "form": {"kind": common_pb2.FORM_KIND_PLAIN}},
        ],
        atomicity=common_pb2.ATOMICITY_ALL_OR_NOTHING,
    )
    assert scripted.requests() == [expected]


def test_reencrypt_says_which_ciphertexts_are_new(fields, scripted):
    answer = v1.ReencryptResponse(results=[{"ciphertext": b"\x01a"}, {"ciphertext": b"\x01n", "changed": True}])
    scripted.script("Reencrypt", answer)
    results = fields.reencrypt([b"\x01a", ReencryptItem(b"\x01o", b"row")], request_id=REQUEST_ID)
    assert list(results) == [Reencrypted(b"\x01a", False), Reencrypted(b"\x01n", True)]
    items = [{"ciphertext": b"\x01a"}, {"ciphertext": b"\x01o", "associated_data": b"row"}]
    assert scripted.requests() == [v1.ReencryptRequest(context=CONTEXT, items=items, atomicity=common_pb2.ATOMICITY_ALL_OR_NOTHING)]


def test_a_refused_ciphertext_has_its_class_alone_and_among_others(fields, scripted):
    scripted.script("Decrypt", REFUSED)
    with pytest.raises(CiphertextRefusedError) as refused:
        fields.decrypt_one(b"\x01a")
    assert refused.value.reason == "CIPHERTEXT_REFUSED"
    value = {"value": {"text": "l***@e***.org"}, "data_class": "email"}
    scripted.script("Decrypt", v1.DecryptResponse(results=[{"error": REFUSED.to_status()}, value]))
    first, second = fields.decrypt([b"\x01a", b"\x01b"], atomicity=Atomicity.PER_ITEM).outcomes
    assert isinstance(first.error, CiphertextRefusedError)
    assert second.get().text == "l***@e***.org"


@pytest.mark.parametrize("method", ["encrypt", "decrypt", "reencrypt"])
def test_an_answer_that_holds_nothing_for_an_item_is_an_error(fields, scripted, method):
    name = method.capitalize()
    scripted.script(name, getattr(v1, f"{name}Response")(results=[{}]))
    item = FieldValue("customer-17", "email", "li@example.org") if method == "encrypt" else b"\x01a"
    with pytest.raises(VaultError, match="neither a result nor an error"):
        getattr(fields, method)([item])


@pytest.mark.parametrize("method", ["decrypt", "reencrypt"])
def test_a_text_that_is_no_ciphertext_never_leaves_the_client_and_is_not_repeated(fields, scripted, method):
    with pytest.raises(ValueError, match="base64url") as refused:
        getattr(fields, method)(["li@example.org"])
    assert "li@" not in str(refused.value)
    assert scripted.received == []


def test_nothing_shows_a_value_or_a_subject_id():
    shown = repr(FieldValue("customer-17", "email", "li@example.org", b"row")) + repr(DecryptItem(b"\x01a"))
    assert "customer-17" not in shown
    assert "li@" not in shown


@pytest.mark.parametrize("length", range(1, 12))
def test_the_text_form_leads_back_to_the_ciphertext(length):
    ciphertext = bytes(range(250, 250 - length, -1))
    assert ciphertext_from_text(ciphertext_to_text(ciphertext)) == ciphertext


@pytest.mark.parametrize("vector", VECTORS["field_ciphertext"], ids=lambda vector: vector["id"])
def test_the_text_form_is_that_of_the_formats(vector):
    ciphertext = bytes.fromhex(vector["ciphertext"])
    assert ciphertext_to_text(ciphertext) == vector["text"]
    assert ciphertext_from_text(vector["text"]) == ciphertext


@pytest.mark.parametrize(
    "text",
    [
        *(vector["text"] for vector in VECTORS["field_text_refused"]),
        *("", "pdv1.", "pdv1.A", "pdv1.AB", "pdv1.AA==", "pdv2.AA", "PDV1.AA", "pdv1.AA\n", " pdv1.AA", "pdv1.++", "pdv1.ÄA"),
    ],
)
def test_no_other_text_is_a_text_form(text):
    with pytest.raises(ValueError, match="base64url"):
        ciphertext_from_text(text)
