"""What is left of a call: one event that names classes, subjects and forms, and nowhere a value, a subject_id or a ciphertext."""

import io
import itertools
from typing import Any

import structlog
from tests.fields.requests import decrypt, encrypt, key_row, made, reencrypt
from tests.fields.test_refused import erase
from tests.harness import context
from tests.server.canaries import SUBJECT, VALUES, traces
from tests.use_cases.inside import Inside
from tests.use_cases.requests import MASKED, PARTIAL, PER_ITEM, PLAIN, new_email, new_subject

from vault.audit.index import index
from vault.audit.verify_leaves import fault_of_touched
from vault.auditing.uses import uses
from vault.store import tables as t
from vault.v1 import audit_pb2, common_pb2
from vault.v1 import audit_service_pb2 as audit_v1
from vault.v1 import field_service_pb2 as v1

ALLOWED, DENIED = audit_pb2.DECISION_ALLOWED, audit_pb2.DECISION_DENIED
REFUSED = common_pb2.ERROR_REASON_CIPHERTEXT_REFUSED


def event_of(vault: Inside, request: Any, who: str = "all") -> audit_pb2.AuditEvent:
    """The one event that a call leaves, whether it succeeds or not."""
    with vault.events() as events:
        vault.answers([vault.call(request, who)])
    (event,) = events
    assert [fault_of_touched(touched) for touched in event.touched] == [None] * len(event.touched)
    assert not any(touched.token_uids or touched.change or touched.envelope_hashes for touched in event.touched)
    return event


def test_encrypting_names_each_class_and_subject_and_counts_values(open_vault: Inside) -> None:
    subject, other = new_subject(), new_subject()
    uids = [key_row(open_vault, made(open_vault, subject=name)).subject_uid for name in (subject, other)]
    request = encrypt((subject, "email", new_email()), (other, "email", new_email()), (subject, "email", new_email()))
    request.items.append(encrypt((subject, "phone", "+447700900123")).items[0])
    event = event_of(open_vault, request, "app")
    assert (event.action, event.decision, list(event.policy_ids)) == ("Encrypt", ALLOWED, ["tokenizer-encrypts"])
    assert {one.data_class: (one.count, one.subject_uids, one.form) for one in event.touched} == {
        "email": (3, uids[0] + uids[1], 0),
        "phone": (1, uids[0], 0),
    }
    assert {(uid, way.data_class, way.use) for uid, way in uses(event)} == {
        (uids[0], "email", audit_v1.USE_WRITTEN),
        (uids[1], "email", audit_v1.USE_WRITTEN),
        (uids[0], "phone", audit_v1.USE_WRITTEN),
    }


def test_decrypting_tells_forms_apart_and_counts_parts_that_give_too_much_as_plain(open_vault: Inside) -> None:
    ciphertext = made(open_vault, "999999190001010023", "cn_resident_id")
    uid = key_row(open_vault, ciphertext).subject_uid
    request = v1.DecryptRequest(context=context())
    for kind, partial in ((MASKED, ""), (PLAIN, ""), (PARTIAL, "last4"), (PARTIAL, "last4")):
        request.items.add(ciphertext=ciphertext, form=common_pb2.Form(kind=kind, partial_name=partial))
    event = event_of(open_vault, request, "plain")
    counted = {(one.form, one.partial_name): (one.data_class, one.count, one.subject_uids) for one in event.touched}
    about = ("cn_resident_id", 1, uid)
    assert counted == {(MASKED, ""): about, (PLAIN, ""): about, (PARTIAL, "last4"): ("cn_resident_id", 2, uid)}
    every = v1.DecryptRequest(context=context())
    for partial in ("region", "birth_year", "last4"):
        every.items.add(ciphertext=ciphertext, form=common_pb2.Form(kind=PARTIAL, partial_name=partial))
    (touched,) = event_of(open_vault, every, "plain").touched
    assert (touched.form, touched.count) == (PLAIN, 3)


def test_an_event_is_found_by_subject_class_and_request(open_vault: Inside) -> None:
    ciphertext = made(open_vault)
    request = decrypt(ciphertext)
    found = index(event_of(open_vault, request))
    assert (found.facet.action, found.facet.data_classes, found.items) == ("Decrypt", "email", 1)
    assert key_row(open_vault, ciphertext).subject_uid in [uid for _, uid in found.mentions]
    assert bytes.fromhex(request.context.request_id.replace("-", "")) in [uid for _, uid in found.mentions]
    (use,) = uses(event_of(open_vault, request))
    assert use[1].use == audit_v1.USE_REVEALED


