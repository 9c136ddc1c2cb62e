"""A log that goes on after a restore keeps its key: auditors who know it from before the restore are not shown another log."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.audit_verify.checking import verdict
from tests.audit_verify.logs import TENANT, Log, key_of

from vault.audit.checkpoint import Checkpoint
from vault.audit.continuing import Name, continued, continuing, parse_name
from vault.audit.note import NoteError

FIRST = f"pdvault.invalid/{TENANT.hex()}"


@dataclass
class Continued(Log):
    """A log under the name that it has after so many restores."""

    restores: int = 0

    @property
    def origin(self) -> str:
        """Its name."""
        return str(Name(FIRST, self.restores))


def test_a_log_with_the_key_that_was_seen_under_an_earlier_name_is_good(tmp_path: Path) -> None:
    for restores in (0, 1, 3):
        assert verdict(Continued(restores=restores).grow(5).bundle(), tmp_path) == "OK"


def test_a_log_that_says_it_goes_on_from_one_with_another_key_is_refused(tmp_path: Path) -> None:
    assert verdict(Continued(restores=1).grow(5).bundle(), tmp_path) == "OK"
    found = verdict(Continued(restores=2, key=key_of(2)).grow(5).bundle(), tmp_path)
    assert found.startswith("BAD the checkpoint is signed by ")
    assert f"those of '{FIRST}/r1', which this log goes on from" in found


def test_a_name_says_how_often_a_log_went_on() -> None:
    assert [parse_name(origin, TENANT).number for origin in (FIRST, f"{FIRST}/r1", f"{FIRST}/r20")] == [0, 1, 20]
    assert str(parse_name(f"{FIRST}/r9", TENANT).next()) == f"{FIRST}/r10"


@pytest.mark.parametrize("end", ["/", "/r", "/r0", "/r01", "/r1/", "/r1/r2", "/R1", "/r-1", "/r12345", "/x", "r1"])
def test_any_other_name_is_none_of_this_tenants_log(end: str) -> None:
    with pytest.raises(NoteError):
        parse_name(FIRST + end, TENANT)
    with pytest.raises(NoteError):
        parse_name(FIRST, bytes(16))


def test_what_a_first_checkpoint_says_is_read_again() -> None:
    last = Checkpoint(FIRST, 2**63 - 1, bytes(range(32)))
    first = continuing(last, TENANT, 7, bytes(32))
    assert (first.origin, first.size, continued(first)) == (f"{FIRST}/r1", 7, last)
    assert continued(Checkpoint(FIRST, 0, bytes(32))) is None
    assert continued(Checkpoint(FIRST, 0, bytes(32), ("of others",))) is None


@pytest.mark.parametrize("line", ["5", "5 AAAA x", "05 AAAA x", "-1 AAAA x", "5 !!!! x"])
def test_a_first_checkpoint_that_says_it_wrongly_is_refused(line: str) -> None:
    with pytest.raises(NoteError):
        continued(Checkpoint(f"{FIRST}/r1", 0, bytes(32), (f"pdvault/v1/continues {line}",)))
