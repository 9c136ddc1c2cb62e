"""Encrypt: a ciphertext for each value, under the field key of the person it is about, and nothing kept of it."""

import pytest
from tests.fields.requests import decrypt, encrypt, key_in_place, key_row, made, plain
from tests.server.canaries import VALUES
from tests.use_cases.inside import Inside
from tests.use_cases.requests import LENIENT, MASKED, PER_ITEM, new_email, new_subject, reasons, tokenize, tokens_of

from vault.crypto.field_ciphertext import read_header, unseal_field
from vault.store import tables as t


@pytest.mark.parametrize("data_class", VALUES)
def test_a_value_of_every_class_comes_back_as_it_was_given(open_vault: Inside, data_class: str) -> None:
    ciphertext = made(open_vault, VALUES[data_class], data_class)
    (result,) = open_vault.ask(decrypt(ciphertext), "plain").results
    content = result.value.data if data_class == "face_template" else result.value.text
    assert (content, result.data_class) == (VALUES[data_class], data_class)
    assert read_header(ciphertext).data_class == data_class


def test_only_a_subject_and_its_keys_are_stored(open_vault: Inside) -> None:
    before = open_vault.count()
    subject = new_subject()
    open_vault.ask(encrypt((subject, "email", new_email()), (subject, "phone", "+447700900123")))
    after = open_vault.count()
    changed = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert changed == {"subject": 1, "subject_key": 2, "audit_pending": 1}


def test_one_person_has_one_field_key_whoever_made_the_person(open_vault: Inside) -> None:
    subject, other = new_subject(), new_subject()
    (token,) = tokens_of(open_vault.ask(tokenize((subject, "email", new_email()))))
    ciphertexts = [made(open_vault, subject=subject) for _ in range(2)]
    ciphertexts += [result.ciphertext for result in open_vault.ask(encrypt(*[(subject, "email", new_email())] * 2)).results]
    (row,) = {key_row(open_vault, ciphertext) for ciphertext in ciphertexts}
    assert (row.subject_uid, row.kind, row.version) == (open_vault.row(t.token, text=token).subject_uid, "field", 1)
    assert key_row(open_vault, made(open_vault, subject=other)).subject_uid != row.subject_uid


def test_the_same_value_gives_another_ciphertext_each_time_and_all_open(open_vault: Inside) -> None:
    subject, email = new_subject(), new_email()
    request = encrypt(*[(subject, "email", email)] * 3)
    ciphertexts = [result.ciphertext for _ in range(2) for result in open_vault.ask(request).results]
    assert len(set(ciphertexts)) == 6
    assert plain(open_vault, *ciphertexts) == [email] * 6


def test_the_ciphertext_is_that_of_the_document(open_vault: Inside) -> None:
    email = new_email()
    ciphertext = made(open_vault, email, purposes=["payout", "billing"], associated_data=b"row 17")
    key = key_in_place(open_vault, key_row(open_vault, ciphertext))
    assert unseal_field(key, ciphertext, b"row 17") == b"\x01" + email.encode()
    assert read_header(ciphertext) == (key.key_id, "email", ("billing", "payout"), True, False)


def test_a_value_that_is_none_of_its_class_is_refused_unless_it_may_be_ill_formed(open_vault: Inside) -> None:
    subject = new_subject()
    assert open_vault.refused(encrypt((subject, "email", "no address"))) == "INVALID_VALUE"
    assert open_vault.refused(encrypt((subject, "shoe_size", "44"))) == "UNKNOWN_DATA_CLASS"
    assert open_vault.refused(encrypt((subject, "email", b"bytes"))) == "INVALID_VALUE"
    ciphertext = made(open_vault, "no address", validation=LENIENT)
    assert read_header(ciphertext).ill_formed
    assert plain(open_vault, ciphertext) == ["no address"]
    assert plain(open_vault, ciphertext, kind=MASKED) == ["****"]
    assert not read_header(made(open_vault, validation=LENIENT)).ill_formed


