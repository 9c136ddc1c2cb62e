"""Whoever edits or moves a name or a hold in the database leads nobody astray and frees nobody from being kept."""

from typing import Any

import pytest
import sqlalchemy as sa
from tests.harness import context
from tests.store.test_rows_under_mac import other
from tests.subjects.requests import link, place_hold, register, release_hold, restrict, show, unlink
from tests.use_cases.inside import Inside
from tests.use_cases.requests import new_email, new_subject, search, tokenize

from vault.store import tables as t
from vault.v1 import subject_service_pb2 as v1

INTEGRITY, NOT_FOUND = "INTEGRITY", "SUBJECT_NOT_FOUND"
LEADS_NOWHERE = ("tenant_uid", "subject_uid", "lookup")
"""Columns of a name without which it is no longer found, as if it had been deleted."""


class Named:
    """A subject with a second name and a hold."""

    def __init__(self, vault: Inside) -> None:
        self.first, self.second = new_subject(), new_subject()
        self.uid = vault.ask(register(self.first, self.second)).subject_uid
        self.hold_uid = vault.ask(place_hold(self.first), "privacy").hold.hold_uid


def uses_of(named: Named) -> list[tuple[Any, str]]:
    """Every call that rests on the second name."""
    return [
        (show(named.second), "admin"),
        (link(named.second, new_subject()), "admin"),
        (link(named.first, named.second), "admin"),
        (unlink(named.second), "admin"),
        (restrict(named.second), "admin"),
        (place_hold(named.second), "privacy"),
        (tokenize((named.second, "email", new_email())), "app"),
        (search(("", None, named.second)), "plain"),
        (register(named.second), "app"),
    ]


@pytest.mark.parametrize("column", [column.name for column in t.subject_alias.columns if column.name not in LEADS_NOWHERE])
def test_an_edited_name_is_refused_by_every_use_that_rests_on_it(open_vault: Inside, column: str) -> None:
    named = Named(open_vault)
    where = {"subject_uid": named.uid}
    open_vault.edit(t.subject_alias, where, **{column: other(getattr(open_vault.row(t.subject_alias, **where), column))})
    assert [open_vault.refused(*use) for use in uses_of(named)] == [INTEGRITY] * len(uses_of(named))
    assert open_vault.refused(show(named.first), "admin") == INTEGRITY


@pytest.mark.parametrize("column", LEADS_NOWHERE)
def test_a_name_that_is_no_longer_found_leads_nowhere(open_vault: Inside, column: str) -> None:
    named = Named(open_vault)
    where = {"subject_uid": named.uid}
    open_vault.edit(t.subject_alias, where, **{column: other(getattr(open_vault.row(t.subject_alias, **where), column))})
    assert open_vault.refused(show(named.second), "admin") == NOT_FOUND
    if column == "lookup":
        assert open_vault.refused(show(named.first), "admin") == INTEGRITY


def test_a_name_moved_to_another_subject_or_swapped_with_its_name_is_refused(open_vault: Inside) -> None:
    named, victim = Named(open_vault), Named(open_vault)
    open_vault.edit(t.subject_alias, {"subject_uid": named.uid}, subject_uid=victim.uid)
    assert {open_vault.refused(*use) for use in uses_of(named)} == {INTEGRITY}
    assert open_vault.refused(show(victim.first), "admin") == INTEGRITY
    one, two = Named(open_vault), Named(open_vault)
    rows = [open_vault.row(t.subject_alias, subject_uid=each.uid) for each in (one, two)]
    open_vault.remove(t.subject_alias, subject_uid=two.uid)
    open_vault.edit(t.subject_alias, {"subject_uid": one.uid}, lookup=rows[1].lookup)
    assert {open_vault.refused(*use) for use in uses_of(two)} == {INTEGRITY}


def test_a_sealed_name_of_another_row_is_not_told(open_vault: Inside) -> None:
    named = Named(open_vault)
    open_vault.ask(link(named.first, new_subject()), "admin")
    first, second = open_vault.rows(t.subject_alias, subject_uid=named.uid)
    open_vault.reseal(t.subject_alias, {"uid": first.uid}, subject_id=second.subject_id)
    assert open_vault.refused(show(named.first), "admin") == INTEGRITY


@pytest.mark.parametrize("column", [column.name for column in t.subject_hold.columns if not column.name.endswith("t_uid")])
def test_an_edited_hold_is_refused_by_every_use_that_rests_on_it(open_vault: Inside, column: str) -> None:
    named = Named(open_vault)
    where = {"subject_uid": named.uid}
    value = getattr(open_vault.row(t.subject_hold, **where), column)
    open_vault.edit(t.subject_hold, where, **{column: 1 if value is None else other(value)})
    erase = v1.EraseRequest(context=context(ground="consent_withdrawn"), subject_id=named.first)
    for request in (show(named.first), place_hold(named.first), release_hold(named.first, named.hold_uid), erase):
        assert open_vault.refused(request, "privacy") == INTEGRITY
    assert len(open_vault.rows(t.subject, uid=named.uid)) == 1


@pytest.mark.parametrize("table", [t.subject_hold, t.subject_alias], ids=lambda table: table.name)
def test_a_row_moved_from_another_subject_is_refused(open_vault: Inside, table: sa.Table) -> None:
    named, victim = Named(open_vault), Named(open_vault)
    open_vault.edit(table, {"subject_uid": named.uid}, subject_uid=victim.uid)
    assert open_vault.refused(show(victim.first), "privacy") == INTEGRITY


def test_a_restriction_taken_back_in_the_database_lets_nothing_be_used(open_vault: Inside) -> None:
    named = Named(open_vault)
    open_vault.ask(restrict(named.first), "admin")
    open_vault.edit(t.subject, {"uid": named.uid}, state="ACTIVE")
    for request in (tokenize((named.first, "email", new_email())), search(("", None, named.first))):
        assert open_vault.refused(request) == INTEGRITY
