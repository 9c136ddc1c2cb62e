"""An erasure costs what the subject's own rows cost, however large the vault is."""

import re
from typing import Any

import sqlalchemy as sa
from tests.erasure.test_erase import stored
from tests.erasure.working import working
from tests.harness import Vault
from tests.use_cases.requests import new_subject

_WALK = re.compile(r"SCAN (?!CONSTANT ROW)")
_LOOSE = re.compile(r"SEARCH \w+ USING .*\(tenant_uid=\?\)")


def test_no_statement_of_it_walks_through_a_tenants_rows(sqlite_vault: Vault) -> None:
    """As SQLite plans each, without knowing how many rows there are."""
    seen: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, is_many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            seen[statement] = parameters[0] if is_many else parameters

    subject_id = new_subject()
    with working(sqlite_vault) as at_work:
        stored(at_work, subject_id)
        sa.event.listen(at_work.node.engine, "before_cursor_execute", note)
        at_work.erase(subject_id)
        sa.event.remove(at_work.node.engine, "before_cursor_execute", note)
        assert sum(statement.startswith("DELETE") for statement in seen) >= 6
        with at_work.node.engine.connect() as connection:
            plans = {
                statement: [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(parameters))]
                for statement, parameters in seen.items()
            }
    of_tenant = ("tenant_key", "key_schedule")  # a handful of rows
    walks = {
        statement: plan
        for statement, plan in plans.items()
        if any((_WALK.match(step) or _LOOSE.match(step)) and not any(name in step for name in of_tenant) for step in plan)
    }
    assert walks == {}
