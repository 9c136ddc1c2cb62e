"""A transaction that took longer than any may is not committed: what it has read may have been erased meanwhile."""

import time
from typing import Any

import pytest
from tests.use_cases.inside import Inside
from tests.use_cases.requests import new_email, new_subject, reveal, tokenize, tokens_of

from vault.store import runner


@pytest.mark.parametrize("is_slow", [False, True])
def test_a_call_answers_only_within_the_time_that_receipts_promise(
    open_vault: Inside, monkeypatch: pytest.MonkeyPatch, is_slow: bool
) -> None:
    (token,) = tokens_of(open_vault.ask(tokenize((new_subject(), "email", new_email()))))
    if is_slow:
        real = runner.apply

        def slowly(*arguments: Any) -> None:
            begin = time.monotonic()
            real(*arguments)
            while time.monotonic() - begin <= 2.0:
                time.sleep(0.1)

        monkeypatch.setattr(runner, "MAX_TRANSACTION_S", 2.0)
        monkeypatch.setattr(runner, "apply", slowly)
    before = open_vault.count()
    if is_slow:
        assert open_vault.refused(reveal(token)) == "DATABASE_UNAVAILABLE"
        assert open_vault.count() == before
    else:
        assert open_vault.ask(reveal(token)).results
        assert open_vault.count()["audit_pending"] > before["audit_pending"]
