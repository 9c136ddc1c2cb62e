"""``pdvault keys`` and ``pdvault approval`` as two security officers type them, against a vault that is served."""

import json
import re

import pytest
from tests.cli.conftest import Result, Served

NOBODYS = "0" * 32


def done(result: Result) -> list[dict[str, object]]:
    """What a command printed that succeeded."""
    assert result.code == 0, result.err
    return result.rows


def asked(result: Result) -> str:
    """The uid of the approval that a command asked for."""
    (row,) = done(result)
    assert row["state"] == "ASKED"
    assert f"pdvault approval approve {row['approval']}" in result.err
    return str(row["approval"])


def status(served: Served) -> dict[str, object]:
    (row,) = done(served("security", "keys", "status"))
    return row


def newest_version(served: Served) -> int:
    """The newest version of the tenant's KEK."""
    (row,) = done(served("security", "keys", "status"))
    return max(version["kek_version"] for version in row["kek_versions"])  # type: ignore[attr-defined]


def test_a_rotation_is_seen_to_its_end_and_old_keys_are_ended_by_two(served: Served) -> None:
    done(served("app", "tokenize", "--class", "email", "--subject", "customer-1", stdin=b"li.na@example.org"))
    (rotated,) = done(served("security", "keys", "rotate"))
    assert (rotated["state"], rotated["left"], rotated["error"]) == ("DONE", 0, None)
    version = int(str(rotated["kek_version"]))
    uid = asked(first := served("security", "keys", "destroy", version))
    assert f"KEK version {version - 1}:" in first.err
    assert "backups" in first.err
    ending = ("keys", "destroy", version, "--approval", uid, "--confirm", f"dev {version}")
    refused = served("security", *ending)
    assert (refused.code, "APPROVAL_NEEDED" in refused.err) == (2, True)
    (listed,) = done(served("security-2", "approval", "list"))
    assert (listed["approval"], listed["action"], listed["decided_by"]) == (uid, "Destroy", None)
    assert served("security", "approval", "approve", uid).code == 2
    done(served("security-2", "approval", "approve", uid))
    mistyped = served("security", *ending[:-1], f"acme {version}")
    assert (mistyped.code, f'not "dev {version}"' in mistyped.err) == (1, True)
    (destroyed,) = done(served("security", *ending))
    assert destroyed["destroyed_kek_versions"] == list(range(1, version))
    assert {key["state"] for key in status(served)["epochs"][1:]} == {"DESTROYED"}
    assert done(served("security-2", "approval", "list")) == []


def test_a_confirmation_is_typed_where_none_is_given(served: Served) -> None:
    (rotated,) = done(served("security", "keys", "rotate"))
    version = rotated["kek_version"]
    uid = asked(served("security", "keys", "destroy", version))
    done(served("security-2", "approval", "approve", uid))
    ending = ("keys", "destroy", version, "--approval", uid)
    assert served("security", *ending, stdin=b"yes\n").code == 1
    (destroyed,) = done(served("security", *ending, stdin=f"dev {version}\n".encode()))
    assert destroyed["state"] == "DONE"


def test_one_seals_and_two_unseal(served: Served) -> None:
    assert served("security", "keys", "seal", stdin=b"n\n").code == 1
    assert status(served)["tenant_state"] == "ACTIVE"
    done(served("security", "keys", "seal", stdin=b"y\n"))
    refused = served("app", "tokenize", "--class", "email", "--subject", "customer-2", stdin=b"li.na@example.org")
    assert (refused.code, "TENANT_SEALED" in refused.err) == (2, True)
    assert status(served)["tenant_state"] == "SEALED"
    uid = asked(served("security", "keys", "unseal"))
    done(served("security-2", "approval", "deny", uid))
    assert served("security", "keys", "unseal", "--approval", uid).code == 2
    uid = asked(served("security", "keys", "unseal"))
    done(served("security-2", "approval", "approve", uid))
    done(served("security", "keys", "unseal", "--approval", uid))
    done(served("app", "tokenize", "--class", "email", "--subject", "customer-2", stdin=b"li.na@example.org"))


