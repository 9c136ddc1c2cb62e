"""Whoever edits, moves or swaps a row in the database gets nothing released, changed or granted by it."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from tests.use_cases.inside import Inside
from tests.use_cases.requests import (
    DETERMINISTIC,
    LENIENT,
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
from vault.store.writes import insert
from vault.v1 import vault_service_pb2

INTEGRITY = "INTEGRITY"
NOT_FOUND = "TOKEN_NOT_FOUND"


class Stored:
    """One deterministic item of a new subject, and every way to use it."""

    def __init__(self, vault: Inside, tenant: str = "acme") -> None:
        self.vault, self.tenant = vault, tenant
        self.subject, self.email = new_subject(), new_email()
        request = tokenize((self.subject, "email", self.email), token_kind=DETERMINISTIC)
        (self.token,) = tokens_of(vault.ask(request, tenant=tenant))
        row = vault.row(t.token, text=self.token)
        self.where: dict[sa.Table, dict[str, Any]] = {
            t.token: {"tenant_uid": row.tenant_uid, "subject_uid": row.subject_uid, "uid": row.uid},
            t.item: {"tenant_uid": row.tenant_uid, "subject_uid": row.subject_uid, "uid": row.item_uid},
            t.subject: {"tenant_uid": row.tenant_uid, "uid": row.subject_uid},
            t.subject_key: {"tenant_uid": row.tenant_uid, "subject_uid": row.subject_uid},
            t.tenant: {"uid": row.tenant_uid},
            t.principal: {"tenant_uid": row.tenant_uid, "name": vault.caller(tenant=tenant).name},
            t.tenant_ca: {"sha256": vault.caller(tenant=tenant).ca_sha256},
        }

    def row(self, table: sa.Table) -> Any:
        """Its row of a table."""
        return self.vault.row(table, **self.where[table])

    def uses(self) -> dict[str, Any]:
        """A request of each kind that rests on it."""
        return {
            "Reveal": reveal(self.token),
            "Verify": verify((self.token, self.email)),
            "Describe": describe(self.token),
            "Search by value": search(("email", self.email, None)),
            "Search by subject": search(("", None, self.subject)),
            "Update": update((self.token, new_email())),
            "Tokenize": tokenize((self.subject, "email", self.email), token_kind=DETERMINISTIC),
            "Delete": delete(self.token),
        }

    def refusals(self, *names: str) -> dict[str, str]:
        """What each use, or only those named, is refused for, run as one group.

        "RELEASED" if it is not refused, "" for a search that finds nothing, "NEW" for a token that is not the old one.
        """
        uses = {name: request for name, request in self.uses().items() if not names or name in names}
        answers = self.vault.answers([self.vault.call(request, tenant=self.tenant) for request in uses.values()])
        return {name: self._refusal(uses[name], answer) for name, answer in zip(uses, answers, strict=True)}

    def _refusal(self, request: Any, answer: Any) -> str:
        if isinstance(answer, VaultError):
            return answer.reason_name
        response = getattr(vault_service_pb2, request.DESCRIPTOR.name.replace("Request", "Response")).FromString(answer)
        (result,) = response.results
        if hasattr(result, "items"):
            return "RELEASED" if result.items else ""
        return "RELEASED" if getattr(result, "token", self.token) == self.token else "NEW"


def other(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else value + "x"


TOKEN_USES = ("Reveal", "Verify", "Describe", "Update", "Delete")
GONE = {**dict.fromkeys(TOKEN_USES, NOT_FOUND), "Search by value": "", "Search by subject": ""}
"""A row that is no longer found is as good as deleted, and nobody is told more."""
NEW, TAKEN = {"Tokenize": "NEW"}, {"Tokenize": "CONFLICT"}
"""A value whose old rows are hidden is stored anew, unless their keys stand in the way; it never gets the old token."""
EVERY = (*TOKEN_USES, "Search by value", "Search by subject", "Tokenize")

INSTEAD: dict[str, dict[str, str]] = {
    "tenant_ca.sha256": dict.fromkeys(EVERY, "CERTIFICATE_REFUSED"),
    "tenant_ca.tenant_uid": dict.fromkeys(EVERY, "CERTIFICATE_REFUSED"),
    "principal.tenant_uid": dict.fromkeys(EVERY, "PRINCIPAL_UNKNOWN"),
    "principal.name": dict.fromkeys(EVERY, "PRINCIPAL_UNKNOWN"),
    "subject.tenant_uid": GONE | NEW,
    "subject.uid": GONE | {"Search by subject": INTEGRITY, "Tokenize": INTEGRITY},
    "subject.lookup": {"Search by subject": ""} | NEW,
    "subject.state": {"Search by value": ""},
    "item.tenant_uid": GONE | NEW,
    "item.subject_uid": GONE | TAKEN,
    "item.uid": GONE | TAKEN,
    "item.store_key_version": GONE | TAKEN,
    "item.data_class": {"Search by value": ""},
    "item.purposes": {"Search by value": "", "Search by subject": ""},
    "item.fingerprint": {"Search by value": ""},
    "item.envelope": {**dict.fromkeys((*TOKEN_USES, "Search by value", "Search by subject"), "RELEASED"), "Reveal": INTEGRITY}
    | NEW,
    "item.deterministic": NEW,
    "token.tenant_uid": GONE | TAKEN,
    "token.subject_uid": GONE | TAKEN,
    "token.item_uid": GONE | TAKEN,
    "token.text": dict.fromkeys(TOKEN_USES, NOT_FOUND),
    "token.recipient": {"Search by value": "", "Search by subject": ""} | TAKEN,
    "subject_key.tenant_uid": GONE | {"Tokenize": INTEGRITY},
    "subject_key.subject_uid": GONE | {"Tokenize": INTEGRITY},
    "subject_key.kind": GONE | {"Tokenize": INTEGRITY},
    "subject_key.version": GONE | {"Tokenize": INTEGRITY},
}
"""What is answered other than INTEGRITY, by edited column and use."""
OPENING = ("Reveal", "Describe", "Search by value", "Search by subject", "Update")
"""The uses that open something under the subject's key."""


