"""Erase: what is refused, what is gone, what the receipt says, and who may."""

import hmac
import secrets
from hashlib import sha256

import pytest
from tests.erasure.working import Working, erase, statement_of
from tests.harness import context
from tests.use_cases.requests import describe, new_email, new_subject, reveal, search, tokenize, tokens_of, update

from vault.kms.key_manager import KmsUnavailableError
from vault.store import tables as t
from vault.store.rows import RETENTION_US, HoldRow
from vault.store.sealing import sealed
from vault.store.sweeper import sweep
from vault.store.writes import insert
from vault.v1 import common_pb2, field_service_pb2
from vault.v1.subject_service_pb2 import (
    GetErasureReceiptRequest,
    LinkRequest,
    PlaceHoldRequest,
    ReleaseHoldRequest,
    RestrictRequest,
    UnlinkRequest,
    VerifyErasureRequest,
)

DAY_US = 24 * 3600 * 1_000_000


def stored(at_work: Working, subject_id: str, tenant: str = "acme") -> list[str]:
    """The tokens of somebody new."""
    request = tokenize(
        (subject_id, "email", new_email()), (subject_id, "email", new_email()), (subject_id, "phone", "+447700900123")
    )
    return tokens_of(at_work.ask(request, "all", tenant))


def hold(at_work: Working, subject_uid: bytes, expire_us: int | None) -> HoldRow:
    """A hold, as the vault itself writes one."""
    tenant_uid = at_work.inside.tenant().uid
    row = HoldRow(tenant_uid, subject_uid, secrets.token_bytes(16), "COURT-7", secrets.token_bytes(16), 1, expire_us)
    row = sealed(at_work.inside.keys().authority, row)
    with at_work.node.engine.begin() as connection:
        insert(connection, t.subject_hold, [row])
    return row


def uid_of(at_work: Working, token: str) -> bytes:
    """Whose a token is."""
    found: bytes = at_work.inside.row(t.token, text=token).subject_uid
    return found


def test_after_it_the_subject_is_unknown_and_each_token_too(at_work: Working) -> None:
    subject_id, other = new_subject(), new_subject()
    tokens, kept = stored(at_work, subject_id), stored(at_work, other)
    uid = uid_of(at_work, tokens[0])
    at_work.erase(subject_id)
    for token in tokens:
        for request in (reveal(token), describe(token), update((token, new_email()))):
            assert at_work.refused(request, "all").reason_name == "TOKEN_NOT_FOUND"
    assert at_work.refused(erase(subject_id)).reason_name == "SUBJECT_NOT_FOUND"
    assert at_work.left(uid) == {}
    assert len(at_work.ask(reveal(*kept), "all").results) == 3


def test_who_comes_back_is_somebody_new(at_work: Working) -> None:
    subject_id = new_subject()
    before = uid_of(at_work, stored(at_work, subject_id)[0])
    at_work.erase(subject_id)
    assert uid_of(at_work, stored(at_work, subject_id)[0]) != before


def test_the_receipt_says_what_went_and_opens_to_the_name(at_work: Working) -> None:
    subject_id = new_subject()
    tokens = stored(at_work, subject_id)
    keys = at_work.inside.rows(t.subject_key, subject_uid=uid_of(at_work, tokens[0]))
    receipt = at_work.ask(erase(subject_id, ground="request", reference="T-12")).receipt
    said = statement_of(receipt)
    assert hmac.digest(receipt.commitment_key, subject_id.encode(), "sha256") == said.subject_commitment
    assert (receipt.subject_id, said.ground, said.reference, said.format) == (subject_id, "request", "T-12", 1)
    assert {each.data_class: each.count for each in said.items} == {"email": 2, "phone": 1}
    assert said.tokens == 3
    assert [(key.key_id, key.wrapped_sha256, key.epoch) for key in said.keys] == [
        (key.key_id, sha256(key.wrapped).digest(), 1) for key in keys
    ]
    assert (said.epoch, said.index_key_version, list(said.kek_versions)) == (1, 1, [1])
    assert (said.horizon_provable, said.kek_imported) == (False, False)
    begin, refused, clean, horizon = (
        getattr(said, f"{name}_time").ToMicroseconds() for name in ("request", "refused", "clean", "horizon")
    )
    assert begin == refused < clean < horizon
    assert 90 * DAY_US < horizon - begin < 91 * DAY_US


