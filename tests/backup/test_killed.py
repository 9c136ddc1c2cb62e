"""Killed at any step, a backup is none, a restore left nothing, and reconciling is done by running it again."""

import os
import signal
from importlib import import_module
from itertools import count

import pytest
from tests.backup.places import RECIPIENT, Site, config_of, erase, head, integrate, pdvault, reconcile
from tests.harness import Vault
from tests.use_cases.inside import inside
from tests.use_cases.requests import reveal

RECONCILE = "vault.backup.reconcile"
STEPS = {
    "before the anchor moves": "sign_note",
    "after the anchor has moved": "Chain",
    "after the log has its name": "erase_again",
    "after the erased are erased": "insert",
}


def die(*_: object, **__: object) -> None:
    """As a power cut does it."""
    os.kill(os.getpid(), signal.SIGKILL)


def killed(module: str, name: str, *arguments: object, after: int = 0) -> None:
    """Run a command in a process that dies where it would use a name of a module, once it did so ``after`` times."""
    process = os.fork()
    if not process:
        signal.alarm(60)
        place, calls = import_module(module), count()
        original = getattr(place, name)
        setattr(place, name, lambda *given, **named: original(*given, **named) if next(calls) < after else die())
        pdvault(*arguments)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL


def test_a_backup_that_was_killed_is_none(sqlite_site: Site) -> None:
    out = sqlite_site.folder / "b.age"
    arguments = ("backup", "create", "-o", out, "--recipient", RECIPIENT, "--config", config_of(sqlite_site.old))
    killed("vault.backup.create", "keys", *arguments)
    assert sqlite_site.restore(sqlite_site.folder / "b.age.partial", sqlite_site.empty()).code == 1
    killed("os", "rename", *arguments)
    assert not out.exists()
    assert pdvault(*arguments).code == 0
    assert sorted(path.name for path in sqlite_site.folder.glob("b.age*")) == ["b.age"]


@pytest.mark.parametrize("step", ["load", "_check_loaded", "_mark"])
def test_a_restore_that_was_killed_left_nothing_and_can_be_run_again(step: str, site: Site) -> None:
    backup, vault = site.back_up(), site.empty()
    arguments = ("backup", "restore", backup, "--identity", site.identity, "--config", config_of(vault))
    killed("vault.backup.restore", step, *arguments)
    assert pdvault(*arguments).code == 0
    assert len(reconcile(vault).rows) == 3


@pytest.mark.parametrize("step", STEPS)
def test_reconciling_that_was_killed_is_done_by_running_it_again(step: str, sqlite_site: Site) -> None:
    kept, erased, *_ = sqlite_site.store()
    sqlite_site.grow()
    backup, before = sqlite_site.back_up(), head(sqlite_site.old)
    erase(sqlite_site.old, erased)
    sqlite_site.store()
    sqlite_site.grow()
    after = head(sqlite_site.old)
    vault = sqlite_site.restored(backup)
    killed(RECONCILE, STEPS[step], "restore", "reconcile", "--config", config_of(vault))
    with inside(vault) as opened:
        assert opened.refused(reveal(kept)) == "RESTORED_NOT_RECONCILED"
    rows = reconcile(vault).rows
    (row,) = [row for row in rows if row["tenant_uid"] == vault.tenants["acme"].uid.hex()]
    assert (row["old_origin"], row["restored_size"], row["anchored_size"]) == (before.origin, before.size, after.size)
    assert row["erased_again"] == 1
    _serves(vault, kept, erased)
    assert head(vault).origin == f"{before.origin}/r1"


def test_reconciling_that_was_killed_between_two_logs_goes_on_with_the_second(sqlite_site: Site) -> None:
    sqlite_site.grow()
    vault = sqlite_site.restored(sqlite_site.back_up())
    killed(RECONCILE, "erase_again", "restore", "reconcile", "--config", config_of(vault), after=1)
    assert len(reconcile(vault).rows) == 2
    assert reconcile(vault).rows == []


def _serves(vault: Vault, kept: str, erased: str) -> None:
    with inside(vault) as opened:
        assert opened.ask(reveal(kept)).results[0].value.text
        assert opened.refused(reveal(erased)) == "TOKEN_NOT_FOUND"
        integrate(opened.node)
