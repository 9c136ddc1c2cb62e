"""Update replaces a value and keeps its token; Delete removes an item with all its tokens."""

from typing import Any

from google.protobuf import duration_pb2
from tests.use_cases.inside import Inside
from tests.use_cases.requests import (
    DETERMINISTIC,
    LENIENT,
    PER_ITEM,
    delete,
    describe,
    new_email,
    new_subject,
    reasons,
    reveal,
    search,
    tokenize,
    tokens_of,
    update,
    verify,
)

from vault.crypto import binding
from vault.crypto.envelope import seal
from vault.crypto.keys import LABEL_SUBJECT_ID, LABEL_WRAP, Key, wrap
from vault.safe import new_uid
from vault.store import tables as t
from vault.store.rows import SubjectKeyRow
from vault.store.writes import insert
from vault.v1 import vault_service_pb2


def store(vault: Inside, **fields: Any) -> str:
    """The token of one new e-mail address."""
    return tokens_of(vault.ask(tokenize((new_subject(), "email", new_email()), **fields)))[0]


def rekey(vault: Inside, token: str) -> None:
    """Give the subject behind a token a new store key, and leave its items under the old one."""
    row, keys, key, key_id = vault.row(t.token, text=token), vault.keys(), Key.generate(), new_uid()
    subject_id = vault.ask(describe(token)).results[0].description.subject_id
    bound = binding.subject_key(row.tenant_uid, row.subject_uid, "store", 2, key_id, 1)
    wrapped = wrap(keys.epoch(1).derive(LABEL_WRAP), 1, key, bound)
    with vault.engine.begin() as connection:
        insert(connection, t.subject_key, [SubjectKeyRow(row.tenant_uid, row.subject_uid, "store", 2, key_id, 1, wrapped)])
    bound = binding.subject_id(row.tenant_uid, row.subject_uid, 2)
    sealed_id = seal(key.derive(LABEL_SUBJECT_ID), 2, subject_id.encode(), bound)
    vault.reseal(t.subject, {"uid": row.subject_uid}, store_key_version=2, subject_id=sealed_id)


def test_an_update_keeps_the_token_raises_the_revision_and_moves_the_fingerprint(open_vault: Inside) -> None:
    before, after = new_email(), new_email()
    (token,) = tokens_of(open_vault.ask(tokenize((new_subject(), "email", before))))
    old = open_vault.row(t.item, uid=open_vault.row(t.token, text=token).item_uid)
    assert open_vault.ask(update((token, after))).results[0].revision == 2
    new = open_vault.row(t.item, uid=old.uid)
    assert open_vault.ask(reveal(token)).results[0].value.text == after
    assert [open_vault.ask(verify((token, one))).results[0].matches for one in (before, after)] == [False, True]
    assert (new.revision, new.create_us, new.purposes) == (2, old.create_us, old.purposes)
    assert (new.fingerprint, new.envelope) != (old.fingerprint, old.envelope)
    assert new.update_us > old.update_us
    assert open_vault.ask(describe(token)).results[0].description.revision == 2


def test_an_update_marks_its_subject_for_re_keying_once(open_vault: Inside) -> None:
    token = store(open_vault)
    uid = open_vault.row(t.token, text=token).subject_uid
    assert not open_vault.row(t.subject, uid=uid).rekey_due
    open_vault.ask(update((token, new_email())))
    marked = open_vault.row(t.subject, uid=uid)
    assert marked.rekey_due
    open_vault.ask(update((token, new_email())))
    assert open_vault.row(t.subject, uid=uid) == marked


def test_the_expected_revision_must_be_the_one_that_is_there(open_vault: Inside) -> None:
    token, email = store(open_vault), new_email()
    assert open_vault.refused(update((token, email), expected_revision=2)) == "REVISION_MISMATCH"
    assert open_vault.ask(update((token, email), expected_revision=1)).results[0].revision == 2
    assert open_vault.refused(update((token, new_email()), expected_revision=1)) == "REVISION_MISMATCH"
    assert open_vault.ask(reveal(token)).results[0].value.text == email


