"""Decrypt: values out as out of tokens: in the form that is allowed, for the purposes they were collected for."""

import pytest
from tests.fields.requests import decrypt, encrypt, key_row, made, plain
from tests.harness import context
from tests.use_cases.inside import Inside
from tests.use_cases.requests import MASKED, PARTIAL, PER_ITEM, PLAIN, new_email, new_subject, reasons

from vault.store import tables as t
from vault.v1 import common_pb2
from vault.v1 import field_service_pb2 as v1

RESIDENT_ID, OTHER_RESIDENT_ID = "999999190001010023", "999999190001010031"


def parts(*asked: tuple[bytes, str]) -> v1.DecryptRequest:
    """Partial forms of ciphertexts in one call."""
    request = v1.DecryptRequest(context=context())
    for ciphertext, name in asked:
        request.items.add(ciphertext=ciphertext, form=common_pb2.Form(kind=PARTIAL, partial_name=name))
    return request


def test_each_role_gets_the_forms_that_it_may_have(open_vault: Inside) -> None:
    ciphertext = made(open_vault, RESIDENT_ID, "cn_resident_id")
    forms = {"masked": (MASKED, ""), "last4": (PARTIAL, "last4"), "plain": (PLAIN, "")}
    got = {}
    for who in ("app", "masked", "plain", "admin", "auditor"):
        for name, (kind, partial) in forms.items():
            (answer,) = open_vault.answers([open_vault.call(decrypt(ciphertext, kind=kind, partial=partial), who)])
            text = v1.DecryptResponse.FromString(answer).results[0].value.text if isinstance(answer, bytes) else None
            got[who, name] = text or getattr(answer, "reason_name", "")
    expected = {"masked": "****0023", "last4": "0023", "plain": RESIDENT_ID}
    allowed = {"app": (), "masked": ("masked", "last4"), "plain": ("masked", "last4", "plain"), "admin": (), "auditor": ()}
    assert got == {(who, name): expected[name] if name in allowed[who] else "POLICY_DENIED" for who in allowed for name in forms}


def test_the_form_is_masked_unless_another_is_asked_for_and_the_answer_says_which(open_vault: Inside) -> None:
    request = v1.DecryptRequest(context=context())
    request.items.add(ciphertext=made(open_vault, RESIDENT_ID, "cn_resident_id"))
    (result,) = open_vault.ask(request).results
    assert (result.value.text, result.form.kind, result.data_class) == ("****0023", MASKED, "cn_resident_id")


def test_parts_that_together_leave_too_few_people_count_as_the_value(open_vault: Inside) -> None:
    subject = new_subject()
    first, second = (made(open_vault, RESIDENT_ID, "cn_resident_id", subject=subject) for _ in range(2))
    for one in ("region", "birth_year", "last4"):
        assert open_vault.ask(parts((first, one)), "masked").results[0].value.text in RESIDENT_ID
    assert open_vault.ask(parts((first, "region"), (first, "last4")), "masked")
    every = parts((first, "region"), (first, "birth_year"), (first, "last4"))
    assert open_vault.refused(every, "masked") == "POLICY_DENIED"
    assert [result.value.text for result in open_vault.ask(every, "plain").results] == ["999999", "1900", "0023"]
    spread = parts((first, "region"), (second, "birth_year"), (first, "last4"))
    assert open_vault.refused(spread, "masked") == "POLICY_DENIED", "two ciphertexts may hold one value"
    stranger = made(open_vault, OTHER_RESIDENT_ID, "cn_resident_id")
    assert open_vault.ask(parts((first, "region"), (stranger, "birth_year"), (first, "last4")), "masked")


def test_a_part_that_the_class_does_not_have_is_refused(open_vault: Inside) -> None:
    ciphertext = made(open_vault, RESIDENT_ID, "cn_resident_id")
    assert open_vault.refused(decrypt(ciphertext, kind=PARTIAL, partial="shoe_size"), "plain") == "UNKNOWN_FORM"