@pytest.mark.parametrize(
    ("table", "column"),
    [
        pytest.param(table, column.name, id=f"{table.name}.{column.name}")
        for table in (t.tenant, t.tenant_ca, t.principal, t.subject, t.item, t.token, t.subject_key)
        for column in table.columns
    ],
)
def test_an_edited_column_is_refused_by_every_use_that_rests_on_it(open_vault: Inside, table: sa.Table, column: str) -> None:
    stored = Stored(open_vault)
    where, old = stored.where[table], stored.row(table)
    value = getattr(old, column)
    edited = 1 if value is None else other(value)
    open_vault.edit(table, where, **{column: edited})
    opened_only = table is t.subject_key and f"{table.name}.{column}" not in INSTEAD
    refusals = stored.refusals(*OPENING) if opened_only else stored.refusals()
    if table in (t.tenant, t.tenant_ca, t.principal):
        open_vault.edit(table, {**where, **{name: edited for name in where if name == column}}, **{column: value})
    assert refusals == dict.fromkeys(OPENING if opened_only else EVERY, INTEGRITY) | INSTEAD.get(f"{table.name}.{column}", {})


@pytest.mark.parametrize("column", ["fingerprint", "deterministic"])
def test_a_column_that_is_null_may_not_become_empty(open_vault: Inside, column: str) -> None:
    (token,) = tokens_of(open_vault.ask(tokenize((new_subject(), "email", "no address"), validation=LENIENT)))
    where = {"uid": open_vault.row(t.token, text=token).item_uid}
    assert getattr(open_vault.row(t.item, **where), column) is None
    open_vault.edit(t.item, where, **{column: b""})
    assert open_vault.refused(verify((token, new_email()))) == INTEGRITY
    assert open_vault.refused(reveal(token)) == INTEGRITY


