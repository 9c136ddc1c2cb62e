"""``pdvault backup create --new-identity``: the key that it makes is there if, and only if, there is a backup that it opens."""

from pathlib import Path

import pytest
from tests.cli.conftest import Draft, Run


def test_a_backup_and_the_key_that_opens_it_are_made_together(initialised: Draft, pdvault: Run, tmp_path: Path) -> None:
    backup, key = tmp_path / "vault.age", tmp_path / "backup.key"
    made = pdvault("backup", "create", "-o", backup, "--new-identity", key, "--config", initialised.config)
    assert (made.code, "without it the backup can't be opened" in made.err) == (0, True)
    assert pdvault("backup", "check", backup, "--identity", key).code == 0


def test_a_vault_that_can_t_be_read_leaves_no_key_behind(draft: Draft, pdvault: Run, tmp_path: Path) -> None:
    backup, key = tmp_path / "vault.age", tmp_path / "backup.key"
    assert pdvault("backup", "create", "-o", backup, "--new-identity", key, "--config", draft.config).code == 1
    assert list(tmp_path.glob("*.age*")) + list(tmp_path.glob("backup.key*")) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_backup_that_fails_on_its_way_leaves_no_key_behind(
    initialised: Draft, pdvault: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    backup, key = tmp_path / "vault.age", tmp_path / "backup.key"

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("vault.cli.audit.bundle_file.write_bundle", fail)
    made = pdvault("backup", "create", "-o", backup, "--new-identity", key, "--config", initialised.config)
    assert (made.code, backup.exists(), key.exists(), "Made" in made.err) == (1, False, False, False)
    monkeypatch.undo()
    assert pdvault("backup", "create", "-o", backup, "--new-identity", key, "--config", initialised.config).code == 0
