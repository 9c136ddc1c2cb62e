"""Reveal: values out, in the form that is allowed, for the purposes they were collected for, as often as they may."""

from typing import Any

import pytest
from google.protobuf import duration_pb2
from tests.harness import context
from tests.use_cases.inside import Inside
from tests.use_cases.requests import (
    MASKED,
    PARTIAL,
    PER_ITEM,
    PLAIN,
    delete,
    describe,
    new_email,
    new_subject,
    reasons,
    reveal,
    tokenize,
    tokens_of,
    verify,
)

from vault.store import tables as t
from vault.v1 import common_pb2, vault_service_pb2

RESIDENT_ID = "999999190001010023"


def store(vault: Inside, content: str = "", data_class: str = "email", **fields: Any) -> str:
    """The token of one new value."""
    (token,) = tokens_of(vault.ask(tokenize((new_subject(), data_class, content or new_email()), **fields)))
    return token


def expire(vault: Inside, token: str) -> None:
    """Let a token's time be over, by the database's clock."""
    vault.reseal(t.token, {"text": token}, expire_us=1)


def parts(token: str, *names: str) -> vault_service_pb2.RevealRequest:
    """Several partial forms of one token in one call."""
    request = vault_service_pb2.RevealRequest(context=context())
    for name in names:
        request.items.add(token=token, form=common_pb2.Form(kind=PARTIAL, partial_name=name))
    return request


def test_each_role_gets_the_forms_that_it_may_have(open_vault: Inside) -> None:
    token = store(open_vault, RESIDENT_ID, "cn_resident_id")
    forms = {"masked": (MASKED, ""), "last4": (PARTIAL, "last4"), "plain": (PLAIN, "")}
    got = {}
    for who in ("app", "masked", "plain", "admin"):
        for name, (kind, partial) in forms.items():
            (answer,) = open_vault.answers([open_vault.call(reveal(token, kind=kind, partial=partial), who)])
            text = vault_service_pb2.RevealResponse.FromString(answer).results[0].value.text if isinstance(answer, bytes) else None
            got[who, name] = text
    expected = {"masked": "****0023", "last4": "0023", "plain": RESIDENT_ID}
    allowed = {"app": (), "masked": ("masked", "last4"), "plain": ("masked", "last4", "plain"), "admin": ()}
    assert got == {(who, name): expected[name] if name in allowed[who] else None for who in allowed for name in forms}


def test_the_form_is_masked_unless_another_is_asked_for_and_the_answer_says_which(open_vault: Inside) -> None:
    token = store(open_vault, RESIDENT_ID, "cn_resident_id")
    request = vault_service_pb2.RevealRequest(context=context())
    request.items.add(token=token)
    (result,) = open_vault.ask(request).results
    assert (result.value.text, result.form.kind, result.data_class) == ("****0023", MASKED, "cn_resident_id")


def test_parts_that_together_leave_too_few_people_count_as_the_value(open_vault: Inside) -> None:
    token = store(open_vault, RESIDENT_ID, "cn_resident_id")
    for one in ("region", "birth_year", "last4"):
        assert open_vault.ask(parts(token, one), "masked").results[0].value.text in RESIDENT_ID
    pair = open_vault.ask(parts(token, "region", "last4"), "masked")
    assert [result.value.text for result in pair.results] == ["999999", "0023"]
    assert open_vault.refused(parts(token, "region", "birth_year", "last4"), "masked") == "POLICY_DENIED"
    together = open_vault.ask(parts(token, "region", "birth_year", "last4"), "plain")
    assert [result.value.text for result in together.results] == ["999999", "1900", "0023"]


def test_a_part_that_the_class_does_not_have_is_refused_with_the_names_of_those_it_has(open_vault: Inside) -> None:
    token = store(open_vault, RESIDENT_ID, "cn_resident_id")
    assert open_vault.refused(reveal(token, kind=PARTIAL, partial="shoe_size"), "plain") == "UNKNOWN_FORM"


def test_a_value_collected_for_one_purpose_is_not_revealed_for_another(open_vault: Inside) -> None:
    token = store(open_vault, purposes=["payout", "billing"])
    assert open_vault.ask(reveal(token, purpose="billing"))
    assert open_vault.refused(reveal(token, purpose="marketing")) == "PURPOSE_NOT_COLLECTED"
    assert open_vault.refused(reveal(token, purpose="pay")) == "PURPOSE_NOT_COLLECTED"
    assert open_vault.refused(reveal(token, purpose="marketing"), "app") == "POLICY_DENIED"