def test_a_value_collected_for_one_purpose_is_not_decrypted_for_another(open_vault: Inside) -> None:
    both, implied = made(open_vault, purposes=["payout", "billing"]), made(open_vault, purpose="billing")
    assert plain(open_vault, both, implied, purpose="billing")
    assert plain(open_vault, both)
    assert open_vault.refused(decrypt(implied)) == "PURPOSE_NOT_COLLECTED"
    assert open_vault.refused(decrypt(both, purpose="marketing")) == "PURPOSE_NOT_COLLECTED"
    assert open_vault.refused(decrypt(both, purpose="bill")) == "PURPOSE_NOT_COLLECTED"
    assert open_vault.refused(decrypt(both, purpose="marketing"), "app") == "POLICY_DENIED"


@pytest.mark.parametrize("state", ["RESTRICTED", "ERASING"])
def test_a_subject_whose_data_may_not_be_used_is_told_only_to_who_may_use_the_class(open_vault: Inside, state: str) -> None:
    ciphertext = made(open_vault)
    open_vault.reseal(t.subject, {"uid": key_row(open_vault, ciphertext).subject_uid}, state=state)
    assert open_vault.refused(decrypt(ciphertext), "plain") == "SUBJECT_RESTRICTED"
    assert open_vault.refused(decrypt(ciphertext), "app") == "POLICY_DENIED"
    open_vault.reseal(t.subject, {"uid": key_row(open_vault, ciphertext).subject_uid}, state="ACTIVE")
    assert plain(open_vault, ciphertext)


@pytest.mark.parametrize("bound", [b"", b"customers/email/17"])
def test_a_ciphertext_opens_only_with_the_data_it_was_bound_to(open_vault: Inside, bound: bytes) -> None:
    email = new_email()
    ciphertext, free = made(open_vault, email, associated_data=bound), made(open_vault, email)
    assert plain(open_vault, ciphertext, associated_data=bound) == [email]
    assert open_vault.refused(decrypt(ciphertext)) == "CIPHERTEXT_REFUSED"
    assert open_vault.refused(decrypt(ciphertext, associated_data=b"customers/email/18")) == "CIPHERTEXT_REFUSED"
    assert open_vault.refused(decrypt(free, associated_data=bound)) == "CIPHERTEXT_REFUSED"
    assert plain(open_vault, free) == [email]


def test_one_refused_item_releases_nothing_unless_items_stand_alone(open_vault: Inside) -> None:
    email = new_email()
    good, foreign = made(open_vault, email), made(open_vault, purposes=["marketing"])
    assert open_vault.refused(decrypt(good, foreign)) == "PURPOSE_NOT_COLLECTED"
    results = open_vault.ask(decrypt(foreign, good, b"none", atomicity=PER_ITEM)).results
    assert reasons(results) == ["PURPOSE_NOT_COLLECTED", "", "CIPHERTEXT_REFUSED"]
    assert [result.value.text for result in results] == ["", email, ""]


def test_a_class_that_the_taxonomy_no_longer_has_is_refused(open_vault: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    ciphertext = made(open_vault)
    call = open_vault.call(decrypt(ciphertext))
    monkeypatch.setattr("vault.classes.taxonomy.Taxonomy.get", lambda _taxonomy, _name: None)
    (answer,) = open_vault.answers([call])
    assert answer.reason_name == "UNKNOWN_DATA_CLASS"  # type: ignore[union-attr]


def test_a_repeated_request_is_answered_again(open_vault: Inside) -> None:
    request = decrypt(made(open_vault))
    assert open_vault.ask(request) == open_vault.ask(request)


def test_a_hundred_people_s_values_come_back_in_order(open_vault: Inside) -> None:
    emails = [new_email() for _ in range(100)]
    results = open_vault.ask(encrypt(*((new_subject(), "email", email) for email in emails))).results
    assert plain(open_vault, *(result.ciphertext for result in reversed(results))) == emails[::-1]
