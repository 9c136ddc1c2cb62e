"""Logs that are as they should be are found so, whatever their size, whatever range is exported."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.audit_verify.checking import verified
from tests.audit_verify.logs import Log, grown, vast

from vault.audit.chain import Chain
from vault.audit.merkle import EMPTY_ROOT
from vault.v1 import audit_pb2

SIZES = [2, 3, 4, 7, 255, 256, 257, 511, 512, 513, 1000, 2050]


@pytest.mark.parametrize("size", SIZES)
def test_a_whole_log_of_any_size_is_good(size: int, tmp_path: Path) -> None:
    log = grown(size)
    report = verified(log.bundle(), tmp_path)
    assert (report.signed.checkpoint, report.entries, report.start, report.end) == (log.checkpoint(), size, 0, size)
    assert (report.boots.outside, report.boots.cut) == (0, 0)


def test_a_log_beyond_the_second_level_of_tiles_is_good(tmp_path: Path) -> None:
    assert verified(vast().bundle(), tmp_path).entries == 70_000
    report = verified(vast().bundle(65_000, 65_500, known_size=70_000), tmp_path)
    assert (report.start, report.end, report.seen_size) == (65_000, 65_500, 70_000)


def test_an_empty_log_is_good(tmp_path: Path) -> None:
    report = verified(Log().bundle(), tmp_path)
    assert (report.signed.checkpoint.size, report.signed.checkpoint.root, report.entries) == (0, EMPTY_ROOT, 0)


@settings(max_examples=60)
@given(ends=st.lists(st.integers(0, 2050), min_size=2, max_size=2).map(sorted), size=st.sampled_from([2050, 1900]))
def test_any_range_of_a_log_is_good(ends: list[int], size: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    start, end = (min(end, size) for end in ends)
    report = verified(grown(2050).bundle(start, end, size=size), tmp_path_factory.mktemp("state"))
    assert (report.start, report.end) == (start, end)
    assert report.entries >= end - start


def test_boots_are_counted_by_how_they_ended(tmp_path: Path) -> None:
    log = Log()
    running, ending, refusing = Chain("a"), Chain("b"), Chain("c")
    for chain in (running, ending):
        log.commit(chain, [log.draft()])
    log.end(ending)
    log.commit(refusing, [log.draft(decision=audit_pb2.DECISION_DENIED)], endorsed=False)
    census = verified(log.bundle(), tmp_path).boots
    assert (census.boots, census.ended, census.open, census.unendorsed) == (3, 1, 2, 1)


def test_a_server_may_say_that_it_starts_while_the_kms_is_away(tmp_path: Path) -> None:
    log, chain = Log(), Chain("a")
    log.commit(chain, [log.draft("NodeStarted")], endorsed=False)
    assert verified(log.bundle(), tmp_path).boots.unendorsed == 1


def test_a_boot_endorsed_after_it_was_allowed_something_is_good(tmp_path: Path) -> None:
    log, chain = Log(), Chain("a")
    log.commit(chain, [log.draft()], endorsed=False)
    log.commit(chain, [log.draft()])
    assert verified(log.bundle(), tmp_path).boots.unendorsed == 0


def test_a_log_may_end_within_a_commit_and_a_range_too(tmp_path: Path) -> None:
    log, chain = Log(), Chain("a")
    log.commit(chain, [log.draft()] * 500)
    assert verified(log.bundle(size=300), tmp_path).boots.cut == 1
    report = verified(log.bundle(0, 256), tmp_path)
    assert (report.boots.cut, report.entries) == (1, 256)


def test_chains_are_joined_across_entries_that_are_not_in_the_bundle(tmp_path: Path) -> None:
    log, early, late = Log(), Chain("early"), Chain("late")
    log.commit(early, [log.draft()] * 10)
    log.commit(late, [log.draft(decision=audit_pb2.DECISION_FAILED)], endorsed=False)
    log.commit(early, [log.draft()] * 1000)
    log.commit(late, [log.draft()] * 600)
    report = verified(log.bundle(600, 700), tmp_path)
    assert (report.boots.boots, report.boots.unendorsed) == (2, 1)  # of the later boot's endorsement nothing is known
    report = verified(log.bundle(1400, 1500), tmp_path)
    assert (report.boots.boots, report.boots.unendorsed, report.entries) == (2, 0, 768)


def test_the_clock_may_step_back_a_little_within_a_boot(tmp_path: Path) -> None:
    log, chain = Log(), Chain("a")
    log.commit(chain, [log.draft()])
    log.time_us -= 50_000_000
    log.commit(chain, [log.draft()])
    assert verified(log.bundle(), tmp_path).entries == 4
