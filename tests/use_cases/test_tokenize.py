"""Tokenize: values in, tokens out."""

import pytest
from google.protobuf import duration_pb2
from tests.harness import context
from tests.use_cases.inside import Inside
from tests.use_cases.requests import (
    DETERMINISTIC,
    LENIENT,
    MASKED,
    PARTIAL,
    PER_ITEM,
    delete,
    describe,
    new_email,
    new_subject,
    reasons,
    reveal,
    tokenize,
    tokens_of,
    update,
)

from vault.errors import VaultError
from vault.store import tables as t
from vault.v1 import common_pb2


def test_a_value_comes_back_as_it_came_with_its_subject_class_and_purposes(open_vault: Inside) -> None:
    subject, email = new_subject(), new_email().replace("p", "P")
    (token,) = tokens_of(
        open_vault.ask(
            tokenize((subject, "email", email), purposes=["payout", "billing"], provenance=common_pb2.PROVENANCE_PARTNER)
        )
    )
    assert open_vault.ask(reveal(token)).results[0].value.text == email
    description = open_vault.ask(describe(token)).results[0].description
    assert (description.token, description.subject_id, description.data_class) == (token, subject, "email")
    assert (list(description.purposes), description.provenance) == (["billing", "payout"], common_pb2.PROVENANCE_PARTNER)
    assert (description.revision, description.ill_formed, description.max_reveals) == (1, False, 0)
    assert description.create_time == description.update_time
    assert not description.HasField("expire_time")


def test_what_is_not_said_is_the_call_s_purpose_and_the_subject_as_source(open_vault: Inside) -> None:
    (token,) = tokens_of(open_vault.ask(tokenize((new_subject(), "email", new_email()), purpose="delivery")))
    description = open_vault.ask(describe(token)).results[0].description
    assert (list(description.purposes), description.provenance) == (["delivery"], common_pb2.PROVENANCE_SUBJECT)


def test_each_random_token_is_a_new_item_of_the_one_subject(open_vault: Inside) -> None:
    subject, email = new_subject(), new_email()
    first, second = tokens_of(open_vault.ask(tokenize((subject, "email", email), (subject, "email", email))))
    (third,) = tokens_of(open_vault.ask(tokenize((subject, "email", email))))
    rows = [open_vault.row(t.token, text=text) for text in (first, second, third)]
    assert len({row.item_uid for row in rows}) == 3
    assert len({row.subject_uid for row in rows}) == 1


def test_a_deterministic_value_gets_its_token_again_whatever_its_spelling(open_vault: Inside) -> None:
    subject, email = new_subject(), new_email()
    request = tokenize((subject, "email", email), (subject, "email", email.upper()), token_kind=DETERMINISTIC)
    first, same = tokens_of(open_vault.ask(request))
    (again,) = tokens_of(open_vault.ask(tokenize((subject, "email", f" {email} "), token_kind=DETERMINISTIC)))
    assert first == same == again
    assert open_vault.ask(reveal(first)).results[0].value.text == email


def test_another_subject_class_or_set_of_purposes_gets_another_deterministic_token(open_vault: Inside) -> None:
    subject, digits = new_subject(), "4111111111111111"
    asked = [
        tokenize((subject, "payment_card", digits), token_kind=DETERMINISTIC),
        tokenize((new_subject(), "payment_card", digits), token_kind=DETERMINISTIC),
        tokenize((subject, "bank_account", digits), token_kind=DETERMINISTIC),
        tokenize((subject, "payment_card", digits), token_kind=DETERMINISTIC, purposes=["billing"]),
        tokenize((subject, "payment_card", digits), token_kind=DETERMINISTIC, purposes=["billing", "payout"]),
        tokenize((subject, "payment_card", digits), token_kind=DETERMINISTIC, purpose="delivery"),
        tokenize((subject, "payment_card", digits)),
    ]
    assert len({tokens_of(open_vault.ask(request))[0] for request in asked}) == len(asked)
    named = tokenize((subject, "payment_card", digits), token_kind=DETERMINISTIC, purposes=["payout"], purpose="delivery")
    assert tokens_of(open_vault.ask(named)) == tokens_of(open_vault.ask(asked[0]))


def test_the_order_of_purposes_makes_no_other_deterministic_token(open_vault: Inside) -> None:
    subject, email = new_subject(), new_email()
    asked = [tokenize((subject, "email", email), token_kind=DETERMINISTIC, purposes=order) for order in (["a", "b"], ["b", "a"])]
    first, second = (tokens_of(open_vault.ask(request)) for request in asked)
    assert first == second


def test_values_without_a_fingerprint_get_no_deterministic_token(open_vault: Inside) -> None:
    ill_formed = tokenize((new_subject(), "email", "not an address"), token_kind=DETERMINISTIC, validation=LENIENT)
    note = tokenize((new_subject(), "free_text", "a note"), token_kind=DETERMINISTIC)
    assert [open_vault.refused(request) for request in (ill_formed, note)] == ["NO_FINGERPRINT"] * 2


