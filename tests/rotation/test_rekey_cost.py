"""A part of a re-keying costs what the part has, however much the subject or the tenant has besides."""

import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.harness import NewVault, context
from tests.rotation.works import desk
from tests.use_cases.inside import inside
from tests.use_cases.requests import new_email, new_subject, tokenize

from vault.server.key_worker.held_operation import HeldOperation
from vault.server.key_worker.rekey import Rekey
from vault.store import tables as t
from vault.store.reading import whole_subjects
from vault.store.rotation.progress import take
from vault.v1 import key_service_pb2 as v1

_WALK = re.compile(r"SCAN (item|token|subject_key|subject_alias)\b")
_LOOSE = re.compile(r"SEARCH (item|token|subject_key|subject_alias) USING .*\(tenant_uid=\?\)")


def test_no_statement_of_it_walks_through_a_tenants_rows(
    new_vault: NewVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As SQLite plans each, without knowing how many rows there are: whole subjects and parts of one alike."""
    monkeypatch.setattr(whole_subjects, "MAX_ITEMS", 2)
    seen: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, is_many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            seen[statement] = parameters[0] if is_many else parameters

    with inside(new_vault("sqlite", tmp_path)) as opened, desk(opened) as one:
        for count in (1, 2, 5):
            name = new_subject()
            opened.ask(tokenize(*((name, "email", new_email()) for _ in range(count))))
        opened.ask(v1.RekeyRequest(context=context("incident")), "security")
        row = opened.row(t.operation, live_kind="Rekey")
        assert take(opened.engine, row, one.name)
        sa.event.listen(opened.engine, "before_cursor_execute", note)
        work = Rekey(HeldOperation(one, row), batch=500)
        while work.step():
            pass
        sa.event.remove(opened.engine, "before_cursor_execute", note)
        assert {each.store_key_version for each in opened.rows(t.item)} == {2}
        with opened.engine.connect() as connection:
            plans = {
                statement: [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(parameters))]
                for statement, parameters in seen.items()
            }
    assert sum("FROM item" in statement for statement in plans) >= 4
    walks = {statement: plan for statement, plan in plans.items() if any(_WALK.match(step) or _LOOSE.match(step) for step in plan)}
    assert walks == {}
