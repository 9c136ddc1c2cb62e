"""What each call leaves in the log: exactly one event, true in every field, and never a value, a token's text or a subject_id."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.audit.verifier import verify_log
from tests.harness import Vault, context
from tests.use_cases.inside import Inside, inside
from tests.use_cases.requests import (
    DETERMINISTIC,
    MASKED,
    PARTIAL,
    PER_ITEM,
    PLAIN,
    delete,
    describe,
    new_email,
    new_subject,
    reveal,
    search,
    tokenize,
    tokens_of,
    update,
    verify,
)

from vault import principals
from vault.audit.chain import MAX_LEAF
from vault.audit.events import SYSTEM_TENANT
from vault.errors import VaultError
from vault.store import tables as t
from vault.v1 import audit_pb2, common_pb2, vault_service_pb2

ALLOWED, DENIED, FAILED = audit_pb2.DECISION_ALLOWED, audit_pb2.DECISION_DENIED, audit_pb2.DECISION_FAILED
NOT_FOUND, NOT_COLLECTED = common_pb2.ERROR_REASON_TOKEN_NOT_FOUND, common_pb2.ERROR_REASON_PURPOSE_NOT_COLLECTED
CREATED, UPDATED, DELETED = audit_pb2.CHANGE_CREATED, audit_pb2.CHANGE_UPDATED, audit_pb2.CHANGE_DELETED


def store(vault: Inside, count: int = 1, **fields: Any) -> list[str]:
    """The tokens of new subjects' addresses."""
    return tokens_of(vault.ask(tokenize(*((new_subject(), "email", new_email()) for _ in range(count)), **fields)))


def event_of(vault: Inside, request: Any, who: str = "all", **options: Any) -> audit_pb2.AuditEvent:
    """The one event that a call leaves, whether it succeeds or not."""
    with vault.events() as events:
        vault.answers([vault.call(request, who, **options)])
    (event,) = events
    return event


def uids(vault: Inside, *tokens: str) -> tuple[bytes, bytes]:
    """The subjects' and the tokens' uids as an event gives them."""
    rows = [vault.row(t.token, text=token) for token in tokens]
    return b"".join(row.subject_uid for row in rows), b"".join(row.uid for row in rows)


def envelope_hash(vault: Inside, token: str) -> bytes:
    """SHA-256 of the envelope that is in the row."""
    item: Any = vault.row(t.item, uid=vault.row(t.token, text=token).item_uid)
    return hashlib.sha256(item.envelope).digest()


def test_an_event_says_who_asked_what_why_and_where(open_vault: Inside) -> None:
    (token,) = store(open_vault)
    request = reveal(token)
    request.context.ground, request.context.reference, request.context.recipient = "contract", "T-4711", "court:berlin"
    event = event_of(open_vault, request, "plain")
    caller = open_vault.caller("plain")
    row = open_vault.row(t.principal, tenant_uid=open_vault.tenant().uid, name=caller.name)
    assert (event.format, event.tenant_uid, event.principal_uid) == (1, open_vault.tenant().uid, row.uid)
    assert (event.principal, event.certificate_sha256, event.node) == (caller.name, caller.certificate_sha256, "test-1")
    assert (event.action, event.decision, event.reason) == ("Reveal", ALLOWED, 0)
    assert (event.purpose, event.ground, event.reference, event.recipient) == ("payout", "contract", "T-4711", "court:berlin")
    assert event.request_id.hex() == request.context.request_id.replace("-", "")
    assert list(event.policy_ids) == ["reader-plain-reveals"]
    assert dict(event.details) == {}
    columns = open_vault.row(t.audit_pending, boot_id=event.boot_id, boot_sequence=event.boot_sequence, tenant_uid=event.tenant_uid)
    assert columns[:4] == (event.tenant_uid, event.boot_id, event.boot_sequence, event.time_us)


def test_tokenize_names_each_new_item_with_the_hash_of_what_was_written(open_vault: Inside) -> None:
    subject = new_subject()
    request = tokenize((subject, "email", new_email()), (subject, "email", new_email()), (subject, "phone", "+447700900123"))
    with open_vault.events() as events:
        tokens = tokens_of(open_vault.ask(request))
    email, phone = events[0].touched
    assert (email.data_class, email.count, email.change, email.reason, email.form) == ("email", 2, CREATED, 0, 0)
    assert (phone.data_class, phone.count, phone.change) == ("phone", 1, CREATED)
    subjects, texts = uids(open_vault, *tokens[:2])
    assert (email.subject_uids, email.token_uids) == (subjects[:16], texts)
    assert (phone.subject_uids, phone.token_uids) == uids(open_vault, tokens[2])
    assert email.envelope_hashes == b"".join(envelope_hash(open_vault, token) for token in tokens[:2])
    assert list(events[0].policy_ids) == ["tokenizer-stores"]


