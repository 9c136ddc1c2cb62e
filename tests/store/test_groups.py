"""A group of calls is one transaction: the same answers as one by one, as few statements, and nobody's fault but his own."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from google.protobuf.message import Message
from tests.harness import context
from tests.use_cases.inside import Inside
from tests.use_cases.requests import (
    DETERMINISTIC,
    MASKED,
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

from vault.admission import Admitted
from vault.call import Call, UseCase
from vault.errors import VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.store import tables as t
from vault.store.reads import Reads
from vault.store.rows import PrincipalRow, Row, TokenRow
from vault.v1 import audit_pb2, common_pb2, vault_service_pb2

SECRET = "a value that must not be told"


def with_use_case(vault: Inside, use_case: UseCase, **options: Any) -> Call:
    """A call whose use case is replaced: the only way to inject a fault that no request brings about."""
    call = vault.call(describe("eml_0000000000000000000000000AB"), **options)
    call.use_case = use_case
    return call


@dataclass
class Faulty:
    """A use case that raises, or writes rows that it must not."""

    in_reads: Exception | None = None
    in_decide: Exception | None = None
    inserts: list[Row] = field(default_factory=list)
    replaces: list[tuple[Any, Any]] = field(default_factory=list)

    def reads(self, _keys: TenantKeys) -> Reads:
        """Nothing, or the fault."""
        if self.in_reads:
            raise self.in_reads
        return Reads()

    def decide(self, admitted: Admitted) -> Message:
        """An empty answer, or the fault."""
        if self.in_decide:
            raise self.in_decide
        admitted.writes.inserted += self.inserts
        admitted.writes.replaced += self.replaces
        return vault_service_pb2.DescribeResponse()


def store(vault: Inside, count: int = 1, **fields: Any) -> list[str]:
    """The tokens of new subjects' addresses."""
    return tokens_of(vault.ask(tokenize(*((new_subject(), "email", new_email()) for _ in range(count)), **fields)))


def told(answer: Any) -> Any:
    """An answer, or the reason of its refusal, without the request's id."""
    return answer.reason_name if isinstance(answer, VaultError) else answer


def test_two_hundred_calls_together_get_the_answers_that_they_get_one_by_one(open_vault: Inside) -> None:
    tokens, subject = store(open_vault, 20), new_subject()
    (gone,) = store(open_vault)
    open_vault.ask(delete(gone))
    email = new_email()
    open_vault.ask(tokenize((subject, "email", email)))
    makers: list[Callable[[int], tuple[Message, str]]] = [
        lambda i: (reveal(tokens[i % 20]), "plain"),
        lambda i: (reveal(tokens[i % 20], tokens[-i % 20], kind=MASKED), "masked"),
        lambda i: (reveal(tokens[i % 20]), "masked"),
        lambda i: (reveal(tokens[i % 20], purpose="marketing"), "plain"),
        lambda i: (describe(*tokens[: i % 5 + 1]), "app"),
        lambda i: (describe(gone), "app"),
        lambda i: (verify((tokens[i % 20], email)), "plain"),
        lambda i: (search(("email", email, None)), "masked"),
        lambda i: (search(("", None, subject), page_size=i % 3 + 1), "masked"),
        lambda i: (update((tokens[i % 20], "no address")), "app"),
    ]
    asked = [makers[i % len(makers)](i) for i in range(40)]
    alone = [told(open_vault.answers([open_vault.call(*one)])[0]) for one in asked]
    together = [told(answer) for answer in open_vault.answers([open_vault.call(*one) for one in asked * 5])]
    assert together == alone * 5
    assert {"POLICY_DENIED", "PURPOSE_NOT_COLLECTED", "TOKEN_NOT_FOUND", "INVALID_VALUE"} <= {
        *filter(lambda a: type(a) is str, alone)
    }


def test_two_hundred_calls_that_write_together_each_get_what_is_theirs(open_vault: Inside) -> None:
    subject, emails = new_subject(), [new_email() for _ in range(200)]
    calls = [open_vault.call(tokenize((subject if i % 2 else new_subject(), "email", email))) for i, email in enumerate(emails)]
    open_vault.ask(tokenize((subject, "email", new_email())))
    answers = [vault_service_pb2.TokenizeResponse.FromString(bytes(answer)) for answer in open_vault.answers(calls)]  # type: ignore[arg-type]
    tokens = [token for answer in answers for token in tokens_of(answer)]
    assert [result.value.text for result in open_vault.ask(reveal(*tokens)).results] == emails


def test_calls_of_one_group_that_name_one_new_subject_share_it(open_vault: Inside) -> None:
    subject, email = new_subject(), new_email()
    calls = [open_vault.call(tokenize((subject, "email", email), token_kind=DETERMINISTIC)) for _ in range(10)]
    answers = [vault_service_pb2.TokenizeResponse.FromString(bytes(answer)) for answer in open_vault.answers(calls)]  # type: ignore[arg-type]
    assert len({tokens_of(answer)[0] for answer in answers}) == 1
    (result,) = open_vault.ask(search(("", None, subject))).results
    assert len(result.items) == 1


