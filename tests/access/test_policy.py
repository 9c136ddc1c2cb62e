"""The built-in policies allow what the table says, and nothing else; whatever goes wrong denies."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.access import policy_text
from vault.access.policy import ROLES, PolicyEngine, Question, Verdict, refusal
from vault.errors import VaultError
from vault.v1 import common_pb2

PRINCIPAL = bytes(range(16))
POLICIES, SCHEMA = policy_text.built_in_text()
DENIED = common_pb2.ERROR_REASON_POLICY_DENIED
NOT_COLLECTED = common_pb2.ERROR_REASON_PURPOSE_NOT_COLLECTED
RESTRICTED = common_pb2.ERROR_REASON_SUBJECT_RESTRICTED
ERROR = common_pb2.ERROR_REASON_POLICY_ERROR

FORMS = ("MASKED", "PARTIAL", "PLAIN")
AUDIT = (
    *("Query", "SubjectTimeline", "Aggregate", "Tail", "BreachReport", "NameSubjects", "Export"),
    *("GetCheckpoint", "GetInclusionProof", "GetConsistencyProof", "AddCosignature", "ReadHashes", "ReadEntries"),
)
SUBJECTS = ("Register", "GetSubject", "ListSubjects", "Link", "Unlink", "Restrict", "Unrestrict")
PRIVACY = ("PlaceHold", "ReleaseHold", "Erase", "BulkErase", "GetErasureReceipt", "VerifyErasure")
OPERATIONS = ("GetOperation", "ListOperations", "PauseOperation", "ResumeOperation", "CancelOperation")
APPROVALS = ("ListApprovals", "Approve", "Deny")
KEYS = ("Status", "Rotate", "Rekey", "Destroy", "Seal", "Unseal", "SetSchedule", *OPERATIONS, *APPROVALS)
VALUES = ("Tokenize", "Reveal", "Verify", "Search", "Describe", "Update", "Delete", "Encrypt", "Decrypt", "Reencrypt")
ACTIONS = (*VALUES, "ListDataClasses", *AUDIT, *SUBJECTS, *PRIVACY, *KEYS)
ANYBODY = {"Describe", "ListDataClasses"}
READER = ANYBODY | {"Verify", "Search", "Reveal MASKED", "Reveal PARTIAL", "Decrypt MASKED", "Decrypt PARTIAL"}
TABLE = {
    "tokenizer": ANYBODY | {"Tokenize", "Update", "Encrypt", "Reencrypt", "Register"},
    "reader_masked": READER,
    "reader_plain": READER | {"Reveal PLAIN", "Decrypt PLAIN"},
    "admin": ANYBODY | {"Delete", *SUBJECTS},
    "auditor": {"ListDataClasses", "GetErasureReceipt", "VerifyErasure", *AUDIT},
    "privacy_officer": {
        *("ListDataClasses", "GetSubject", "ListSubjects", "Restrict", "Unrestrict", "GetOperation", "ListOperations"),
        *PRIVACY,
    },
    "security_officer": {"ListDataClasses", *KEYS},
}
REVEALS = ("Reveal", "Decrypt")
USES = (*REVEALS, "Verify", "Search")
USES_OR_STORES = (*USES, "Tokenize", "Update", "Encrypt", "Reencrypt")


def alarm(message: str) -> None:
    raise AssertionError(message)


ENGINE = PolicyEngine.built_in(on_error=alarm)
UNCACHED = PolicyEngine(POLICIES, SCHEMA, on_error=lambda _: None, remembered=0)


def question(action: str, form: str = "", **other) -> Question:
    given_ = {"data_class": "phone", "purpose": "payout", "partial_name": "last4" if form == "PARTIAL" else ""}
    return Question(**{"action": action, "form": form, "subject_state": "ACTIVE", "purpose_collected": True} | given_ | other)


def named(action: str, form: str) -> str:
    return f"{action} {form}" if action in REVEALS else action


CASES = [(action, form) for action in ACTIONS for form in (FORMS if action in REVEALS else ("",))]


@pytest.mark.parametrize("role", sorted(TABLE))
@pytest.mark.parametrize(("action", "form"), CASES)
def test_a_role_may_do_what_the_table_says(role, action, form):
    verdict = ENGINE.decide(PRINCIPAL, frozenset({role}), question(action, form))
    if named(action, form) in TABLE[role]:
        assert verdict.allowed
        assert verdict.reason == 0
        assert len(verdict.policy_ids) == 1
    else:
        assert verdict == Verdict(False, DENIED, ())


@pytest.mark.parametrize(("action", "form"), CASES)
def test_without_roles_nothing_is_allowed(action, form):
    assert ENGINE.decide(PRINCIPAL, frozenset(), question(action, form)) == Verdict(False, DENIED, ())


def test_roles_add_up_and_no_more():
    for first, second in product(TABLE, repeat=2):
        for action, form in CASES:
            allowed = named(action, form) in TABLE[first] | TABLE[second]
            assert ENGINE.decide(PRINCIPAL, frozenset({first, second}), question(action, form)).allowed == allowed


def test_the_known_roles_are_those_of_the_table_and_of_the_schema():
    assert set(TABLE) == ROLES
    for role in ROLES:
        assert ENGINE.decide(PRINCIPAL, frozenset({role}), question("ListDataClasses")).allowed


@given(
    roles=st.frozensets(st.sampled_from(sorted(ROLES)) | st.text(max_size=8), max_size=5),
    action=st.sampled_from(ACTIONS) | st.text(max_size=8),
    data_class=st.text(max_size=8),
    purpose=st.text(max_size=8),
    form=st.sampled_from(("", *FORMS)) | st.text(max_size=8),
    partial_name=st.text(max_size=8),
    subject_state=st.sampled_from(("", "ACTIVE", "RESTRICTED")) | st.text(max_size=8),
    purpose_collected=st.booleans(),
)
def test_nothing_outside_the_table_is_allowed(roles, **asked):
    verdict = UNCACHED.decide(PRINCIPAL, roles, Question(**asked))
    action = asked["action"]
    in_table = any(named(action, asked["form"]) in TABLE.get(role, ()) for role in roles)
    collected = asked["purpose_collected"] or action not in USES
    unrestricted = asked["subject_state"] in ("", "ACTIVE") or action not in USES_OR_STORES
    assert verdict.allowed == (in_table and roles <= ROLES and collected and unrestricted)
    assert (verdict.reason == 0) == verdict.allowed


@pytest.mark.parametrize("action", USES)
def test_a_value_is_not_used_for_a_purpose_it_was_not_collected_for(action):
    asked = question(action, "MASKED" if action in REVEALS else "", purpose_collected=False)
    verdict = ENGINE.decide(PRINCIPAL, frozenset({"reader_masked"}), asked)
    assert verdict == Verdict(False, NOT_COLLECTED, ("purpose-limitation",))


@pytest.mark.parametrize("action", USES_OR_STORES)
@pytest.mark.parametrize("state", ["RESTRICTED", "restricted", "ERASED"])
def test_a_subject_that_is_not_active_is_not_used(action, state):
    asked = question(action, "PLAIN" if action in REVEALS else "", subject_state=state)
    verdict = ENGINE.decide(PRINCIPAL, frozenset({"tokenizer", "reader_plain"}), asked)
    assert verdict == Verdict(False, RESTRICTED, ("subject-restricted",))


@pytest.mark.parametrize("action", ["Describe", "Delete", "ListDataClasses"])
def test_a_restricted_subject_can_be_described_and_deleted(action):
    asked = question(action, subject_state="RESTRICTED", purpose_collected=False)
    assert ENGINE.decide(PRINCIPAL, frozenset({"admin"}), asked).allowed


def test_who_is_not_permitted_anyway_learns_nothing_about_purpose_or_state():
    asked = question("Reveal", "PLAIN", purpose_collected=False, subject_state="RESTRICTED")
    verdict = ENGINE.decide(PRINCIPAL, frozenset({"reader_masked"}), asked)
    assert verdict == Verdict(False, DENIED, ())
    message = refusal(verdict, asked).message
    assert "collected" not in message
    assert "restricted" not in message


def test_who_has_no_purpose_is_not_told_of_the_restriction():
    asked = question("Reveal", "MASKED", purpose_collected=False, subject_state="RESTRICTED")
    verdict = ENGINE.decide(PRINCIPAL, frozenset({"reader_masked"}), asked)
    assert verdict.reason == NOT_COLLECTED
    assert verdict.policy_ids == ("purpose-limitation", "subject-restricted")
    assert "restricted" not in refusal(verdict, asked).message


NO_PLAIN_FACES = """
@id("no-plain-faces")
forbid (principal, action == Action::"Reveal", resource == DataClass::"face_template") when { context.form == "PLAIN" };
"""


def test_another_forbid_denies_and_is_named():
    engine = PolicyEngine(POLICIES + NO_PLAIN_FACES, SCHEMA, on_error=alarm)
    asked = question("Reveal", "PLAIN", data_class="face_template")
    verdict = engine.decide(PRINCIPAL, frozenset({"reader_plain"}), asked)
    assert verdict == Verdict(False, DENIED, ("no-plain-faces",))
    assert "no-plain-faces" in refusal(verdict, asked).message
    assert engine.decide(PRINCIPAL, frozenset({"reader_masked"}), asked) == Verdict(False, DENIED, ())


def test_a_policy_about_one_principal_does_not_answer_for_another():
    forbid = f'@id("not-him") forbid (principal == Principal::"{PRINCIPAL.hex()}", action, resource);'
    engine = PolicyEngine(POLICIES + forbid, SCHEMA, on_error=alarm)
    for _ in range(2):
        assert not engine.decide(PRINCIPAL, frozenset({"admin"}), question("Describe")).allowed
        assert engine.decide(bytes(16), frozenset({"admin"}), question("Describe")).allowed


def test_an_unknown_role_denies_even_beside_a_known_one_and_alerts():
    alerts: list[str] = []
    engine = PolicyEngine(POLICIES, SCHEMA, on_error=alerts.append)
    verdict = engine.decide(PRINCIPAL, frozenset({"admin", "root"}), question("Describe"))
    assert verdict == Verdict(False, DENIED, ())
    assert PRINCIPAL.hex() in alerts[0]


@pytest.mark.parametrize("effect", ["permit", "forbid"])
def test_a_policy_that_fails_when_evaluated_denies_and_alerts(effect):
    broken = f'@id("broken") {effect} (principal, action, resource) when {{ 9223372036854775807 + 1 > 0 }};'
    alerts: list[str] = []
    engine = PolicyEngine(POLICIES + broken, SCHEMA, on_error=alerts.append)
    asked = question("Describe")
    verdict = engine.decide(PRINCIPAL, frozenset({"admin"}), asked)
    assert not verdict.allowed
    assert verdict.reason == ERROR
    assert "overflow" in alerts[0]
    assert refusal(verdict, asked).reason_name == "POLICY_ERROR"


def test_an_action_the_schema_does_not_know_denies_and_alerts():
    alerts: list[str] = []
    engine = PolicyEngine(POLICIES, SCHEMA, on_error=alerts.append)
    assert engine.decide(PRINCIPAL, frozenset({"admin"}), question("Frobnicate")) == Verdict(False, ERROR, ())
    assert len(alerts) == 1


@given(
    st.lists(
        st.tuples(
            st.frozensets(st.sampled_from(sorted(ROLES)), max_size=2),
            st.sampled_from(CASES),
            st.booleans(),
            st.sampled_from(["ACTIVE", "RESTRICTED"]),
        ),
        max_size=20,
    )
)
def test_a_small_cache_gives_the_answers_of_no_cache(calls):
    cached = PolicyEngine(POLICIES, SCHEMA, on_error=alarm, remembered=3)
    for roles, (action, form), collected, state in calls:
        asked = question(action, form, purpose_collected=collected, subject_state=state)
        assert cached.decide(PRINCIPAL, roles, asked) == UNCACHED.decide(PRINCIPAL, roles, asked)


def test_a_repeated_question_is_not_evaluated_again():
    alerts: list[str] = []
    engine = PolicyEngine(POLICIES, SCHEMA, on_error=alerts.append)
    verdicts = {engine.decide(PRINCIPAL, frozenset({"root"}), question("Describe")) for _ in range(5)}
    assert len(verdicts) == len(alerts) == 1


def test_refusals_say_what_was_asked_and_what_to_do():
    asked = question("Reveal", "PLAIN", data_class="cn_resident_id")
    error = refusal(Verdict(False, DENIED, ()), asked)
    assert isinstance(error, VaultError)
    assert error.reason == DENIED
    assert error.message == (
        "Reveal of class cn_resident_id in form PLAIN for purpose payout is denied: no policy permits it to this "
        "principal's roles. Ask your tenant's administrator for a role that does."
    )
    assert "Describe lists them" in refusal(Verdict(False, NOT_COLLECTED, ("purpose-limitation",)), asked).message
    assert "restricted" in refusal(Verdict(False, RESTRICTED, ("subject-restricted",)), asked).message


def test_an_allowed_question_has_no_refusal():
    with pytest.raises(ValueError, match="allowed"):
        refusal(Verdict(True, 0, ("admin-deletes",)), question("Describe"))