def test_a_deterministic_value_found_again_is_touched_and_not_created(open_vault: Inside) -> None:
    item = (new_subject(), "email", new_email())
    (token,) = tokens_of(open_vault.ask(tokenize(item, token_kind=DETERMINISTIC)))
    (touched,) = event_of(open_vault, tokenize(item, item, token_kind=DETERMINISTIC)).touched
    assert (touched.change, touched.count, touched.envelope_hashes) == (0, 2, b"")
    subject_uid, token_uid = uids(open_vault, token)
    assert (touched.subject_uids, touched.token_uids) == (subject_uid, token_uid * 2)


def test_a_new_deterministic_value_given_twice_is_created_once_and_touched_once(open_vault: Inside) -> None:
    item = (new_subject(), "email", new_email())
    touched = {int(one.change): one for one in event_of(open_vault, tokenize(item, item, token_kind=DETERMINISTIC)).touched}
    assert {change: one.count for change, one in touched.items()} == {CREATED: 1, 0: 1}
    assert touched[0].token_uids == touched[CREATED].token_uids


def test_reveal_tells_forms_apart_and_counts_parts_that_give_too_much_as_plain(open_vault: Inside) -> None:
    (token,) = tokens_of(open_vault.ask(tokenize((new_subject(), "cn_resident_id", "999999190001010058"))))
    request = vault_service_pb2.RevealRequest(context=context())
    for kind, partial in ((MASKED, ""), (MASKED, ""), (PLAIN, ""), (PARTIAL, "last4")):
        request.items.add(token=token).form.CopyFrom(common_pb2.Form(kind=kind, partial_name=partial))
    event = event_of(open_vault, request)
    assert {(one.form, one.partial_name): one.count for one in event.touched} == {
        (MASKED, ""): 2,
        (PLAIN, ""): 1,
        (PARTIAL, "last4"): 1,
    }
    del request.items[:]
    for partial in ("region", "birth_year", "last4"):
        request.items.add(token=token).form.CopyFrom(common_pb2.Form(kind=PARTIAL, partial_name=partial))
    request.context.CopyFrom(context())
    event = event_of(open_vault, request)
    assert [(one.form, one.count) for one in event.touched] == [(PLAIN, 3)]
    assert event_of(open_vault, request, "masked").decision == DENIED


def test_update_and_delete_say_what_they_changed(open_vault: Inside) -> None:
    first, second = store(open_vault, 2)
    (touched,) = event_of(open_vault, update((first, new_email()), (second, new_email()))).touched
    assert (touched.change, touched.count) == (UPDATED, 2)
    assert (touched.subject_uids, touched.token_uids) == uids(open_vault, first, second)
    assert touched.envelope_hashes == envelope_hash(open_vault, first) + envelope_hash(open_vault, second)
    expected = uids(open_vault, first)
    (touched,) = event_of(open_vault, delete(first)).touched
    assert (touched.change, touched.count, touched.envelope_hashes) == (DELETED, 1, b"")
    assert (touched.subject_uids, touched.token_uids) == expected


READERS: dict[str, Callable[[Inside, str], Any]] = {
    "Verify": lambda vault, token: verify((token, new_email())),
    "Describe": lambda vault, token: describe(token),
    "Search": lambda vault, token: search(("", None, vault.ask(describe(token)).results[0].description.subject_id)),
}


@pytest.mark.parametrize("action", READERS)
def test_calls_that_only_look_name_what_they_looked_at(open_vault: Inside, action: str) -> None:
    (token,) = store(open_vault)
    request = READERS[action](open_vault, token)
    event = event_of(open_vault, request)
    touched = event.touched[-1]
    assert (event.action, event.decision) == (action, ALLOWED)
    assert (touched.data_class, touched.count, touched.change, touched.form) == ("email", 1, 0, 0)
    assert (touched.subject_uids, touched.token_uids) == uids(open_vault, token)