KINDS: dict[str, Callable[[str, str], Message]] = {
    "Tokenize": lambda token, subject: tokenize((new_subject(), "email", new_email())),
    "Tokenize deterministic": lambda token, subject: tokenize((subject, "email", new_email()), token_kind=DETERMINISTIC),
    "Reveal": lambda token, subject: reveal(token),
    "Reveal limited": lambda token, subject: reveal(token),
    "Verify": lambda token, subject: verify((token, new_email())),
    "Search by value": lambda token, subject: search(("email", new_email(), None)),
    "Search by subject": lambda token, subject: search(("", None, subject)),
    "Describe": lambda token, subject: describe(token),
    "Update": lambda token, subject: update((token, new_email())),
    "Update deterministic": lambda token, subject: update((token, new_email())),
    "Delete": lambda token, subject: delete(token),
    "ListDataClasses": lambda token, subject: vault_service_pb2.ListDataClassesRequest(context=context()),
}
FIELDS: dict[str, dict[str, Any]] = {"Reveal limited": {"max_reveals": 1}, "Update deterministic": {"token_kind": DETERMINISTIC}}
CHANGING = ("Reveal limited", "Update", "Update deterministic", "Delete")


@pytest.fixture(scope="module")
def people(open_vault: Inside) -> list[tuple[str, str]]:
    """Tokens of 201 subjects, with the subjects' names, for tests that only read."""
    return people_with(open_vault)


def people_with(vault: Inside, count: int = 201, **fields: Any) -> list[tuple[str, str]]:
    """New subjects with one address each: (token, subject_id)."""
    subjects = [new_subject() for _ in range(count)]
    request = tokenize(*((subject, "email", new_email()) for subject in subjects), **fields)
    return list(zip(tokens_of(vault.ask(request)), subjects, strict=True))


def statements_of(vault: Inside, calls: list[Call], reason: str = "") -> list[list[str]]:
    """The statements of the first call run alone and of all others run together; each is answered, or refused for the reason."""
    told_statements = []
    for group in (calls[:1], calls[1:]):
        with vault.statements() as run:
            answers = vault.node.runner.run(group)
        assert {answer.reason_name if isinstance(answer, VaultError) else "" for answer in answers} == {reason}
        told_statements.append(run)
    return told_statements


@pytest.mark.parametrize("kind", KINDS)
def test_a_group_of_two_hundred_is_one_commit_and_as_many_statements_as_one_call(
    open_vault: Inside, people: list[tuple[str, str]], kind: str
) -> None:
    if kind in CHANGING:
        people = people_with(open_vault, **FIELDS.get(kind, {}))
    one, many = statements_of(open_vault, [open_vault.call(KINDS[kind](*person)) for person in people])
    assert [one.count("COMMIT"), many.count("COMMIT")] == [1, 1]
    assert [statement[:20] for statement in one] == [statement[:20] for statement in many]
    assert len(many) <= 17


@pytest.mark.parametrize("kind", ["Tokenize", "Tokenize deterministic", "Reveal limited", "Update", "Delete"])
def test_a_group_of_retries_is_one_commit_and_as_many_statements_as_one_retry(open_vault: Inside, kind: str) -> None:
    people = people_with(open_vault, 51, **FIELDS.get(kind, {}))
    calls = [open_vault.call(KINDS[kind](*person)) for person in people]
    assert all(isinstance(answer, bytes) for answer in open_vault.answers(calls))
    one, many = statements_of(open_vault, calls, "REVEAL_ALREADY_DELIVERED" if kind == "Reveal limited" else "")
    assert [one.count("COMMIT"), many.count("COMMIT")] == [1, 1]
    assert [statement[:20] for statement in one] == [statement[:20] for statement in many]


def test_calls_of_two_tenants_share_one_transaction_and_each_log_gets_its_own_events(open_vault: Inside) -> None:
    calls = [
        open_vault.call(tokenize((new_subject(), "email", new_email())), tenant=tenant)
        for tenant in ("acme", "globex", "acme", "globex")
    ]
    open_vault.keys("acme"), open_vault.keys("globex")
    with open_vault.events("acme") as acme, open_vault.events("globex") as globex, open_vault.statements() as run:
        answers = open_vault.node.runner.run(calls)
    assert run.count("COMMIT") == 1
    assert all(isinstance(answer, bytes) for answer in answers)
    assert [len(acme), len(globex)] == [2, 2]


@pytest.mark.parametrize("where", ["in_reads", "in_decide"])
def test_an_unforeseen_error_of_one_call_is_a_fixed_text_and_an_event_and_touches_no_other(open_vault: Inside, where: str) -> None:
    (token,) = store(open_vault)
    good = [open_vault.call(tokenize((new_subject(), "email", new_email()))), open_vault.call(reveal(token))]
    fault: dict[str, Any] = {where: RuntimeError(SECRET)}
    poison = with_use_case(open_vault, Faulty(**fault))
    with open_vault.events() as events:
        answers = open_vault.answers([good[0], poison, good[1]])
    assert [told(answer) if isinstance(answer, VaultError) else "" for answer in answers] == ["", "INTERNAL", ""]
    assert str(answers[1]) == f"an error nobody foresaw; quote request {poison.head.request_id.hex()} to the operator"
    assert sorted((event.action, event.decision, event.reason) for event in events) == [
        ("Describe", audit_pb2.DECISION_FAILED, common_pb2.ERROR_REASON_INTERNAL),
        ("Reveal", audit_pb2.DECISION_ALLOWED, 0),
        ("Tokenize", audit_pb2.DECISION_ALLOWED, 0),
    ]