def test_re_encrypting_names_class_and_subject_and_is_no_reveal(open_vault: Inside) -> None:
    ciphertext = made(open_vault)
    event = event_of(open_vault, reencrypt(ciphertext), "app")
    (touched,) = event.touched
    uid = key_row(open_vault, ciphertext).subject_uid
    assert (touched.data_class, touched.count, touched.form, touched.subject_uids) == ("email", 1, 0, uid)
    assert [way.use for _, way in uses(event)] == [audit_v1.USE_WRITTEN]


def test_a_refusal_names_whose_key_it_was_and_the_class_only_if_the_ciphertext_is_good(open_vault: Inside) -> None:
    ciphertext, gone = made(open_vault), made(open_vault)
    uid = key_row(open_vault, ciphertext).subject_uid
    erase(open_vault, gone)
    denied = event_of(open_vault, decrypt(ciphertext), "app")
    assert (denied.decision, denied.reason) == (DENIED, common_pb2.ERROR_REASON_POLICY_DENIED)
    assert [(one.data_class, one.subject_uids, one.count, one.form) for one in denied.touched] == [("email", uid, 1, PLAIN)]
    renamed = ciphertext[:20] + b"phone" + ciphertext[25:]
    event = event_of(open_vault, decrypt(renamed, gone, b"nothing", ciphertext, atomicity=PER_ITEM))
    assert event.decision == audit_pb2.DECISION_PARTIAL
    told = [(one.data_class, one.reason, one.subject_uids, one.count) for one in event.touched]
    assert told == [("", REFUSED, uid, 3), ("email", 0, uid, 1)]


def test_words_that_no_class_knows_are_not_repeated_in_the_log(open_vault: Inside) -> None:
    bad = encrypt((new_subject(), "canary_class", new_email()))
    assert [one.data_class for one in event_of(open_vault, bad).touched] == [""]
    (touched,) = event_of(open_vault, decrypt(made(open_vault), kind=PARTIAL, partial="canary")).touched
    assert touched.partial_name == ""


def test_a_thousand_people_fit_into_one_event(open_vault: Inside) -> None:
    people = [(new_subject(), "email", new_email()) for _ in range(1000)]
    (touched,) = event_of(open_vault, encrypt(*people)).touched
    assert (touched.count, len(touched.subject_uids)) == (1000, 16_000)


def test_no_value_subject_id_or_ciphertext_is_in_any_table_message_or_log(open_vault: Inside) -> None:
    said: list[str] = []
    printed = io.StringIO()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(printed), cache_logger_on_first_use=False)

    def refused(request: Any, who: str = "all") -> None:
        (answer,) = open_vault.answers([open_vault.call(request, who)])
        said.append(f"{answer!r} {answer.to_status()}")  # type: ignore[union-attr]

    try:
        items = [(SUBJECT, data_class, content) for data_class, content in VALUES.items()]
        ciphertexts = [r.ciphertext for r in open_vault.ask(encrypt(*items, associated_data=b"canary associated data")).results]
        open_vault.ask(decrypt(*ciphertexts, associated_data=b"canary associated data"))
        open_vault.ask(reencrypt(*ciphertexts, associated_data=b"canary associated data"))
        refused(decrypt(*ciphertexts))
        refused(decrypt(*ciphertexts, associated_data=b"canary associated data"), "app")
        refused(encrypt((SUBJECT, "phone", VALUES["person_name"]), (SUBJECT, "shoe_size", VALUES["email"])))
        refused(decrypt(*(str(content).encode() for content in VALUES.values())))
    finally:
        structlog.reset_defaults()
    rows = (open_vault.rows(table) for table in t.metadata.sorted_tables)
    cells = [cell if isinstance(cell, bytes) else str(cell).encode() for row in itertools.chain(*rows) for cell in row]
    places = {"tables": b"\0".join(cells), "messages": "\n".join(said).encode(), "log": printed.getvalue().encode()}
    needles = (SUBJECT, *VALUES.values(), "canary associated data", *(ciphertext[-40:] for ciphertext in ciphertexts))
    assert len(places["tables"]) > 10_000
    assert {name: traces(content, *needles) for name, content in places.items()} == {name: [] for name in places}