def test_a_search_that_finds_nothing_and_the_taxonomy_are_events_that_touch_nobody(open_vault: Inside) -> None:
    request = search(("email", new_email(), None), ("phone", "+447700900199", None), ("email", new_email(), None))
    event = event_of(open_vault, request)
    assert event.decision == ALLOWED
    asked = {one.data_class: (one.queries, one.count, one.subject_uids) for one in event.touched}
    assert asked == {"email": (2, 0, b""), "phone": (1, 0, b"")}
    event = event_of(open_vault, vault_service_pb2.ListDataClassesRequest(context=context()))
    assert (event.decision, list(event.touched)) == (ALLOWED, [])


def test_a_denied_call_names_the_items_that_were_denied_and_the_policy(open_vault: Inside) -> None:
    allowed, foreign = *store(open_vault), *store(open_vault, purposes=["marketing"])
    event = event_of(open_vault, reveal(allowed, foreign), "plain")
    assert (event.decision, event.reason) == (DENIED, NOT_COLLECTED)
    (touched,) = event.touched
    assert (touched.reason, touched.form, touched.count) == (NOT_COLLECTED, PLAIN, 1)
    assert (touched.subject_uids, touched.token_uids) == uids(open_vault, foreign)
    assert "purpose-limitation" in event.policy_ids
    event = event_of(open_vault, reveal(allowed), "app")
    assert (event.decision, event.reason, list(event.policy_ids)) == (DENIED, common_pb2.ERROR_REASON_POLICY_DENIED, [])
    assert [one.reason for one in event.touched] == [common_pb2.ERROR_REASON_POLICY_DENIED]


