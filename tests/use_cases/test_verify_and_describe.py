"""Verify answers about a value without releasing it; Describe never touches one; ListDataClasses says what may be stored."""

from google.protobuf import duration_pb2
from tests.harness import context
from tests.use_cases.inside import Inside
from tests.use_cases.requests import (
    LENIENT,
    PER_ITEM,
    describe,
    new_email,
    new_subject,
    reasons,
    reveal,
    tokenize,
    tokens_of,
    verify,
)

from vault.classes.taxonomy import BUILT_IN
from vault.store import tables as t
from vault.v1 import vault_service_pb2


def test_a_candidate_matches_if_it_is_the_same_value_in_any_spelling(open_vault: Inside) -> None:
    items = (new_subject(), "phone", "+447700900123"), (new_subject(), "email", email := new_email())
    phone, address = tokens_of(open_vault.ask(tokenize(*items)))
    for candidates, expected in (
        (((phone, "+44 7700 900-123"), (address, email.upper())), [True, True]),
        (((phone, "+447700900124"), (address, email)), [False, True]),
        (((phone, "+447700900123"), (address, new_email())), [True, False]),
    ):
        assert [result.matches for result in open_vault.ask(verify(*candidates), "masked").results] == expected


def test_a_call_tries_one_candidate_an_item(open_vault: Inside) -> None:
    (token,) = tokens_of(open_vault.ask(tokenize((new_subject(), "email", email := new_email()))))
    assert open_vault.refused(verify((token, new_email()), (token, email))) == "INVALID_FIELD"
    response = open_vault.ask(verify((token, email), (token, email), atomicity=PER_ITEM))
    assert (reasons(response.results), response.results[0].matches) == (["", "INVALID_FIELD"], True)


def test_a_candidate_that_its_class_does_not_recognise_is_refused_not_different(open_vault: Inside) -> None:
    (token,) = tokens_of(open_vault.ask(tokenize((new_subject(), "email", new_email()))))
    assert open_vault.refused(verify((token, "no address"))) == "INVALID_VALUE"


def test_what_has_no_fingerprint_can_t_be_verified(open_vault: Inside) -> None:
    note, odd, fine = tokens_of(
        open_vault.ask(
            tokenize(
                (new_subject(), "free_text", "note"),
                (new_subject(), "email", "no address"),
                (new_subject(), "email", email := new_email()),
                validation=LENIENT,
            )
        )
    )
    response = open_vault.ask(verify((note, "note"), (odd, new_email()), (fine, email), atomicity=PER_ITEM))
    assert reasons(response.results) == ["NO_FINGERPRINT", "NO_FINGERPRINT", ""]
    assert open_vault.refused(verify((fine, email), (note, "note"))) == "NO_FINGERPRINT"


def test_verify_asks_for_role_purpose_and_a_live_token_and_spends_nothing(open_vault: Inside) -> None:
    item = (new_subject(), "email", email := new_email())
    (token,) = tokens_of(open_vault.ask(tokenize(item, max_reveals=1, ttl=duration_pb2.Duration(seconds=60))))
    for _ in range(2):
        assert open_vault.ask(verify((token, email)), "plain").results[0].matches
    assert open_vault.refused(verify((token, email)), "app") == "POLICY_DENIED"
    assert open_vault.refused(verify((token, email)), "admin") == "POLICY_DENIED"
    assert open_vault.refused(verify((token, email), purpose="marketing")) == "PURPOSE_NOT_COLLECTED"
    open_vault.ask(reveal(token))
    assert open_vault.refused(verify((token, email))) == "TOKEN_USED_UP"
    open_vault.reseal(t.token, {"text": token}, expire_us=1)
    assert open_vault.refused(verify((token, email))) == "TOKEN_EXPIRED"
    assert open_vault.refused(verify((token, email)), "app") == "TOKEN_NOT_FOUND"


def test_everybody_may_describe_live_and_dead_tokens_for_any_purpose(open_vault: Inside) -> None:
    item = (subject := new_subject(), "email", new_email())
    (token,) = tokens_of(open_vault.ask(tokenize(item, max_reveals=1, ttl=duration_pb2.Duration(seconds=60))))
    open_vault.ask(reveal(token))
    open_vault.reseal(t.token, {"text": token}, expire_us=1)
    for who in ("app", "masked", "plain", "admin"):
        (result,) = open_vault.ask(describe(token, purpose="audit"), who).results
        assert (result.description.subject_id, result.description.reveals_used) == (subject, 1)
        assert result.description.expire_time.ToMicroseconds() == 1


def test_an_unknown_token_fails_a_description_of_all_and_only_itself_if_items_stand_alone(open_vault: Inside) -> None:
    (token,) = tokens_of(open_vault.ask(tokenize((new_subject(), "email", new_email()))))
    assert open_vault.refused(describe(token, "nothing")) == "TOKEN_NOT_FOUND"
    response = open_vault.ask(describe("nothing", token, atomicity=PER_ITEM))
    assert reasons(response.results) == ["TOKEN_NOT_FOUND", ""]
    assert response.results[1].description.token == token


def test_every_role_learns_the_whole_taxonomy(open_vault: Inside) -> None:
    request = vault_service_pb2.ListDataClassesRequest(context=context())
    for who in ("app", "masked", "plain", "admin"):
        response = open_vault.ask(request, who)
        assert [listed.name for listed in response.data_classes] == sorted(known.name for known in BUILT_IN)
        assert response.edition == BUILT_IN.edition