def test_one_item_is_updated_once_a_call(open_vault: Inside) -> None:
    token, first = store(open_vault), new_email()
    assert open_vault.refused(update((token, first), (token, new_email()))) == "REVISION_MISMATCH"
    response = open_vault.ask(update((token, first), (token, new_email()), atomicity=PER_ITEM))
    assert (response.results[0].revision, reasons(response.results)) == (2, ["", "REVISION_MISMATCH"])
    assert open_vault.ask(reveal(token)).results[0].value.text == first


def test_one_bad_item_updates_nothing_unless_items_stand_alone(open_vault: Inside) -> None:
    first, second = store(open_vault), store(open_vault)
    assert open_vault.refused(update((first, new_email()), (second, "no address"))) == "INVALID_VALUE"
    assert open_vault.ask(describe(first)).results[0].description.revision == 1
    response = open_vault.ask(update((first, new_email()), (second, "no address"), ("nothing", "x"), atomicity=PER_ITEM))
    assert [result.revision for result in response.results] == [2, 0, 0]
    assert reasons(response.results) == ["", "INVALID_VALUE", "TOKEN_NOT_FOUND"]


def test_an_update_asks_for_its_role_and_a_living_token(open_vault: Inside) -> None:
    token = store(open_vault, ttl=duration_pb2.Duration(seconds=60))
    for who in ("masked", "plain", "admin"):
        assert open_vault.refused(update((token, new_email())), who) == "POLICY_DENIED"
    assert open_vault.ask(update((token, new_email())), "app")
    open_vault.reseal(t.token, {"text": token}, expire_us=1)
    assert open_vault.refused(update((token, new_email())), "app") == "TOKEN_EXPIRED"
    assert open_vault.refused(update((token, new_email())), "plain") == "TOKEN_NOT_FOUND"


def test_a_value_may_become_ill_formed_and_well_formed_again(open_vault: Inside) -> None:
    token = store(open_vault)
    open_vault.ask(update((token, "no address"), validation=LENIENT))
    assert open_vault.ask(describe(token)).results[0].description.ill_formed
    assert open_vault.refused(verify((token, new_email()))) == "NO_FINGERPRINT"
    open_vault.ask(update((token, email := new_email())))
    assert not open_vault.ask(describe(token)).results[0].description.ill_formed
    assert open_vault.ask(verify((token, email))).results[0].matches


def test_a_deterministic_token_stands_for_the_new_value_after_an_update(open_vault: Inside) -> None:
    subject, before, after = new_subject(), new_email(), new_email()
    (token,) = tokens_of(open_vault.ask(tokenize((subject, "email", before), token_kind=DETERMINISTIC)))
    open_vault.ask(update((token, after)))
    assert tokens_of(open_vault.ask(tokenize((subject, "email", after), token_kind=DETERMINISTIC))) == [token]
    assert tokens_of(open_vault.ask(tokenize((subject, "email", before), token_kind=DETERMINISTIC))) != [token]


def test_a_deterministic_item_updated_to_another_s_value_leaves_that_value_to_the_other(open_vault: Inside) -> None:
    subject, first, second = new_subject(), new_email(), new_email()
    items = ((subject, "email", first), (subject, "email", second))
    one, other = tokens_of(open_vault.ask(tokenize(*items, token_kind=DETERMINISTIC)))
    assert open_vault.ask(update((one, second))).results[0].revision == 2
    assert tokens_of(open_vault.ask(tokenize((subject, "email", second), token_kind=DETERMINISTIC))) == [other]
    assert open_vault.ask(reveal(one)).results[0].value.text == second


def test_many_deterministic_items_are_updated_in_one_call_even_to_one_value_or_to_each_other_s(open_vault: Inside) -> None:
    subject, same = new_subject(), new_email()
    emails = [new_email() for _ in range(8)]
    tokens = tokens_of(open_vault.ask(tokenize(*((subject, "email", one) for one in emails), token_kind=DETERMINISTIC)))
    wanted = [emails[1], emails[0], same, same, *(new_email() for _ in range(4))]
    response = open_vault.ask(update(*zip(tokens, wanted, strict=True)))
    assert [result.revision for result in response.results] == [2] * 8
    assert [result.value.text for result in open_vault.ask(reveal(*tokens)).results] == wanted
    (again,) = tokens_of(open_vault.ask(tokenize((subject, "email", same), token_kind=DETERMINISTIC)))
    assert again == tokens[2]