def test_items_that_fail_alone_stand_beside_those_that_were_released(open_vault: Inside) -> None:
    allowed, foreign = *store(open_vault), *store(open_vault, purposes=["marketing"])
    event = event_of(open_vault, reveal(allowed, foreign, "nothing", "x", atomicity=PER_ITEM))
    assert (event.decision, event.reason) == (audit_pb2.DECISION_PARTIAL, NOT_FOUND)
    told = {one.reason: (one.count, len(one.token_uids) // 16) for one in event.touched}
    assert told == {0: (1, 1), NOT_COLLECTED: (1, 1), NOT_FOUND: (2, 0)}


@pytest.mark.parametrize("atomicity", [0, PER_ITEM])
def test_a_call_of_which_every_item_was_refused_is_no_allowed_one_however_it_was_asked(open_vault: Inside, atomicity: int) -> None:
    foreign = store(open_vault, 2, purposes=["marketing"])
    event = event_of(open_vault, reveal(*foreign, atomicity=atomicity))
    assert (event.decision, event.reason) == (DENIED, NOT_COLLECTED)
    assert [(one.count, one.reason) for one in event.touched] == [(2, NOT_COLLECTED)]
    event = event_of(open_vault, reveal("nothing", "x", atomicity=atomicity))
    assert (event.decision, event.reason) == (FAILED, NOT_FOUND)


def test_verify_counts_the_candidates_that_differed(open_vault: Inside) -> None:
    items = [(new_subject(), "email", new_email()) for _ in range(3)]
    tokens = tokens_of(open_vault.ask(tokenize(*items)))
    request = verify(*zip(tokens, (items[0][2], new_email(), new_email()), strict=True))
    (touched,) = event_of(open_vault, request).touched
    assert (touched.count, touched.mismatched) == (3, 2)


def test_the_log_is_told_why_a_dead_token_was_refused_though_the_caller_is_not(open_vault: Inside) -> None:
    (token,) = store(open_vault, max_reveals=1)
    open_vault.ask(reveal(token))
    assert open_vault.refused(reveal(token), "app") == "TOKEN_NOT_FOUND"
    event = event_of(open_vault, reveal(token), "app")
    assert (event.decision, event.reason) == (DENIED, common_pb2.ERROR_REASON_POLICY_DENIED)


def test_words_that_no_class_knows_are_not_repeated_in_the_log(open_vault: Inside) -> None:
    (token,) = store(open_vault)
    requests = [
        reveal(token, "nothing", kind=PARTIAL, partial="li_na", atomicity=PER_ITEM),
        tokenize((new_subject(), "li_na", "x"), atomicity=PER_ITEM),
        search(("li_na", None, "x"), atomicity=PER_ITEM),
    ]
    for request in requests:
        assert b"li_na" not in event_of(open_vault, request).SerializeToString()
    request = vault_service_pb2.RevealRequest(context=context(), atomicity=PER_ITEM)
    for number in range(1000):
        request.items.add(token=token).form.CopyFrom(common_pb2.Form(kind=PARTIAL, partial_name=f"form_{number:027d}"))
    assert event_of(open_vault, request).reason == common_pb2.ERROR_REASON_UNKNOWN_FORM


FAILURES: dict[str, Callable[[Inside], Any]] = {
    "Tokenize": lambda vault: tokenize((new_subject(), "email", new_email()), (new_subject(), "email", "no address")),
    "Update": lambda vault: update((store(vault)[0], new_email()), ("nothing", "x")),
    "Delete": lambda vault: delete(store(vault)[0], "nothing"),
    "Reveal": lambda vault: reveal(store(vault)[0], "nothing"),
    "Verify": lambda vault: verify((store(vault)[0], new_email()), ("nothing", "x")),
    "Describe": lambda vault: describe(store(vault)[0], "nothing"),
    "Search": lambda vault: search(("email", new_email(), None), ("email", "no address", None)),
}


@pytest.mark.parametrize("action", FAILURES)
def test_a_call_that_failed_as_a_whole_claims_nothing_but_the_items_that_failed_it(open_vault: Inside, action: str) -> None:
    request = FAILURES[action](open_vault)
    before = open_vault.count()
    event = event_of(open_vault, request)
    assert (event.action, event.decision) == (action, FAILED)
    assert event.reason in (common_pb2.ERROR_REASON_INVALID_VALUE, NOT_FOUND)
    assert [(one.count, one.change, one.reason, one.token_uids) for one in event.touched] == [(1, 0, event.reason, b"")]
    after = open_vault.count()
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {"audit_pending": 1}


def test_who_was_not_admitted_is_named_as_far_as_is_known(open_vault: Inside) -> None:
    stranger = replace(open_vault.caller(), name="spiffe://pdvault/acme/nobody")
    event = event_of(open_vault, describe("nothing"), caller=stranger)
    assert (event.decision, event.reason) == (DENIED, common_pb2.ERROR_REASON_PRINCIPAL_UNKNOWN)
    assert (event.principal, event.principal_uid) == (stranger.name, b"")
    assert event.certificate_sha256 == stranger.certificate_sha256


def test_what_a_caller_wrote_where_it_does_not_belong_is_not_repeated(open_vault: Inside) -> None:
    for field, content in (
        ("reference", "999999190001010066"),
        ("recipient", "somebody@example.org"),
        ("purpose", "Li Na, +447700900123"),
        ("ground", "999999190001010066"),
        ("reference", "x" * 65),
    ):
        request = describe("nothing")
        setattr(request.context, field, content)
        event = event_of(open_vault, request)
        assert event.decision == FAILED
        assert content.encode() not in event.SerializeToString()
        assert event.request_id.hex() == request.context.request_id.replace("-", "")
    request = describe("nothing")
    request.context.request_id = "li.na@example.org"
    assert event_of(open_vault, request).request_id == b""


def test_a_retry_is_an_event_of_its_own_that_changes_nothing(open_vault: Inside) -> None:
    request = tokenize((new_subject(), "email", new_email()))
    first, second = (event_of(open_vault, request) for _ in range(2))
    assert [one.change for one in first.touched] == [CREATED]
    assert [one.change for one in second.touched] == [0]
    assert first.touched[0].token_uids == second.touched[0].token_uids
    assert first.request_id == second.request_id


def test_a_node_that_is_closed_ends_its_boot_and_the_next_one_begins_another(sqlite_vault: Vault) -> None:
    for _ in range(2):
        with inside(sqlite_vault) as opened:
            store(opened)
    with inside(sqlite_vault) as opened:
        leaves = [audit_pb2.AuditEvent.FromString(row.leaf) for row in opened.leaves()]
        uid = opened.tenant().uid
        key = opened.node.key_manager.log_public_key(uid)
        assert verify_log([row.leaf for row in opened.leaves()], uid, key) == []
    boots = {boot_id: [one.action for one in leaves if one.boot_id == boot_id] for boot_id in {one.boot_id for one in leaves}}
    assert len(boots) == 3
    assert {(actions[0], actions[-1]) for actions in boots.values()} == {("BootStarted", "BootEnded")}


def test_acts_of_administration_are_in_the_tenant_s_log(open_vault: Inside) -> None:
    uid, name = open_vault.tenant().uid, "spiffe://pdvault/acme/newcomer"
    with open_vault.events() as events:
        open_vault.node.act(principals.add(uid, name, "service", ["tokenizer"]))
        open_vault.node.act(principals.suspend(uid, name))
        with pytest.raises(VaultError):
            open_vault.node.act(principals.add(uid, name, "service", ["admin"]))
    told = sorted((event.action, event.decision, dict(event.details)["principal"]) for event in events)
    assert told == [("PrincipalAdded", ALLOWED, name), ("PrincipalAdded", FAILED, name), ("PrincipalSuspended", ALLOWED, name)]
    assert {event.principal.partition(":")[0] for event in events} == {"local"}
    assert {event.certificate_sha256 for event in events} == {b""}


def test_a_new_tenant_is_in_its_own_log_and_in_the_system_s(open_vault: Inside) -> None:
    created = {}
    for uid in (open_vault.tenant().uid, SYSTEM_TENANT):
        rows = open_vault.rows(t.audit_pending, tenant_uid=uid)
        events = [audit_pb2.AuditEvent.FromString(row.leaf) for row in rows]
        created[uid] = {event.details["tenant"] for event in events if event.action == "TenantCreated"}
    assert created == {open_vault.tenant().uid: {"acme"}, SYSTEM_TENANT: {"system", "acme", "globex"}}


def test_events_of_a_thousand_people_with_the_longest_words_fit_a_leaf(open_vault: Inside) -> None:
    longest = f"spiffe://pdvault/acme/{'x' * 233}"
    assert len(longest) == 255
    open_vault.node.act(principals.add(open_vault.tenant().uid, longest, "service", ["tokenizer"]))
    caller = replace(open_vault.caller(), name=longest)
    classes = (("email", "{}@example.org"), ("person_name", "Name {}"), ("free_text", "{}"), ("bank_account", "1{:07d}"))
    items = [(new_subject(), classes[i % 4][0], classes[i % 4][1].format(i)) for i in range(1000)]

    def with_longest_words(request: Any) -> Any:
        words = {"purpose": "p", "ground": "g", "reference": "r", "recipient": "c"}
        for field, letter in words.items():
            setattr(request.context, field, letter * 64)
        return request

    with open_vault.events() as stored:
        tokens = tokens_of(open_vault.ask(with_longest_words(tokenize(*items)), caller=caller))
    pairs = ((token, content) for token, (_, _, content) in zip(tokens, items, strict=True))
    with open_vault.events() as updated:
        open_vault.ask(with_longest_words(update(*pairs)), caller=caller)
    for event in (*stored, *updated):
        longest_node = 63 - len(event.node)
        assert 64_000 < len(event.SerializeToString()) + longest_node <= MAX_LEAF


def test_an_older_row_put_back_whole_differs_from_what_the_log_says_was_written(open_vault: Inside) -> None:
    (token,) = store(open_vault)
    where = {"uid": open_vault.row(t.token, text=token).item_uid}
    old = open_vault.row(t.item, **where)
    event = event_of(open_vault, update((token, new_email())))
    assert event.touched[0].envelope_hashes == envelope_hash(open_vault, token)
    open_vault.edit(t.item, where, **old._asdict())
    assert open_vault.ask(reveal(token)), "the row's own MAC is good: only the log knows better"
    assert event.touched[0].envelope_hashes != envelope_hash(open_vault, token)


@pytest.mark.parametrize("tenant", ["acme", "globex", "system"])
def test_all_that_these_tests_left_in_the_log_is_whole(open_vault: Inside, tenant: str) -> None:
    uid = SYSTEM_TENANT if tenant == "system" else open_vault.tenant(tenant).uid
    rows = open_vault.rows(t.audit_pending, tenant_uid=uid)
    assert verify_log([row.leaf for row in rows], uid, open_vault.node.key_manager.log_public_key(uid)) == []
    for row in rows:
        event = audit_pb2.AuditEvent.FromString(row.leaf)
        assert row[:4] == (event.tenant_uid, event.boot_id, event.boot_sequence, event.time_us)
        assert event.SerializeToString(deterministic=True) == row.leaf