def test_what_breaks_the_contract_is_refused(open_vault: Inside) -> None:
    good = (new_subject(), "email", new_email())
    assert open_vault.refused(encrypt()) == "INVALID_FIELD"
    assert open_vault.refused(encrypt(*[good] * 1001)) == "INVALID_FIELD"
    assert open_vault.refused(encrypt(good, associated_data=bytes(4097))) == "INVALID_FIELD"
    assert open_vault.refused(encrypt(good, purposes=["a,b"])) == "INVALID_FIELD"
    assert open_vault.refused(encrypt(good, purposes=[f"p{n}" for n in range(17)])) == "INVALID_FIELD"
    assert open_vault.refused(encrypt(("s" * 129, "email", new_email()))) == "INVALID_FIELD"


def test_items_stand_alone_if_asked_and_else_none_is_done(open_vault: Inside) -> None:
    good, bad = (new_subject(), "email", new_email()), (new_subject(), "email", "no address")
    before = open_vault.count()["subject"]
    assert open_vault.refused(encrypt(good, bad)) == "INVALID_VALUE"
    assert open_vault.count()["subject"] == before
    results = open_vault.ask(encrypt(bad, good, atomicity=PER_ITEM)).results
    assert reasons(results) == ["INVALID_VALUE", ""]
    assert plain(open_vault, results[1].ciphertext) == [good[2]]
    assert open_vault.count()["subject"] == before + 1


@pytest.mark.parametrize("who", ["masked", "plain", "admin", "auditor"])
def test_only_who_may_tokenise_may_encrypt_and_a_refusal_makes_nobody(open_vault: Inside, who: str) -> None:
    before = open_vault.count()["subject"]
    assert open_vault.refused(encrypt((new_subject(), "email", new_email())), who) == "POLICY_DENIED"
    assert open_vault.count()["subject"] == before


@pytest.mark.parametrize("state", ["RESTRICTED", "ERASING"])
def test_nothing_is_encrypted_for_a_subject_whose_data_may_not_be_used(open_vault: Inside, state: str) -> None:
    subject = new_subject()
    uid = key_row(open_vault, made(open_vault, subject=subject)).subject_uid
    open_vault.reseal(t.subject, {"uid": uid}, state=state)
    assert open_vault.refused(encrypt((subject, "email", new_email()))) == "SUBJECT_RESTRICTED"


def test_the_longest_values_and_names_fit(open_vault: Inside) -> None:
    text = "x" * (1 << 20)
    purposes = [f"{n:x}".rjust(64, "p") for n in range(16)]
    ciphertext = made(open_vault, text, "free_text", purposes=purposes, associated_data=bytes(4096))
    (result,) = open_vault.ask(decrypt(ciphertext, purpose=purposes[3], associated_data=bytes(4096)), "plain").results
    assert result.value.text == text
    assert len(ciphertext) <= 1_114_112


def test_an_answer_over_four_mib_is_refused_and_makes_nobody(open_vault: Inside) -> None:
    subject = new_subject()
    before = open_vault.count()["subject"]
    request = encrypt(*[(subject, "free_text", "x" * (1 << 20))] * 4)
    assert open_vault.refused(request) == "RESPONSE_TOO_LARGE"
    assert open_vault.count()["subject"] == before


def test_the_error_of_an_item_names_its_place_and_not_its_value(open_vault: Inside) -> None:
    request = encrypt((new_subject(), "email", new_email()), (new_subject(), "phone", "unspeakable"))
    (error,) = open_vault.answers([open_vault.call(request)])
    told = str(error.to_status())  # type: ignore[union-attr]
    assert "items[1].value" in told
    assert "unspeakable" not in told


def test_a_lenient_value_is_marked_and_the_mark_can_not_be_taken_off(open_vault: Inside) -> None:
    ciphertext = made(open_vault, "no address", validation=LENIENT)
    unmarked = ciphertext[:18] + b"\x00" + ciphertext[19:]
    assert not read_header(unmarked).ill_formed
    assert open_vault.refused(decrypt(unmarked)) == "CIPHERTEXT_REFUSED"