def test_one_refused_item_releases_nothing_and_spends_nothing_unless_items_stand_alone(open_vault: Inside) -> None:
    email = new_email()
    once, foreign = store(open_vault, email, max_reveals=1), store(open_vault, purposes=["marketing"])
    assert open_vault.refused(reveal(once, foreign)) == "PURPOSE_NOT_COLLECTED"
    response = open_vault.ask(reveal(foreign, once, "eml_0000000000000000000000000AB", atomicity=PER_ITEM))
    assert reasons(response.results) == ["PURPOSE_NOT_COLLECTED", "", "TOKEN_NOT_FOUND"]
    assert [result.value.text for result in response.results] == ["", email, ""]
    assert open_vault.refused(reveal(once)) == "TOKEN_USED_UP"


def test_a_token_expires_by_the_database_s_clock(open_vault: Inside) -> None:
    token = store(open_vault, ttl=duration_pb2.Duration(seconds=3600))
    assert open_vault.ask(reveal(token))
    described = open_vault.ask(describe(token)).results[0].description
    assert described.expire_time.ToMicroseconds() - described.create_time.ToMicroseconds() == 3600 * 1_000_000
    expire(open_vault, token)
    assert open_vault.refused(reveal(token)) == "TOKEN_EXPIRED"


def test_what_became_of_a_dead_token_is_told_only_to_who_may_use_its_class(open_vault: Inside) -> None:
    expired, spent = store(open_vault, ttl=duration_pb2.Duration(seconds=60)), store(open_vault, max_reveals=1)
    expire(open_vault, expired)
    open_vault.ask(reveal(spent))
    assert [open_vault.refused(reveal(token)) for token in (expired, spent)] == ["TOKEN_EXPIRED", "TOKEN_USED_UP"]
    for token in (expired, spent):
        assert open_vault.refused(reveal(token), "app") == "TOKEN_NOT_FOUND"
        assert open_vault.refused(reveal(token), "masked") == "TOKEN_NOT_FOUND"
        assert open_vault.refused(reveal(token, purpose="marketing")) == "TOKEN_NOT_FOUND"
    assert open_vault.refused(reveal(expired, kind=MASKED), "masked") == "TOKEN_EXPIRED"


def test_a_limited_token_is_revealed_as_often_as_it_may_in_any_form_and_no_more(open_vault: Inside) -> None:
    token = store(open_vault, max_reveals=3)
    open_vault.ask(reveal(token))
    open_vault.ask(reveal(token, kind=MASKED))
    assert open_vault.ask(describe(token)).results[0].description.reveals_used == 2
    open_vault.ask(reveal(token, kind=PARTIAL, partial="domain"))
    assert open_vault.refused(reveal(token, kind=MASKED)) == "TOKEN_USED_UP"


def test_one_call_that_names_a_limited_token_twice_spends_two_reveals(open_vault: Inside) -> None:
    token, email = store(open_vault, max_reveals=3), new_email()
    other = store(open_vault, email, max_reveals=1)
    open_vault.ask(reveal(token, token))
    assert open_vault.ask(describe(token)).results[0].description.reveals_used == 2
    response = open_vault.ask(reveal(token, other, token, other, atomicity=PER_ITEM))
    assert reasons(response.results) == ["", "", "TOKEN_USED_UP", "TOKEN_USED_UP"]
    assert response.results[1].value.text == email


def test_naming_a_token_more_often_than_it_may_be_revealed_spends_nothing(open_vault: Inside) -> None:
    token = store(open_vault, max_reveals=2)
    assert open_vault.refused(reveal(token, token, token)) == "TOKEN_USED_UP"
    assert open_vault.ask(describe(token)).results[0].description.reveals_used == 0


def test_a_repeated_reveal_of_a_limited_token_is_told_that_it_was_delivered(open_vault: Inside) -> None:
    limited, free = store(open_vault, max_reveals=5), store(open_vault)
    request = reveal(limited, free, atomicity=PER_ITEM)
    open_vault.ask(request)
    response = open_vault.ask(request)
    assert reasons(response.results) == ["REVEAL_ALREADY_DELIVERED", ""]
    assert open_vault.ask(describe(limited)).results[0].description.reveals_used == 1
    again = reveal(limited)
    again.context.CopyFrom(context())
    assert open_vault.ask(again)


