"""``pdvault audit verify --database`` after erasures: what is gone is explained by the log, and what comes back is named."""

import re
from pathlib import Path

import pytest
from tests.audit_verify.vaults import Desk
from tests.erasure.working import Working
from tests.use_cases.requests import new_email, new_subject, tokenize, tokens_of

from vault.store import tables as t
from vault.store.writes import insert


@pytest.fixture
def desk(at_work: Working) -> Desk:
    """A tenant of the test's own."""
    return Desk(at_work.inside)


def people(at_work: Working, desk: Desk, *names: str) -> list[str]:
    """The tokens of some who were stored in one call."""
    return tokens_of(at_work.ask(tokenize(*((name, "email", new_email()) for name in names)), "all", desk.name))


def test_who_was_erased_is_not_missed(at_work: Working, desk: Desk, tmp_path: Path) -> None:
    first, second, third = (new_subject() for _ in range(3))
    people(at_work, desk, first, second)
    people(at_work, desk, third)
    at_work.erase(first, desk.name)
    at_work.erase(third, desk.name)
    desk.integrate()
    found, compared = desk.compared(desk.bundle(), tmp_path)
    assert found == []
    assert compared.tokens == 1


def test_an_erasure_that_is_still_pending_explains_it_too(at_work: Working, desk: Desk, tmp_path: Path) -> None:
    name = new_subject()
    people(at_work, desk, name)
    desk.integrate()
    files = desk.bundle()
    at_work.erase(name, desk.name)
    assert desk.compared(files, tmp_path)[0] == []


def test_others_are_still_missed(at_work: Working, desk: Desk, tmp_path: Path) -> None:
    first, second = new_subject(), new_subject()
    people(at_work, desk, first)
    (token,) = people(at_work, desk, second)
    at_work.erase(first, desk.name)
    desk.integrate()
    row = at_work.inside.row(t.token, text=token)
    desk.edit(t.item.delete().where(t.item.c.uid == row.item_uid))
    desk.edit(t.token.delete().where(t.token.c.uid == row.uid))
    (found,) = desk.compared(desk.bundle(), tmp_path)[0]
    assert re.fullmatch(f"token: {row.uid.hex()} is missing: entry [0-9]+ wrote it, and nothing deleted it", found)


def test_who_is_there_again_is_named(at_work: Working, desk: Desk, tmp_path: Path) -> None:
    name = new_subject()
    (text,) = people(at_work, desk, name)
    token = at_work.inside.row(t.token, text=text)
    item = at_work.inside.row(t.item, uid=token.item_uid)
    at_work.erase(name, desk.name)
    desk.integrate()
    with at_work.node.engine.begin() as connection:  # as a restore of single rows would
        insert(connection, t.item, [item])
        insert(connection, t.token, [token])
    (found,) = desk.compared(desk.bundle(), tmp_path)[0]
    assert re.fullmatch(f"token: {token.uid.hex()}: entry [0-9]+ says that its subject was erased, and it is there again", found)