def test_two_calls_of_one_group_that_take_one_deterministic_value_both_succeed(open_vault: Inside) -> None:
    subject, same = new_subject(), new_email()
    request = tokenize((subject, "email", new_email()), (subject, "email", new_email()), token_kind=DETERMINISTIC)
    tokens = tokens_of(open_vault.ask(request))
    answers = open_vault.answers([open_vault.call(update((token, same))) for token in tokens])
    assert all(isinstance(answer, bytes) for answer in answers)
    assert [result.value.text for result in open_vault.ask(reveal(*tokens)).results] == [same, same]


def test_items_under_older_store_keys_are_used_and_updates_put_them_under_the_newest(open_vault: Inside) -> None:
    emails = [new_email() for _ in range(6)]
    tokens = [tokens_of(open_vault.ask(tokenize((new_subject(), "email", email))))[0] for email in emails]
    described = open_vault.ask(describe(*tokens))
    for token in tokens:
        rekey(open_vault, token)
    assert open_vault.ask(describe(*tokens)) == described
    assert [result.value.text for result in open_vault.ask(reveal(*tokens)).results] == emails
    queries = (("email", email, None) for email in emails)
    assert [result.items[0].token for result in open_vault.ask(search(*queries)).results] == tokens
    open_vault.ask(update(*((token, f"n{email}") for token, email in zip(tokens, emails, strict=True))))
    assert [result.value.text for result in open_vault.ask(reveal(*tokens)).results] == [f"n{email}" for email in emails]
    rows = [open_vault.row(t.item, uid=open_vault.row(t.token, text=token).item_uid) for token in tokens]
    assert {row.store_key_version for row in rows} == {2}


def test_delete_removes_the_item_and_its_tokens_and_marks_the_subject(open_vault: Inside) -> None:
    subject = new_subject()
    gone, stays = tokens_of(open_vault.ask(tokenize((subject, "email", new_email()), (subject, "email", new_email()))))
    row = open_vault.row(t.token, text=gone)
    second = open_vault.row(t.token, text=stays)._replace(uid=new_uid(), item_uid=row.item_uid, text="eml_second")
    with open_vault.engine.begin() as connection:
        insert(connection, t.token, [second])
    assert list(open_vault.ask(delete(gone)).results) == [vault_service_pb2.DeleteResult()]
    assert open_vault.rows(t.item, uid=row.item_uid) == []
    assert open_vault.rows(t.token, item_uid=row.item_uid) == []
    assert open_vault.row(t.subject, uid=row.subject_uid).rekey_due
    assert open_vault.refused(reveal(gone)) == "TOKEN_NOT_FOUND"
    assert open_vault.ask(reveal(stays))


def test_delete_is_for_administrators_and_also_for_dead_tokens_and_restricted_subjects(open_vault: Inside) -> None:
    token = store(open_vault, ttl=duration_pb2.Duration(seconds=60))
    for who in ("app", "masked", "plain"):
        assert open_vault.refused(delete(token), who) == "POLICY_DENIED"
    open_vault.reseal(t.token, {"text": token}, expire_us=1)
    open_vault.reseal(t.subject, {"uid": open_vault.row(t.token, text=token).subject_uid}, state="RESTRICTED")
    assert open_vault.refused(delete(token), "app") == "TOKEN_NOT_FOUND"
    open_vault.ask(delete(token, purpose="clearing_up"), "admin")
    assert open_vault.refused(describe(token)) == "TOKEN_NOT_FOUND"


def test_one_unknown_token_deletes_nothing_unless_tokens_stand_alone(open_vault: Inside) -> None:
    token = store(open_vault)
    assert open_vault.refused(delete(token, "nothing")) == "TOKEN_NOT_FOUND"
    assert open_vault.ask(describe(token))
    assert reasons(open_vault.ask(delete("nothing", token, atomicity=PER_ITEM)).results) == ["TOKEN_NOT_FOUND", ""]
    assert open_vault.refused(describe(token)) == "TOKEN_NOT_FOUND"


def test_a_token_is_named_once_in_a_delete(open_vault: Inside) -> None:
    token = store(open_vault)
    assert open_vault.refused(delete(token, token)) == "INVALID_FIELD"