def test_only_the_commitment_leads_from_the_name_to_the_erasure(at_work: Working) -> None:
    subject_id = new_subject()
    stored(at_work, subject_id)
    said = statement_of(at_work.erase(subject_id))
    row = at_work.inside.row(t.erasure, uid=said.erasure_uid)
    cells = b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in row)
    assert subject_id.encode() not in cells
    assert hmac.digest(b"", subject_id.encode(), "sha256") not in cells


def test_the_same_request_gets_the_same_receipt(at_work: Working) -> None:
    subject_id = new_subject()
    stored(at_work, subject_id)
    request = erase(subject_id)
    first = at_work.ask(request)
    assert at_work.ask(request) == first
    stored(at_work, subject_id)  # back again: nobody asked to erase the new one
    assert at_work.ask(request) == first
    assert at_work.refused(request, "app").reason_name == "POLICY_DENIED"


def test_the_same_request_id_for_somebody_else_is_refused(at_work: Working) -> None:
    subject_id, other = new_subject(), new_subject()
    tokens = stored(at_work, other)
    stored(at_work, subject_id)
    request = erase(subject_id)
    at_work.ask(request)
    request.subject_id = other
    assert at_work.refused(request).reason_name == "REQUEST_ID_REUSED"
    assert at_work.ask(reveal(tokens[0]), "all")


def test_after_a_day_nothing_leads_from_the_request_to_the_erasure(at_work: Working) -> None:
    subject_id = new_subject()
    stored(at_work, subject_id)
    request = erase(subject_id)
    uid = statement_of(at_work.ask(request).receipt).erasure_uid
    row = at_work.inside.row(t.erasure, uid=uid)
    at_work.inside.reseal(t.erasure, {"uid": uid}, begin_us=row.begin_us - RETENTION_US)
    assert at_work.refused(request).reason_name == "SUBJECT_NOT_FOUND"
    sweep(at_work.node.engine)
    row = at_work.inside.row(t.erasure, uid=uid)
    assert (row.request_id, row.principal_uid, row.opening) == (None, None, None)
    assert at_work.receipt(uid).statement


def test_the_sweeper_leaves_what_is_younger_than_a_day(at_work: Working) -> None:
    subject_id = new_subject()
    stored(at_work, subject_id)
    uid = statement_of(at_work.erase(subject_id)).erasure_uid
    sweep(at_work.node.engine)
    assert at_work.inside.row(t.erasure, uid=uid).opening


def test_a_late_retry_of_what_was_stored_does_not_make_the_person_anew(at_work: Working) -> None:
    subject_id = new_subject()
    request = tokenize((subject_id, "email", new_email()))
    at_work.ask(request, "all")
    at_work.erase(subject_id)
    refusal = at_work.refused(request, "all")
    assert refusal.reason_name == "REQUEST_ID_REUSED"
    assert "eras" not in refusal.message  # nobody is told by it who is gone
    assert at_work.refused(erase(subject_id)).reason_name == "SUBJECT_NOT_FOUND"


def test_a_hold_refuses_and_names_itself(at_work: Working) -> None:
    subject_id = new_subject()
    tokens = stored(at_work, subject_id)
    uid = uid_of(at_work, tokens[0])
    row = hold(at_work, uid, None)
    with at_work.inside.events() as events:
        refusal = at_work.refused(erase(subject_id))
    assert refusal.reason_name == "SUBJECT_HELD"
    assert row.uid.hex() in refusal.message
    assert "COURT-7" in refusal.message
    assert [event.reason for event in events] == [common_pb2.ERROR_REASON_SUBJECT_HELD]
    assert [touched.subject_uids for touched in events[0].touched] == [uid]
    assert at_work.ask(reveal(tokens[0]), "all")
    assert at_work.inside.row(t.subject, uid=uid).state == "ACTIVE"


