"""What the verifier asks of every log, a node must keep to, whatever happens to its keys: who allows something is endorsed."""

from typing import Any
from unittest.mock import patch

import pytest
from tests.use_cases.inside import Inside
from tests.use_cases.open_vault import open_vault
from tests.use_cases.requests import new_email, new_subject, tokenize

from vault.kms.tenant_keys import KeysMissingError
from vault.store import runner
from vault.store import tables as t
from vault.v1 import audit_pb2

__all__ = ["open_vault"]


def actions(vault: Inside) -> list[str]:
    """What this boot has written to the tenant's log so far."""
    boot_id, _ = vault.node.boot()
    rows = sorted(vault.rows(t.audit_pending, tenant_uid=vault.tenant().uid, boot_id=boot_id), key=lambda row: row.boot_sequence)
    return [audit_pb2.AuditEvent.FromString(row.leaf).action for row in rows]


def store(vault: Inside) -> Any:
    """A call that is allowed."""
    return vault.call(tokenize((new_subject(), "email", new_email())))


def test_a_call_decided_with_keys_that_leave_memory_before_its_commit_is_endorsed(open_vault: Inside) -> None:
    open_vault.node.end_boot()
    open_vault.keys()
    with patch.object(runner, "fetch", _clearing(open_vault, runner.fetch)):
        (answer,) = open_vault.node.runner.run([store(open_vault)])
    assert isinstance(answer, bytes)
    assert actions(open_vault) == ["BootStarted", "BootEndorsed", "Tokenize"]


def _clearing(vault: Inside, fetch: Any) -> Any:
    def cleared(*arguments: Any) -> Any:
        vault.node.keys.clear()
        return fetch(*arguments)

    return cleared


def test_calls_of_a_group_of_which_one_half_ended_the_boot_wait_for_keys_of_the_new_one(
    open_vault: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_vault.keys()
    running, transact = open_vault.node.runner, open_vault.node.runner._transact
    attempts: list[int] = []

    def failing(plans: Any) -> None:
        attempts.append(len(plans))
        if len(attempts) == 1:
            raise ValueError("the group as a whole can't be run")
        if len(attempts) == 2:
            raise runner._UncertainCommitError
        transact(plans)

    monkeypatch.setattr(running, "_transact", failing)
    before = open_vault.node.boot()
    answers = running.run([store(open_vault), store(open_vault)])
    assert attempts == [2, 1, 1]
    assert open_vault.node.boot() != before
    assert not isinstance(answers[0], bytes)
    assert isinstance(answers[1], KeysMissingError)
    assert actions(open_vault) == []
    open_vault.answers([store(open_vault)])
    assert actions(open_vault) == ["BootStarted", "BootEndorsed", "Tokenize"]
