"""Policy files are read as c2sp.org/tlog-policy says, and refused by line where they are not."""

from collections.abc import Sequence

import pytest
from tests.audit_verify.logs import Witness, key_of

from vault.audit.note import verifier
from vault.audit.policy_file import Group, Policy, PolicyError, parse_policy, policy_of

NAMES = ("X1", "X2", "X3", "Y1", "Y2", "Y3")
VKEYS = {name: Witness(f"{name}.example.org", key_of(40 + at)).verifier.vkey for at, name in enumerate(NAMES)}
LOG = verifier("log.example.org", key_of(1).public_key().public_bytes_raw())
LINES = [f"witness {name} {vkey}" for name, vkey in VKEYS.items()]
EXAMPLE = [
    f"log {LOG.vkey}",
    *LINES,
    "group X-witnesses 2 X1 X2 X3",
    "group Y-witnesses any Y1 Y2 Y3",
    "group X-and-Y all X-witnesses Y-witnesses",
    "quorum X-and-Y",
]


def policy(*lines: str) -> Policy:
    """The policy in these lines."""
    return parse_policy("\n".join(lines).encode())


def test_the_specification_s_own_example_means_what_it_says() -> None:
    read = policy(*EXAMPLE)
    assert read.logs == (LOG,)
    assert set(read.witnesses) == set(NAMES)
    enough: Sequence[set[str]] = [{"X1", "X2", "Y3"}, {"X1", "X3", "Y1", "Y2"}, set(NAMES)]
    too_few: Sequence[set[str]] = [set(), {"X1", "X2", "X3"}, {"Y1", "Y2", "Y3", "X1"}, {"X1", "Y1"}]
    assert all(map(read.is_met, enough))
    assert not any(map(read.is_met, too_few))


def test_comments_blank_lines_tabs_and_urls_are_read_over() -> None:
    read = policy(
        "# known to all", "", f" \tlog\t{LOG.vkey}  https://log.example.org/ ", "\t# more", f"{LINES[0]} https://w", "quorum X1"
    )
    assert (read.logs, read.quorum) == ((LOG,), "X1")
    assert read.is_met({"X1"})
    assert not read.is_met(set())


def test_no_quorum_is_always_met() -> None:
    assert policy("quorum none").is_met(())


def test_names_are_octets() -> None:
    read = parse_policy(b"witness \xff " + VKEYS["X1"].encode() + b"\nquorum \xff")
    assert read.is_met(set(read.witnesses))


BAD = {
    "there is no quorum line": [f"log {LOG.vkey}"],
    "line 2: there is one line": ["quorum none", "quorum none"],
    "line 1: the quorum must be a witness or group defined before": ["quorum X1", LINES[0]],
    "line 2: a group's members must be defined before it": [LINES[0], "group g all X1 X2", LINES[1], "quorum g"],
    "line 3: a name can be a member only once": [LINES[0], "group g all X1", "group h all X1", "quorum g"],
    "line 2: a name can be a member only once": [LINES[0], "group g 1 X1 X1", "quorum g"],
    "line 3: a group's threshold is": [LINES[0], LINES[1], "group g 3 X1 X2", "quorum g"],
    "line 2: a group's threshold is": [LINES[0], "group g 0 X1", "quorum g"],
    "line 2: expected: group": [LINES[0], "group g all", "quorum g"],
    "line 2: a name is defined once": [LINES[0], LINES[1].replace("X2", "X1", 1), "quorum X1"],
    "line 1: a name is defined once": [LINES[0].replace("X1", "none", 1), "quorum none"],
    "line 2: X1.example.org: this witness's key is there twice": [LINES[0], LINES[0].replace("X1", "X9", 1), "quorum none"],
    "line 2: log.example.org: this log's key is there twice": [f"log {LOG.vkey}", f"log {LOG.vkey}", "quorum none"],
    "line 1: log.example.org: a witness's key is of type 4": [f"witness w {LOG.vkey}", "quorum w"],
    "line 1: X1.example.org: a log's key is of type 1": [f"log {VKEYS['X1']}", "quorum none"],
    "line 1: expected: log": ["log", "quorum none"],
    "line 1: expected: witness": [f"witness {VKEYS['X1']}", "quorum none"],
    "line 1: a verifier key has the form": ["log nonsense", "quorum none"],
    "line 1: a line begins with": ["logs x", "quorum none"],
    "control characters": ["quorum none\r"],
}


@pytest.mark.parametrize(("problem", "lines"), BAD.items(), ids=BAD.keys())
def test_a_malformed_policy_is_refused_by_line(problem: str, lines: list[str]) -> None:
    with pytest.raises(PolicyError) as refusal:
        policy(*lines)
    assert problem in str(refusal.value)


def test_a_policy_too_long_to_be_one_is_not_read() -> None:
    with pytest.raises(PolicyError, match="too long"):
        parse_policy(b"\n" * 20_000)


def test_a_policy_of_keys_asks_for_so_many_of_them() -> None:
    keys = [Witness("same.example.org", key_of(50 + number)).verifier for number in range(3)]
    made = policy_of([LOG], keys, 2)
    names = list(made.witnesses)
    assert made.groups == {"quorum": Group(2, tuple(names))}
    assert made.is_met(names[1:])
    assert not made.is_met(names[:1])
    for quorum in (4, -1):
        with pytest.raises(PolicyError, match="can't be had"):
            policy_of([], keys, quorum)
    with pytest.raises(PolicyError, match="is there twice"):
        policy_of([], [keys[0], keys[0]], 1)
