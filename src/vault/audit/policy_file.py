"""Whose signatures an auditor asks for: policy files (C2SP tlog-policy), and the same from keys on the command line."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from vault.audit.note import COSIGNATURE, ED25519, NoteError, Verifier, parse_vkey

NONE = "none"
_MAX_BYTES = 1 << 20
_MAX_LINES = 10_000


class PolicyError(ValueError):
    """A policy file is malformed; the message names the line."""


@dataclass(frozen=True)
class Group:
    """Members of which at least ``threshold`` must have witnessed."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    """Which logs are known, which witnesses, and which of these must have cosigned a checkpoint.

    Args:
        logs: keys of type ED25519; none if the log's key is known otherwise.
        witnesses: keys of type COSIGNATURE by their names in the policy.
        groups: by name; members are witnesses and groups defined before.
        quorum: the name of a witness or group, or ``none``.
    """

    logs: tuple[Verifier, ...]
    witnesses: Mapping[str, Verifier]
    groups: Mapping[str, Group]
    quorum: str

    def is_met(self, cosigned: Collection[str]) -> bool:
        """Whether cosignatures of these witnesses are enough."""
        return self.quorum == NONE or self._has_witnessed(self.quorum, cosigned)

    def _has_witnessed(self, name: str, cosigned: Collection[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in cosigned
        return sum(self._has_witnessed(member, cosigned) for member in group.members) >= group.threshold


def policy_of(logs: Iterable[Verifier], witnesses: Iterable[Verifier], quorum: int) -> Policy:
    """The policy that asks for cosignatures of at least ``quorum`` of these witnesses.

    Raises:
        PolicyError: a key is of the wrong type or there twice, or there are fewer witnesses than the quorum.
    """
    reader = _Reader()
    for key in logs:
        reader.add_log(key)
    for number, key in enumerate(witnesses):
        reader.add_witness(f"{number} {key.name}", key)  # no name in a policy file holds a space
    if not 0 <= quorum <= len(reader.witnesses):
        raise PolicyError(f"a quorum of {quorum} can't be had from {len(reader.witnesses)} witnesses")
    if quorum:
        reader.groups["quorum"] = Group(quorum, tuple(reader.witnesses))
    return reader.policy("quorum" if quorum else NONE)


def parse_policy(data: bytes) -> Policy:
    """Read a policy file.

    Raises:
        PolicyError: it is malformed.
    """
    if len(data) > _MAX_BYTES or data.count(b"\n") > _MAX_LINES:
        raise PolicyError("the policy is too long")
    if any((octet < 0x20 and octet not in b"\t\n") or octet == 0x7F for octet in data):
        raise PolicyError("the policy holds control characters")
    reader, quorum = _Reader(), None
    for number, line in enumerate(data.decode("utf-8", "surrogateescape").split("\n"), 1):
        words = [word for word in line.replace("\t", " ").split(" ") if word]
        if not words or words[0].startswith("#"):
            continue
        try:
            if words[0] == "quorum":
                quorum = reader.read_quorum(words, quorum)
            else:
                reader.read(words)
        except (PolicyError, NoteError) as error:
            raise PolicyError(f"line {number}: {error}") from None
    if quorum is None:
        raise PolicyError("there is no quorum line")
    return reader.policy(quorum)


class _Reader:
    """A policy in the making."""

    def __init__(self) -> None:
        self.logs: list[Verifier] = []
        self.witnesses: dict[str, Verifier] = {}
        self.groups: dict[str, Group] = {}
        self._members: set[str] = set()

    def policy(self, quorum: str) -> Policy:
        return Policy(tuple(self.logs), self.witnesses, self.groups, quorum)

    def read(self, words: list[str]) -> None:
        readers: dict[str, Callable[[list[str]], None]] = {"log": self._log, "witness": self._witness, "group": self._group}
        if words[0] not in readers:
            raise PolicyError("a line begins with log, witness, group or quorum")
        readers[words[0]](words)

    def read_quorum(self, words: list[str], before: str | None) -> str:
        if len(words) != 2 or before is not None:
            raise PolicyError("there is one line 'quorum <name>'")
        if words[1] != NONE and words[1] not in self.witnesses and words[1] not in self.groups:
            raise PolicyError("the quorum must be a witness or group defined before, or none")
        return words[1]

    def add_log(self, key: Verifier) -> None:
        if key.kind != ED25519:
            raise PolicyError(f"{key.name}: a log's key is of type {ED25519}, not {key.kind}")
        if any(key.public_key == other.public_key for other in self.logs):
            raise PolicyError(f"{key.name}: this log's key is there twice")
        self.logs.append(key)

    def add_witness(self, name: str, key: Verifier) -> None:
        if key.kind != COSIGNATURE:
            raise PolicyError(f"{key.name}: a witness's key is of type {COSIGNATURE}, not {key.kind}")
        if any(key.public_key == other.public_key for other in self.witnesses.values()):
            raise PolicyError(f"{key.name}: this witness's key is there twice")
        self._check_new(name)
        self.witnesses[name] = key

    def _log(self, words: list[str]) -> None:
        if len(words) not in (2, 3):
            raise PolicyError("expected: log <vkey> [<url>]")
        self.add_log(parse_vkey(words[1]))

    def _witness(self, words: list[str]) -> None:
        if len(words) not in (3, 4):
            raise PolicyError("expected: witness <name> <vkey> [<url>]")
        self.add_witness(words[1], parse_vkey(words[2]))

    def _group(self, words: list[str]) -> None:
        if len(words) < 4:
            raise PolicyError("expected: group <name> all|any|<k> <name>...")
        _, name, kind, *members = words
        self._check_new(name)
        for member in members:
            if member not in self.witnesses and member not in self.groups:
                raise PolicyError("a group's members must be defined before it")
            if member in self._members:
                raise PolicyError("a name can be a member only once")
            self._members.add(member)
        self.groups[name] = Group(_threshold(kind, len(members)), tuple(members))

    def _check_new(self, name: str) -> None:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise PolicyError("a name is defined once, and none is taken")


def _threshold(kind: str, count: int) -> int:
    if kind in ("all", "any"):
        return count if kind == "all" else 1
    if not (kind.isascii() and kind.isdigit() and len(kind) < 6 and 1 <= int(kind) <= count):
        raise PolicyError(f"a group's threshold is all, any, or a number from 1 to {count}")
    return int(kind)