@pytest.mark.parametrize(("table", "column"), [(t.item, "revision"), (t.token, "max_reveals"), (t.subject, "index_key_version")])
def test_a_number_that_could_not_have_been_written_is_refused_as_altered(open_vault: Inside, table: sa.Table, column: str) -> None:
    stored = Stored(open_vault)
    open_vault.edit(table, stored.where[table], **{column: -1})
    assert stored.refusals()["Reveal"] == INTEGRITY


@pytest.mark.parametrize("with_hash", [False, True])
def test_envelopes_swapped_between_items_are_not_opened(open_vault: Inside, with_hash: bool) -> None:
    first, second = Stored(open_vault), Stored(open_vault)
    rows = [one.row(t.item) for one in (first, second)]
    for one, row in zip((first, second), reversed(rows), strict=True):
        values = {"envelope": row.envelope, "envelope_sha256": row.envelope_sha256, "envelope_size": row.envelope_size}
        open_vault.edit(t.item, one.where[t.item], **values if with_hash else {"envelope": row.envelope})
    for one in (first, second):
        assert open_vault.refused(reveal(one.token)) == INTEGRITY
        assert not with_hash or set(one.refusals().values()) == {INTEGRITY}


@pytest.mark.parametrize("change", ["gone", "short", "format", "version"])
def test_a_mac_of_another_format_or_key_is_refused(open_vault: Inside, change: str) -> None:
    stored = Stored(open_vault)
    old = stored.row(t.token).mac
    edited = {"gone": b"", "short": old[:-1], "format": b"\x02" + old[1:], "version": old[:4] + b"\x02" + old[5:]}
    assert len(old) == 37
    open_vault.edit(t.token, stored.where[t.token], mac=edited[change])
    uses = stored.uses()
    assert {name: open_vault.refused(uses[name]) for name in TOKEN_USES} == dict.fromkeys(TOKEN_USES, INTEGRITY)


def test_a_sealed_envelope_of_another_item_subject_or_revision_does_not_open_even_under_a_good_mac(open_vault: Inside) -> None:
    first, second = Stored(open_vault), Stored(open_vault)
    subject = first.subject
    (token,) = tokens_of(open_vault.ask(tokenize((subject, "email", new_email()))))
    sibling = open_vault.row(t.item, uid=open_vault.row(t.token, text=token).item_uid)
    older = first.row(t.item).envelope
    open_vault.ask(update((first.token, new_email())))
    for envelope in (older, sibling.envelope, second.row(t.item).envelope):
        digest = hashlib.sha256(envelope).digest()
        open_vault.reseal(t.item, first.where[t.item], envelope=envelope, envelope_sha256=digest, envelope_size=len(envelope))
        assert open_vault.refused(reveal(first.token)) == INTEGRITY


def test_an_older_envelope_put_back_into_its_row_is_refused(open_vault: Inside) -> None:
    stored = Stored(open_vault)
    old = stored.row(t.item)
    open_vault.ask(update((stored.token, new_email())))
    open_vault.edit(t.item, stored.where[t.item], envelope=old.envelope)
    assert open_vault.refused(reveal(stored.token)) == INTEGRITY
    open_vault.edit(t.item, stored.where[t.item], envelope_sha256=old.envelope_sha256, fingerprint=old.fingerprint)
    refusals = stored.refusals()
    assert {refusals[name] for name in (*TOKEN_USES, "Search by subject")} == {INTEGRITY}


def test_a_token_pointed_at_another_item_is_refused(open_vault: Inside) -> None:
    mine, theirs = Stored(open_vault), Stored(open_vault)
    (token,) = tokens_of(open_vault.ask(tokenize((mine.subject, "email", new_email()))))
    sibling = open_vault.row(t.token, text=token)
    open_vault.edit(t.token, mine.where[t.token], item_uid=sibling.item_uid)
    assert open_vault.refused(reveal(mine.token)) == INTEGRITY
    target = theirs.row(t.token)
    open_vault.edit(t.token, mine.where[t.token], item_uid=target.item_uid, subject_uid=target.subject_uid)
    assert open_vault.refused(reveal(mine.token)) == INTEGRITY