def test_what_an_unforeseen_error_says_stands_in_no_log(open_vault: Inside, capsys: pytest.CaptureFixture[str]) -> None:
    open_vault.answers([with_use_case(open_vault, Faulty(in_decide=RuntimeError(SECRET)))])
    printed = capsys.readouterr()
    assert "RuntimeError" in printed.out
    assert SECRET not in printed.out + printed.err


def a_token_row(vault: Inside, **values: Any) -> TokenRow:
    """A row that could be written, but for the values given."""
    (token,) = store(vault)
    row: TokenRow = vault.row(t.token, text=token)
    return row._replace(uid=bytes(16), text=f"eml_{new_subject()}", **values)


def test_a_row_that_the_database_refuses_fails_its_own_call_only_with_an_event(open_vault: Inside) -> None:
    too_large = Faulty(inserts=[a_token_row(open_vault, reveals_used=2**80)])
    good = [open_vault.call(tokenize((new_subject(), "email", new_email()))) for _ in range(2)]
    with open_vault.events() as events:
        answers = open_vault.answers([good[0], with_use_case(open_vault, too_large), good[1]])
    assert [told(answer) if isinstance(answer, VaultError) else "" for answer in answers] == ["", "INTERNAL", ""]
    assert sorted(event.reason for event in events) == [0, 0, common_pb2.ERROR_REASON_INTERNAL]


def test_a_row_that_stands_in_the_way_fails_its_own_call_only(open_vault: Inside) -> None:
    taken = Faulty(inserts=[open_vault.row(t.token, text=store(open_vault)[0])])
    good = [open_vault.call(tokenize((new_subject(), "email", new_email()))) for _ in range(2)]
    before = len(open_vault.rows(t.token))
    answers = open_vault.answers([good[0], with_use_case(open_vault, taken), good[1]])
    assert [told(answer) if isinstance(answer, VaultError) else "" for answer in answers] == ["", "CONFLICT", ""]
    assert len(open_vault.rows(t.token)) == before + 2


def test_a_conflict_that_never_ends_is_given_up_and_nothing_of_it_is_written(open_vault: Inside) -> None:
    row: PrincipalRow = open_vault.row(t.principal, name=open_vault.caller("app").name, tenant_uid=open_vault.tenant().uid)
    stale = row._replace(mac=bytes(32))
    call = with_use_case(open_vault, Faulty(replaces=[(stale, row._replace(roles="admin"))]))
    before = open_vault.count()
    with open_vault.statements() as run:
        (answer,) = open_vault.answers([call])
    assert told(answer) == "CONFLICT"
    assert sum("UPDATE principal" in statement for statement in run) == 5
    after = open_vault.count()
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {"audit_pending": 1}


def test_calls_of_one_group_that_spend_one_limited_token_get_as_many_reveals_as_it_has(open_vault: Inside) -> None:
    (token,) = store(open_vault, max_reveals=3)
    answers = open_vault.answers([open_vault.call(reveal(token)) for _ in range(5)])
    assert sorted(told(answer) for answer in answers if isinstance(answer, VaultError)) == ["TOKEN_USED_UP"] * 2
    assert open_vault.row(t.token, text=token).reveals_used == 3


def test_calls_of_one_group_that_update_and_delete_one_item_are_done_one_after_the_other(open_vault: Inside) -> None:
    (token,) = store(open_vault)
    item = open_vault.row(t.token, text=token).item_uid
    calls = [
        open_vault.call(one) for one in (update((token, new_email())), update((token, new_email())), delete(token), delete(token))
    ]
    answers = open_vault.answers(calls)
    assert [told(answer) if isinstance(answer, VaultError) else "" for answer in answers] == ["", "", "", "TOKEN_NOT_FOUND"]
    assert open_vault.rows(t.item, uid=item) == []
    assert open_vault.rows(t.token, item_uid=item) == []


def test_a_call_whose_deadline_has_passed_is_not_begun(open_vault: Inside) -> None:
    late = open_vault.call(tokenize((new_subject(), "email", new_email())), seconds=-1.0)
    good = open_vault.call(tokenize((new_subject(), "email", new_email())))
    before = open_vault.count()
    with open_vault.statements() as run:
        assert told(open_vault.node.runner.run([late])[0]) == "DEADLINE_EXCEEDED"
    assert run == []
    assert open_vault.count() == before
    answers = open_vault.answers([late, good])
    assert [told(answer) if isinstance(answer, VaultError) else "" for answer in answers] == ["DEADLINE_EXCEEDED", ""]