def test_a_deterministic_token_neither_expires_nor_is_limited(open_vault: Inside) -> None:
    item = (new_subject(), "email", new_email())
    limited = tokenize(item, token_kind=DETERMINISTIC, max_reveals=1)
    expiring = tokenize(item, token_kind=DETERMINISTIC, ttl=duration_pb2.Duration(seconds=60))
    assert [open_vault.refused(request) for request in (limited, expiring)] == ["INVALID_FIELD"] * 2


def test_after_its_item_is_deleted_a_deterministic_value_gets_a_new_token(open_vault: Inside) -> None:
    request = tokenize((new_subject(), "email", new_email()), token_kind=DETERMINISTIC)
    (first,) = tokens_of(open_vault.ask(request))
    open_vault.ask(delete(first))
    request.context.CopyFrom(context())
    (second,) = tokens_of(open_vault.ask(request))
    assert first != second


def test_an_ill_formed_value_is_kept_only_if_asked_and_shows_nothing_masked_and_no_parts(open_vault: Inside) -> None:
    strict = tokenize((new_subject(), "cn_resident_id", "999999190001010008"))
    with pytest.raises(VaultError) as refusal:
        open_vault.ask(strict)
    assert refusal.value.reason_name == "INVALID_VALUE"
    assert [violation.field for violation in refusal.value.violations] == ["items[0].value"]
    assert "9999991900010100" not in str(refusal.value.to_status())
    lenient = tokenize((new_subject(), "cn_resident_id", "999999190001010008"), validation=LENIENT)
    (token,) = tokens_of(open_vault.ask(lenient))
    assert open_vault.ask(describe(token)).results[0].description.ill_formed
    assert open_vault.ask(reveal(token)).results[0].value.text == "999999190001010008"
    assert open_vault.ask(reveal(token, kind=MASKED)).results[0].value.text == "****"
    assert open_vault.refused(reveal(token, kind=PARTIAL, partial="last4")) == "UNKNOWN_FORM"


def test_a_well_formed_value_is_not_marked_ill_formed_by_leniency(open_vault: Inside) -> None:
    (token,) = tokens_of(open_vault.ask(tokenize((new_subject(), "email", new_email()), validation=LENIENT)))
    assert not open_vault.ask(describe(token)).results[0].description.ill_formed


def test_one_bad_item_stores_nothing_unless_items_stand_alone(open_vault: Inside) -> None:
    good, bad, odd = (
        (new_subject(), "email", new_email()),
        (new_subject(), "email", "no address"),
        (new_subject(), "shoe_size", "42"),
    )
    before = open_vault.count()
    with pytest.raises(VaultError) as refusal:
        open_vault.ask(tokenize(good, bad, odd))
    assert refusal.value.reason_name == "INVALID_VALUE"
    assert [violation.field for violation in refusal.value.violations] == ["items[1].value", "items[2].data_class"]
    after = open_vault.count()
    assert {name for name in after if after[name] != before[name]} <= {"audit_pending"}
    response = open_vault.ask(tokenize(bad, good, odd, atomicity=PER_ITEM))
    assert reasons(response.results) == ["INVALID_VALUE", "", "UNKNOWN_DATA_CLASS"]
    assert [bool(result.token) for result in response.results] == [False, True, False]
    assert open_vault.ask(reveal(response.results[1].token)).results[0].value.text == good[2]


def test_a_refused_call_lists_at_most_twenty_items(open_vault: Inside) -> None:
    with pytest.raises(VaultError) as refusal:
        open_vault.ask(tokenize(*((new_subject(), "email", "no address") for _ in range(30))))
    assert len(refusal.value.violations) == 20
    assert "30 of 30" in refusal.value.message


def test_free_text_of_a_mebibyte_comes_back_whole(open_vault: Inside) -> None:
    text = "字" * (1024 * 1024 // 3) + "x"
    assert len(text.encode()) == 1024 * 1024
    (token,) = tokens_of(open_vault.ask(tokenize((new_subject(), "free_text", text))))
    assert open_vault.ask(reveal(token)).results[0].value.text == text


def test_a_face_template_comes_back_byte_for_byte_and_may_be_given_no_text(open_vault: Inside) -> None:
    template = bytes(range(128)) * 16
    (token,) = tokens_of(open_vault.ask(tokenize((new_subject(), "face_template", template))))
    assert open_vault.ask(reveal(token)).results[0].value.data == template
    assert open_vault.ask(reveal(token, kind=MASKED)).results[0].value.text == "[face template]"
    assert open_vault.refused(tokenize((new_subject(), "face_template", "text"))) == "INVALID_VALUE"
    assert open_vault.refused(tokenize((new_subject(), "email", b"bytes"))) == "INVALID_VALUE"


def test_a_subject_whose_items_were_updated_keeps_taking_new_ones(open_vault: Inside) -> None:
    subject, email = new_subject(), new_email()
    (first,) = tokens_of(open_vault.ask(tokenize((subject, "email", new_email()))))
    open_vault.ask(update((first, new_email())))
    (second,) = tokens_of(open_vault.ask(tokenize((subject, "email", email))))
    assert open_vault.ask(reveal(second)).results[0].value.text == email