def test_a_token_s_text_given_to_another_token_is_refused(open_vault: Inside) -> None:
    mine, theirs = Stored(open_vault), Stored(open_vault)
    open_vault.remove(t.token, **theirs.where[t.token])
    open_vault.edit(t.token, mine.where[t.token], text=theirs.token)
    assert open_vault.refused(reveal(theirs.token)) == INTEGRITY


def test_an_item_moved_to_another_subject_is_refused(open_vault: Inside) -> None:
    mine, theirs = Stored(open_vault), Stored(open_vault)
    uid = theirs.row(t.subject).uid
    open_vault.edit(t.item, mine.where[t.item], subject_uid=uid)
    open_vault.edit(t.token, mine.where[t.token], subject_uid=uid)
    assert open_vault.refused(reveal(mine.token)) == INTEGRITY
    assert open_vault.refused(search(("", None, theirs.subject))) == INTEGRITY


def test_subjects_that_swap_their_names_are_refused(open_vault: Inside) -> None:
    first, second = Stored(open_vault), Stored(open_vault)
    lookups = [one.row(t.subject).lookup for one in (first, second)]
    open_vault.edit(t.subject, first.where[t.subject], lookup=bytes(32))
    open_vault.edit(t.subject, second.where[t.subject], lookup=lookups[0])
    open_vault.edit(t.subject, first.where[t.subject], lookup=lookups[1])
    for one in (first, second):
        assert set(one.refusals().values()) == {INTEGRITY}


def test_a_subject_moved_whole_to_another_tenant_is_refused_there_and_gone_here(open_vault: Inside) -> None:
    stored = Stored(open_vault)
    uid = open_vault.tenant("globex").uid
    for table in (t.token, t.item, t.subject_key, t.subject):
        open_vault.edit(table, stored.where[table], tenant_uid=uid)
    assert open_vault.refused(reveal(stored.token)) == NOT_FOUND
    for request in (reveal, describe, delete, lambda token: update((token, new_email()))):
        assert open_vault.refused(request(stored.token), tenant="globex") == INTEGRITY


def test_wrapped_keys_swapped_between_subjects_open_nothing(open_vault: Inside) -> None:
    first, second = Stored(open_vault), Stored(open_vault)
    keys = [one.row(t.subject_key) for one in (first, second)]
    for one, key in zip((first, second), reversed(keys), strict=True):
        open_vault.edit(t.subject_key, one.where[t.subject_key], wrapped=key.wrapped, key_id=key.key_id)
    for one in (first, second):
        assert set(one.refusals(*OPENING).values()) == {INTEGRITY}
        assert open_vault.refused(tokenize((one.subject, "email", new_email()))) == INTEGRITY


def swap(vault: Inside, first: dict[str, Any], second: dict[str, Any]) -> Callable[[], None]:
    """Swap the wrapped keys of two tenant_key rows; what undoes it."""
    rows = [vault.row(t.tenant_key, **where) for where in (first, second)]

    def put(*wrapped: bytes) -> None:
        for where, content in zip((first, second), wrapped, strict=True):
            vault.edit(t.tenant_key, where, wrapped=content)
        for tenant in ("acme", "globex"):
            vault.node.keys.drop(vault.tenant(tenant).uid)

    put(rows[1].wrapped, rows[0].wrapped)
    return lambda: put(rows[0].wrapped, rows[1].wrapped)


@pytest.mark.parametrize("other_tenant", ["acme", "globex"])
def test_tenants_keys_swapped_between_kinds_or_tenants_are_refused(open_vault: Inside, other_tenant: str) -> None:
    stored = Stored(open_vault)
    first = {"tenant_uid": open_vault.tenant().uid, "kind": "epoch"}
    kind = "index" if other_tenant == "acme" else "epoch"
    undo = swap(open_vault, first, {"tenant_uid": open_vault.tenant(other_tenant).uid, "kind": kind})
    try:
        assert set(stored.refusals().values()) == {INTEGRITY}
    finally:
        undo()
    assert open_vault.ask(reveal(stored.token))