def test_every_delivery_under_a_request_id_is_remembered(open_vault: Inside) -> None:
    first, second = store(open_vault, max_reveals=5), store(open_vault, max_reveals=5, ttl=duration_pb2.Duration(seconds=60))
    expires = open_vault.row(t.token, text=second).expire_us
    expire(open_vault, second)
    request = reveal(first, second, atomicity=PER_ITEM)
    assert reasons(open_vault.ask(request).results) == ["", "TOKEN_EXPIRED"]
    open_vault.reseal(t.token, {"text": second}, expire_us=expires)
    assert reasons(open_vault.ask(request).results) == ["REVEAL_ALREADY_DELIVERED", ""]
    assert reasons(open_vault.ask(request).results) == ["REVEAL_ALREADY_DELIVERED"] * 2


def test_a_request_id_that_delivered_is_not_taken_for_other_tokens(open_vault: Inside) -> None:
    request = reveal(store(open_vault, max_reveals=5))
    open_vault.ask(request)
    other = reveal(store(open_vault))
    other.context.CopyFrom(request.context)
    assert open_vault.refused(other) == "REQUEST_ID_REUSED"


def test_reveals_without_limit_may_be_repeated_under_one_request_id(open_vault: Inside) -> None:
    request = reveal(store(open_vault))
    assert open_vault.ask(request) == open_vault.ask(request)


def test_an_answer_over_four_mebibytes_is_refused_before_any_reveal_is_spent(open_vault: Inside) -> None:
    text = "x" * (1024 * 1024 - 100)
    tokens = [store(open_vault, text, "free_text", max_reveals=1) for _ in range(5)]
    assert open_vault.refused(reveal(*tokens)) == "RESPONSE_TOO_LARGE"
    assert all(open_vault.row(t.token, text=token).reveals_used == 0 for token in tokens)
    assert len(open_vault.ask(reveal(*tokens[:4])).results) == 4


def test_sizes_are_told_to_nobody_who_may_not_have_the_values(open_vault: Inside) -> None:
    large = store(open_vault, "x" * 100_000, "free_text")
    for count in (1, 41, 42):
        assert open_vault.refused(reveal(*[large] * count), "app") == "POLICY_DENIED"
        assert open_vault.refused(reveal(*[large] * count), "masked") == "POLICY_DENIED"
        assert open_vault.refused(reveal(*[large] * count, purpose="marketing")) == "PURPOSE_NOT_COLLECTED"
    assert len(open_vault.ask(reveal(*[large] * 41)).results) == 41
    assert open_vault.refused(reveal(*[large] * 42)) == "RESPONSE_TOO_LARGE"
    assert open_vault.refused(reveal(*[large] * 42, kind=MASKED), "masked") == "RESPONSE_TOO_LARGE"


def test_values_that_are_too_much_for_one_call_do_not_hide_those_that_are_denied_anyway(open_vault: Inside) -> None:
    foreign = [store(open_vault, "x" * 1_000_000, "free_text", purposes=["marketing"]) for _ in range(5)]
    mine = store(open_vault, note := "n" * 20_000, "free_text")
    response = open_vault.ask(reveal(*foreign, mine, atomicity=PER_ITEM))
    assert reasons(response.results) == ["PURPOSE_NOT_COLLECTED"] * 5 + [""]
    assert response.results[5].value.text == note


@pytest.mark.parametrize("state", ["RESTRICTED", "ERASING", "UNHEARD_OF"])
def test_a_subject_that_is_not_active_is_stored_but_not_used(open_vault: Inside, state: str) -> None:
    subject, email = new_subject(), new_email()
    (token,) = tokens_of(open_vault.ask(tokenize((subject, "email", email))))
    where = {"uid": open_vault.row(t.token, text=token).subject_uid}
    open_vault.reseal(t.subject, where, state=state)
    for request in (reveal(token), reveal(token, kind=MASKED), verify((token, email)), tokenize((subject, "email", email))):
        assert open_vault.refused(request) == "SUBJECT_RESTRICTED"
    assert open_vault.ask(describe(token))
    open_vault.ask(delete(token))
    assert open_vault.refused(describe(token)) == "TOKEN_NOT_FOUND"


@pytest.mark.parametrize("text", ["eml_0000000000000000000000000AB", "x", "eml_" + "0" * 27, "字", "pho_' OR 1=1 --"])
def test_whatever_is_no_token_of_the_tenant_is_not_found(open_vault: Inside, text: str) -> None:
    assert open_vault.refused(reveal(text)) == "TOKEN_NOT_FOUND"