def test_a_hold_whose_time_is_over_does_not(at_work: Working) -> None:
    subject_id = new_subject()
    uid = uid_of(at_work, stored(at_work, subject_id)[0])
    hold(at_work, uid, 1)
    at_work.erase(subject_id)
    assert at_work.left(uid) == {}


def test_an_edited_hold_is_noticed(at_work: Working) -> None:
    subject_id = new_subject()
    uid = uid_of(at_work, stored(at_work, subject_id)[0])
    hold(at_work, uid, None)
    at_work.inside.edit(t.subject_hold, {"subject_uid": uid}, expire_us=1)
    assert at_work.refused(erase(subject_id)).reason_name == "INTEGRITY"


def test_an_edited_erasure_is_noticed(at_work: Working) -> None:
    subject_id = new_subject()
    stored(at_work, subject_id)
    request = erase(subject_id)
    uid = statement_of(at_work.ask(request).receipt).erasure_uid
    at_work.inside.edit(t.erasure, {"uid": uid}, subject_uid=secrets.token_bytes(16))
    assert at_work.refused(request).reason_name == "INTEGRITY"
    assert at_work.refused(GetErasureReceiptRequest(context=context(), erasure_uid=uid)).reason_name == "INTEGRITY"
    assert at_work.refused(VerifyErasureRequest(context=context(), erasure_uid=uid)).reason_name == "INTEGRITY"


@pytest.mark.parametrize("who", ["app", "masked", "plain", "admin", "auditor"])
def test_only_a_privacy_officer_erases(at_work: Working, who: str) -> None:
    subject_id = new_subject()
    tokens = stored(at_work, subject_id)
    assert at_work.refused(erase(subject_id), who).reason_name == "POLICY_DENIED"
    assert at_work.ask(reveal(tokens[0]), "all")


def test_another_tenant_has_its_own_people_and_erasures(at_work: Working) -> None:
    subject_id = new_subject()
    stored(at_work, subject_id)
    theirs = stored(at_work, subject_id, "globex")
    uid = statement_of(at_work.erase(subject_id)).erasure_uid
    assert at_work.ask(reveal(theirs[0]), "all", "globex")
    for request in (
        GetErasureReceiptRequest(context=context(), erasure_uid=uid),
        VerifyErasureRequest(context=context(), erasure_uid=uid),
    ):
        assert at_work.refused(request, tenant="globex").reason_name == "NOT_FOUND"


def test_the_log_tells_who_asked_and_that_it_is_done(at_work: Working) -> None:
    subject_id = new_subject()
    uid = uid_of(at_work, stored(at_work, subject_id)[0])
    with at_work.inside.events() as events:
        said = statement_of(at_work.erase(subject_id))
    asked, done = (next(event for event in events if event.action == action) for action in ("Erase", "Erased"))
    assert (asked.principal.rpartition("/")[2], done.principal) == ("privacy", "")
    assert asked.details["erasure"] == done.details["erasure"] == said.erasure_uid.hex()
    assert {touched.subject_uids for event in (asked, done) for touched in event.touched} == {uid}
    assert {touched.data_class: touched.count for touched in done.touched if touched.data_class} == {"email": 2, "phone": 1}
    assert done.details["statement_sha256"] == sha256(said.SerializeToString(deterministic=True)).hexdigest()


def test_the_fingerprints_are_gone_too(at_work: Working) -> None:
    subject_id, email = new_subject(), new_email()
    at_work.ask(tokenize((subject_id, "email", email)), "all")
    at_work.erase(subject_id)
    assert not at_work.ask(search(("email", email, None)), "all").results[0].items