def test_of_a_schedule_only_what_is_given_changes(served: Served) -> None:
    assert done(served("security", "keys", "schedule")) == [{"rotate_every": None, "restore_window": "30d", "kms_snapshots": "30d"}]
    done(served("security", "keys", "schedule", "--rotate-every", "90d", "--restore-window", "35d"))
    done(served("security", "keys", "schedule", "--kms-snapshots", "36h"))
    expected = {"rotate_every": "90d", "restore_window": "35d", "kms_snapshots": "36h"}
    assert done(served("security", "keys", "schedule")) == [expected]
    assert status(served)["schedule"] == expected
    assert status(served)["next_rotation_time"]
    done(served("security", "keys", "schedule", "--never"))
    assert status(served)["next_rotation_time"] is None
    assert served("security", "keys", "schedule", "--never", "--rotate-every", "90d").code == 1


def test_work_is_listed_steered_and_looked_at_again(served: Served) -> None:
    done(served("security", "keys", "schedule"))
    started = served("security", "keys", "rekey", "--all", "--detach")
    (begun,) = done(started)
    name = str(begun["operation"])
    assert f"pdvault keys wait {name}" in started.err
    (ended,) = done(served("security", "keys", "wait", name.removeprefix("operations/")))
    assert (ended["kind"], ended["state"]) == ("Rekey", "DONE")
    assert name in {row["operation"] for row in done(served("security", "keys", "operations"))}
    for steer in ("pause", "resume", "cancel"):
        refused = served("security", "keys", steer, name)
        assert (refused.code, "done" in refused.err) == (2, True)


def test_a_status_is_a_table_on_a_terminal(served: Served) -> None:
    shown = served("security", "keys", "status", terminal=True)
    assert shown.code == 0
    assert "Tenant dev: ACTIVE" in shown.out
    assert "would_lose" in shown.out
    with pytest.raises(json.JSONDecodeError):
        json.loads(shown.out)


def test_a_version_that_there_is_not_is_named_with_the_newest_and_no_loss_is_told(served: Served) -> None:
    newest = newest_version(served)
    refused = served("security", "keys", "destroy", newest + 2)
    assert (refused.code, refused.out) == (2, "")
    assert f"no KEK version {newest + 2}: the newest is {newest}" in refused.err
    assert "KEK version 1:" not in refused.err


def test_of_what_something_live_hangs_on_no_time_is_told_from_when_on_nobody_needs_it(served: Served) -> None:
    newest = newest_version(served)
    refused = served("security", "keys", "destroy", newest + 1, "--approval", NOBODYS, "--confirm", f"dev {newest + 1}")
    assert (refused.code, "KEY_IN_USE" in refused.err) == (2, True)
    assert "something live hangs on it" in refused.err
    assert "never" not in refused.err


def test_an_approval_that_can_t_be_used_says_how_to_ask_again_at_a_command_line(served: Served) -> None:
    done(served("security", "keys", "seal", "--yes"))
    uid = asked(served("security", "keys", "unseal"))
    done(served("security-2", "approval", "deny", uid))
    refused = served("security", "keys", "unseal", "--approval", uid)
    assert (refused.code, "approval_uid" in refused.err, "without naming an approval" in refused.err) == (2, False, True)
    uid = asked(served("security", "keys", "unseal"))
    done(served("security-2", "approval", "approve", uid))
    done(served("security", "keys", "unseal", "--approval", uid))


def test_work_is_a_table_of_few_columns_on_a_terminal(served: Served) -> None:
    rotated = served("security", "keys", "rotate", terminal=True)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", rotated.out)
    header, row, *ends = [line.split() for line in plain.splitlines() if line.strip() and "─" not in line]
    assert header == ["operation", "kind", "state", "phase", "done"]
    assert row[1:4] == ["Rotate", "DONE", "RETIRE"]
    assert ends[0][:3] == [f"{row[0]}:", "kek", "version"]
    (again,) = done(served("security", "keys", "wait", row[0]))
    assert again["operation"] == f"operations/{row[0]}"


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "status"),
        ("keys", "rotate"),
        ("keys", "seal", "--yes"),
        ("keys", "unseal"),
        ("keys", "destroy", 2),
        ("keys", "schedule", "--never"),
        ("approval", "list"),
        ("approval", "approve", NOBODYS),
    ],
)
def test_nobody_else_may(served: Served, arguments: tuple[object, ...]) -> None:
    for who in ("admin", "privacy"):
        refused = served(who, *arguments)
        assert (refused.code, "POLICY_DENIED" in refused.err) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "rekey"),
        ("keys", "rekey", "--all", "--subject", "customer-1"),
        ("keys", "destroy", 1),
        ("keys", "wait", "operations/1"),
        ("approval", "approve", "1"),
        ("keys", "schedule", "--rotate-every", "soon"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anybody_is_called(served: Served, arguments: tuple[object, ...]) -> None:
    assert served("security", *arguments).code == 1