@pytest.mark.parametrize("column", ["kind", "version", "wrapped"])
@pytest.mark.parametrize("kind", ["epoch", "index", "authority"])
def test_an_edited_tenant_key_row_is_refused(open_vault: Inside, kind: str, column: str) -> None:
    where = {"tenant_uid": open_vault.tenant().uid, "kind": kind}
    row = open_vault.row(t.tenant_key, **where)
    edited = other(getattr(row, column))
    open_vault.edit(t.tenant_key, where, **{column: edited})
    open_vault.node.keys.drop(open_vault.tenant().uid)
    try:
        assert open_vault.refused(tokenize((new_subject(), "email", new_email()))) == INTEGRITY
    finally:
        open_vault.edit(t.tenant_key, {**where, column: edited}, **{column: getattr(row, column)})
    assert open_vault.ask(tokenize((new_subject(), "email", new_email())))


def test_a_principal_given_another_one_s_roles_or_row_is_refused(open_vault: Inside) -> None:
    uid = open_vault.tenant().uid
    mine = {"tenant_uid": uid, "name": open_vault.caller("app").name}
    old = open_vault.row(t.principal, **mine)
    admin = open_vault.row(t.principal, tenant_uid=uid, name=open_vault.caller("all").name)
    foreign = open_vault.row(t.principal, tenant_uid=open_vault.tenant("globex").uid, name=open_vault.caller("app", "globex").name)
    for values in ({"roles": admin.roles}, {"roles": admin.roles, "mac": admin.mac}, {**admin._asdict(), "name": mine["name"]}):
        open_vault.edit(t.principal, mine, **values)
        assert open_vault.refused(search(("", None, new_subject())), "app") == INTEGRITY
    open_vault.edit(t.principal, mine, **{**foreign._asdict(), **mine})
    assert open_vault.refused(tokenize((new_subject(), "email", new_email())), "app") == INTEGRITY
    open_vault.edit(t.principal, mine, **old._asdict())
    assert open_vault.ask(tokenize((new_subject(), "email", new_email())), "app")


def test_a_principal_row_that_somebody_else_inserts_lets_nobody_in(open_vault: Inside) -> None:
    uid = open_vault.tenant().uid
    admin = open_vault.row(t.principal, tenant_uid=uid, name=open_vault.caller("all").name)
    name = "spiffe://pdvault/acme/mallory"
    with open_vault.engine.begin() as connection:
        insert(connection, t.principal, [admin._replace(name=name)])
    mallory = replace(open_vault.caller(), name=name)
    assert open_vault.refused(search(("", None, new_subject())), caller=mallory) == INTEGRITY


@pytest.mark.parametrize("table", [t.token, t.item, t.subject, t.subject_key], ids=lambda table: table.name)
def test_what_somebody_deleted_is_not_found(open_vault: Inside, table: sa.Table) -> None:
    stored = Stored(open_vault)
    open_vault.remove(table, **stored.where[table])
    refusals = stored.refusals()
    assert {name: refusals[name] for name in GONE} == GONE
    assert refusals["Tokenize"] in ((INTEGRITY,) if table is t.subject_key else ("NEW", "CONFLICT"))


@pytest.mark.parametrize(
    ("table", "reason"),
    [(t.tenant, INTEGRITY), (t.tenant_ca, "CERTIFICATE_REFUSED"), (t.principal, "PRINCIPAL_UNKNOWN"), (t.tenant_key, INTEGRITY)],
    ids=lambda one: getattr(one, "name", one),
)
def test_without_the_rows_that_admit_callers_nobody_is_served(open_vault: Inside, table: sa.Table, reason: str) -> None:
    stored = Stored(open_vault)
    where = stored.where.get(table, {"tenant_uid": open_vault.tenant().uid, "kind": "authority"})
    row = open_vault.row(table, **where)
    open_vault.remove(table, **where)
    open_vault.node.keys.drop(open_vault.tenant().uid)
    try:
        assert set(stored.refusals().values()) == {reason}
    finally:
        with open_vault.engine.begin() as connection:
            insert(connection, table, [row])
    assert open_vault.ask(reveal(stored.token))
