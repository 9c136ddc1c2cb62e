"""Tenants never mix: two of them, driven at random against a model, and what each sees of the other."""

from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, rule, run_state_machine_as_test
from tests.use_cases.inside import Inside
from tests.use_cases.requests import (
    DETERMINISTIC,
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

from vault.errors import VaultError
from vault.store import tables as t

TENANTS = ("acme", "globex")
PURPOSES = ("payout", "billing")


@dataclass
class Known:
    """What the model knows of one token."""

    subject: str
    email: str
    purpose: str
    deterministic: bool
    left: int | None
    revision: int = 1


class Tenants(RuleBasedStateMachine):
    """Both tenants use the same names of subjects and the same values, which are new in each run."""

    stored = Bundle("stored")
    tenants, subjects, values = st.sampled_from(TENANTS), st.integers(0, 1), st.integers(0, 2)
    purposes = st.sampled_from(PURPOSES)

    def __init__(self, vault: Inside) -> None:
        super().__init__()
        self.vault = vault
        self.emails = [new_email() for _ in range(3)]
        self.names = [new_subject() for _ in range(2)]
        self.model: dict[str, dict[str, Known]] = {tenant: {} for tenant in TENANTS}

    def ask(self, request: Any, tenant: str) -> Any:
        """The response, or the name of the refusal's reason."""
        try:
            return self.vault.ask(request, tenant=tenant)
        except VaultError as error:
            return error.reason_name

    @rule(
        target=stored,
        tenant=tenants,
        subject=subjects,
        value=values,
        purpose=purposes,
        deterministic=st.booleans(),
        limit=st.integers(0, 2),
    )
    def store(self, tenant: str, subject: int, value: int, purpose: str, deterministic: bool, limit: int) -> str:
        """A value gets a token of its own, unless a deterministic one stands for it already."""
        name, email, known = self.names[subject], self.emails[value], self.model[tenant]
        fields: dict[str, Any] = {"token_kind": DETERMINISTIC} if deterministic else {"max_reveals": limit}
        (token,) = tokens_of(self.ask(tokenize((name, "email", email), purpose=purpose, **fields), tenant))
        same = [
            k for k, one in known.items() if one.deterministic and (one.subject, one.email, one.purpose) == (name, email, purpose)
        ]
        if deterministic and same:
            assert token == same[0]
        else:
            assert all(token not in tokens for tokens in self.model.values())
            known[token] = Known(name, email, purpose, deterministic, None if deterministic else limit or None)
        return token

    @rule(token=stored, tenant=tenants, purpose=purposes)
    def reveal(self, token: str, tenant: str, purpose: str) -> None:
        """The value comes back to its own tenant, for its purpose, as often as it may."""
        known, answer = self.model[tenant].get(token), self.ask(reveal(token, purpose=purpose), tenant)
        if known is None:
            assert answer == "TOKEN_NOT_FOUND"
        elif known.purpose != purpose:
            assert answer == ("TOKEN_NOT_FOUND" if known.left == 0 else "PURPOSE_NOT_COLLECTED")
        elif known.left == 0:
            assert answer == "TOKEN_USED_UP"
        else:
            assert answer.results[0].value.text == known.email
            known.left = known.left and known.left - 1

    @rule(token=stored, tenant=tenants, value=values)
    def verify(self, token: str, tenant: str, value: int) -> None:
        """A candidate matches if it is the value that the model knows."""
        known = self.model[tenant].get(token)
        answer = self.ask(verify((token, self.emails[value]), purpose=known.purpose if known else "payout"), tenant)
        if known is None:
            assert answer == "TOKEN_NOT_FOUND"
        elif known.left == 0:
            assert answer == "TOKEN_USED_UP"
        else:
            assert answer.results[0].matches == (known.email == self.emails[value])

    @rule(tenant=tenants, value=values, purpose=purposes)
    def search_value(self, tenant: str, value: int, purpose: str) -> None:
        """All of the tenant's items of this value and purpose are found, and no others."""
        email = self.emails[value]
        (result,) = self.ask(search(("email", email, None), purpose=purpose), tenant).results
        expected = {token for token, one in self.model[tenant].items() if (one.email, one.purpose) == (email, purpose)}
        assert {item.token for item in result.items} == expected

    @rule(tenant=tenants, subject=subjects, purpose=purposes)
    def search_subject(self, tenant: str, subject: int, purpose: str) -> None:
        """All of the subject's items of this purpose are found, and no others."""
        name = self.names[subject]
        (result,) = self.ask(search(("", None, name), purpose=purpose), tenant).results
        expected = {token for token, one in self.model[tenant].items() if (one.subject, one.purpose) == (name, purpose)}
        assert {item.token for item in result.items} == expected

    @rule(token=stored, tenant=tenants)
    def describe(self, token: str, tenant: str) -> None:
        """A description says what the model knows."""
        known, answer = self.model[tenant].get(token), self.ask(describe(token), tenant)
        if known is None:
            assert answer == "TOKEN_NOT_FOUND"
        else:
            described = answer.results[0].description
            seen = (described.subject_id, described.revision, list(described.purposes))
            assert seen == (known.subject, known.revision, [known.purpose])

    @rule(token=stored, tenant=tenants, value=values)
    def update(self, token: str, tenant: str, value: int) -> None:
        """The value is replaced; a deterministic item gives way to another that stands for the new value."""
        known, answer = self.model[tenant].get(token), self.ask(update((token, self.emails[value])), tenant)
        if known is None:
            assert answer == "TOKEN_NOT_FOUND"
            return
        known.revision += 1
        assert answer.results[0].revision == known.revision
        known.email = self.emails[value]
        others = (one for one in self.model[tenant].values() if one is not known and one.deterministic)
        place = (known.subject, known.email, known.purpose)
        known.deterministic &= all((one.subject, one.email, one.purpose) != place for one in others)

    @rule(token=stored, tenant=tenants)
    def delete(self, token: str, tenant: str) -> None:
        """The item is gone."""
        answer = self.ask(delete(token), tenant)
        if self.model[tenant].pop(token, None) is None:
            assert answer == "TOKEN_NOT_FOUND"
        else:
            assert len(answer.results) == 1


def test_whatever_two_tenants_do_each_sees_its_own_and_nothing_else(open_vault: Inside) -> None:
    run_state_machine_as_test(
        lambda: Tenants(open_vault),  # type: ignore[arg-type]
        settings=settings(
            max_examples=10,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


def test_equal_values_and_subjects_have_nothing_in_common_across_tenants(open_vault: Inside) -> None:
    request = tokenize((new_subject(), "email", new_email()), token_kind=DETERMINISTIC)
    rows = {}
    for tenant in TENANTS:
        (token,) = tokens_of(open_vault.ask(request, tenant=tenant))
        found = open_vault.row(t.token, text=token)
        item, subject = open_vault.row(t.item, uid=found.item_uid), open_vault.row(t.subject, uid=found.subject_uid)
        rows[tenant] = {token, found.uid, item.uid, item.fingerprint, item.deterministic, subject.uid, subject.lookup}
        rows[tenant] |= {row.digest for row in open_vault.rows(t.idempotency, tenant_uid=found.tenant_uid)}
    assert len(rows["acme"]) >= 8
    assert rows["acme"].isdisjoint(rows["globex"])


def test_unknown_foreign_and_deleted_tokens_cost_the_same_statements_and_get_the_same_answer(open_vault: Inside) -> None:
    (foreign,) = tokens_of(open_vault.ask(tokenize((new_subject(), "email", new_email())), tenant="globex"))
    (gone,) = tokens_of(open_vault.ask(tokenize((new_subject(), "email", new_email()))))
    open_vault.ask(delete(gone))
    (unknown,) = tokens_of(open_vault.ask(tokenize((new_subject(), "email", new_email()))))
    open_vault.remove(t.token, text=unknown)
    for make in (reveal, describe, delete, lambda token: verify((token, new_email())), lambda token: update((token, new_email()))):
        seen = []
        for token in (foreign, gone, unknown):
            with open_vault.statements() as run:
                (answer,) = open_vault.answers([open_vault.call(make(token))])
            seen.append((run, str(answer), getattr(answer, "reason_name", "")))
        assert seen[0] == seen[1] == seen[2]
        assert seen[0][2] == "TOKEN_NOT_FOUND"
