"""What is checked by pattern is checked as strictly as what is checked in full."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.audit_verify.checking import flipped
from tests.audit_verify.logs import NOW_US, TENANT, Log, grown

from vault.audit.chain import Chain
from vault.audit.leaf_shapes import LeafChecker, shape_of
from vault.audit.verify_errors import WrongError
from vault.audit.verify_leaves import Link, check_leaf
from vault.v1 import audit_pb2, common_pb2


def in_full(leaf: bytes) -> Link | str:
    """What a full check says, but for the event itself."""
    try:
        return (*check_leaf(0, leaf, TENANT, NOW_US)[:-1], None)
    except WrongError as error:
        return str(error)


def by_pattern(checker: LeafChecker, leaf: bytes) -> Link | str:
    """What a checker says that has seen many leaves."""
    try:
        (link,) = checker.check(0, [leaf])
        return (*link[:-1], None)
    except WrongError as error:
        return str(error)


def drafted(number: int) -> Callable[[Log], object]:
    """An event of one of many kinds."""

    def make(log: Log) -> object:
        draft = log.draft("Tokenize" if number % 2 else "Search", 1 + number % 3)
        draft.context.purpose = "p" * (1 + number % 5)
        draft.context.reference = "Ü" if number % 7 == 0 else f"T-{number % 4}"
        draft.roles = ("auditor", "reader_plain")[: number % 3]
        draft.policy_ids = {f"policy-{number % 3}", "another"}
        draft.details = {"name": "value"} if number % 5 == 0 else {}
        for item in range(number % 4):
            uid = bytes([number % 256, item]) * 8
            form = common_pb2.Form(kind=common_pb2.FORM_KIND_PARTIAL, partial_name="last4") if number % 2 else None
            draft.touch("phone", uid, uid, form=form, change=1 if number % 3 else 0, envelope=uid if number % 3 else None)
        return draft

    return make


@pytest.fixture(scope="module")
def log() -> Log:
    """A log of events of many kinds, each often enough that patterns are made."""
    log, chain = Log(), Chain("node-1")
    for number in range(1500):
        log.commit(chain, [drafted(number % 60)(log)])  # type: ignore[list-item]
    return log


def test_both_ways_agree_on_every_sound_leaf(log: Log) -> None:
    checker = LeafChecker(TENANT, NOW_US)
    found = checker.check(0, log.leaves) + checker.check(0, log.leaves)
    expected = [check_leaf(0, leaf, TENANT, NOW_US) for leaf in log.leaves] * 2
    assert found == expected


@settings(max_examples=600)
@given(data=st.data())
def test_both_ways_agree_on_whatever_was_changed(log: Log, data: st.DataObject) -> None:
    checker = _checker(log)
    leaf = log.leaves[data.draw(st.integers(0, len(log.leaves) - 1))]
    for _ in range(data.draw(st.integers(1, 3))):
        leaf = flipped(leaf, data.draw(st.integers(0, len(leaf) - 1)), data.draw(st.integers(0, 7)))
    assert by_pattern(checker, leaf) == in_full(leaf)


@settings(max_examples=300)
@given(data=st.data())
def test_both_ways_agree_where_bytes_were_moved(log: Log, data: st.DataObject) -> None:
    checker = _checker(log)
    leaf = log.leaves[data.draw(st.integers(0, len(log.leaves) - 1))]
    start, end = sorted(data.draw(st.lists(st.integers(0, len(leaf)), min_size=2, max_size=2)))
    to = data.draw(st.integers(0, len(leaf) - (end - start)))
    rest = leaf[:start] + leaf[end:]
    leaf = rest[:to] + leaf[start:end] + rest[to:]
    assert by_pattern(checker, leaf) == in_full(leaf)


_warm: dict[int, LeafChecker] = {}


def _checker(log: Log) -> LeafChecker:
    """A checker that knows all shapes of the log."""
    if id(log) not in _warm:
        _warm[id(log)] = LeafChecker(TENANT, NOW_US)
        _warm[id(log)].check(0, log.leaves)
    return _warm[id(log)]


def test_time_is_looked_at_whatever_the_shape(log: Log) -> None:
    checker = LeafChecker(TENANT, NOW_US - 30 * 24 * 3600 * 1_000_000)
    with pytest.raises(WrongError, match="entry 0 is dated in the future"):
        checker.check(0, log.leaves)
    same = [leaf for leaf in log.leaves if len(leaf) == len(log.leaves[-1])]
    event = audit_pb2.AuditEvent.FromString(same[-1])
    event.time_us = NOW_US + 200_000_000_000
    late = event.SerializeToString(deterministic=True)
    assert len(late) == len(same[-1])
    with pytest.raises(WrongError, match=f"entry {len(same)} is dated in the future"):
        LeafChecker(TENANT, NOW_US).check(0, [*same, late])


def test_a_leaf_written_as_no_writer_does_makes_no_pattern() -> None:
    leaf = grown(300).leaves[2]
    assert shape_of(leaf) is not None
    assert shape_of(grown(300).leaves[0]) is None  # a boot's first leaf has no number
    assert shape_of(leaf + b"\x10\x01") is None
    assert shape_of(leaf[2:] + b"\x09" + bytes(8)) is not None