def test_what_is_erased_is_verified_against_tables_and_kms(at_work: Working) -> None:
    subject_id = new_subject()
    stored(at_work, subject_id)
    said = statement_of(at_work.erase(subject_id))
    found = at_work.verify(said.erasure_uid)
    assert (found.clean, dict(found.rows_left), found.anchored, found.horizon_reached) == (True, {}, True, False)
    (other,) = tokens_of(at_work.ask(tokenize((new_subject(), "email", new_email())), "all"))
    at_work.inside.edit(t.token, {"text": other}, subject_uid=said.subject_uid)  # as a careless restore of one table would
    found = at_work.verify(said.erasure_uid)
    assert (found.clean, dict(found.rows_left)) == (False, {"token": 1})


def test_ciphertexts_that_callers_keep_can_not_be_opened_any_more(at_work: Working) -> None:
    subject_id = new_subject()
    request = field_service_pb2.EncryptRequest(context=context())
    request.items.add(subject_id=subject_id, data_class="email").value.text = new_email()
    ciphertext = at_work.ask(request, "all").results[0].ciphertext
    decrypt = field_service_pb2.DecryptRequest(context=context())
    decrypt.items.add(ciphertext=ciphertext)
    assert at_work.ask(decrypt, "plain").results
    said = statement_of(at_work.erase(subject_id))
    assert sorted(key.kind for key in said.keys) == ["field", "store"]
    decrypt.context.request_id = context().request_id
    assert at_work.refused(decrypt, "plain").reason_name == "CIPHERTEXT_REFUSED"


def test_any_of_its_names_erases_a_subject_with_all_of_them(at_work: Working) -> None:
    subject_id, alias = new_subject(), new_subject()
    stored(at_work, subject_id)
    at_work.ask(LinkRequest(context=context(), subject_id=subject_id, alias=alias), "admin")
    receipt = at_work.erase(alias)
    assert receipt.subject_id == alias
    for name in (subject_id, alias):
        assert at_work.refused(erase(name)).reason_name == "SUBJECT_NOT_FOUND"
    assert at_work.left(statement_of(receipt).subject_uid) == {}


def test_a_restricted_subject_may_be_erased(at_work: Working) -> None:
    subject_id = new_subject()
    stored(at_work, subject_id)
    at_work.ask(RestrictRequest(context=context(), subject_id=subject_id), "privacy")
    assert at_work.erase(subject_id).subject_id == subject_id


def test_a_hold_that_was_placed_over_the_service_refuses_until_it_is_released(at_work: Working) -> None:
    subject_id = new_subject()
    stored(at_work, subject_id)
    held = at_work.ask(PlaceHoldRequest(context=context(reference="COURT-8"), subject_id=subject_id)).hold
    assert at_work.refused(erase(subject_id)).reason_name == "SUBJECT_HELD"
    at_work.ask(ReleaseHoldRequest(context=context(), subject_id=subject_id, hold_uid=held.hold_uid))
    assert at_work.erase(subject_id).subject_id == subject_id


@pytest.mark.parametrize("late", ["PlaceHold", "Link", "Unlink", "Restrict"])
def test_while_it_is_being_erased_nothing_of_the_subject_is_changed(at_work: Working, late: str) -> None:
    subject_id, alias = new_subject(), new_subject()
    uid = uid_of(at_work, stored(at_work, subject_id)[0])
    at_work.ask(LinkRequest(context=context(), subject_id=subject_id, alias=alias), "admin")
    request = erase(subject_id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(at_work.node.key_manager, "note_destroyed", _away)
        at_work.refused(request)
    requests = {
        "PlaceHold": PlaceHoldRequest(context=context(reference="COURT-9"), subject_id=subject_id),
        "Link": LinkRequest(context=context(), subject_id=subject_id, alias=new_subject()),
        "Unlink": UnlinkRequest(context=context(), alias=alias),
        "Restrict": RestrictRequest(context=context(), subject_id=subject_id),
    }
    who = "privacy" if late in ("PlaceHold", "Restrict") else "admin"
    assert at_work.refused(requests[late], who).reason_name in ("WRONG_STATE", "SUBJECT_RESTRICTED")
    at_work.ask(request)
    assert at_work.left(uid) == {}


def _away(*_: object) -> None:
    raise KmsUnavailableError("the KMS does not answer")
