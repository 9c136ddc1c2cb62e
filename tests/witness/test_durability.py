"""What was cosigned is never forgotten: not by kill -9, not by a race, not by a full disk. And state and key stay together."""

import os
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

import pytest
from tests.witness.log_twin import LogTwin
from tests.witness.witness_process import NAME, WitnessProcess

from vault import durable
from vault.audit.checkpoint import open_checkpoint
from vault.audit.cosignature import verify_cosignature
from vault.audit.note import parse_note
from vault.witness import key_file
from vault.witness.errors import OutdatedError, RefusedError, WitnessError
from vault.witness.key_file import WitnessKey
from vault.witness.state import State, open_state
from vault.witness.witness import Witness


@pytest.fixture
def log() -> LogTwin:
    return LogTwin("example.org/log")


@pytest.fixture
def opened(tmp_path: Path, log: LogTwin) -> Iterator[tuple[WitnessKey, State]]:
    with open_state(tmp_path / "state", tmp_path / "witness.key", NAME, [log.origin]) as both:
        yield both


def size_of(witness: WitnessProcess, log: LogTwin) -> int:
    """Where the witness is, by its own word."""
    answer = witness.post(log.submission(150, 150))
    return 150 if answer.status == 200 else int(answer.text)


# --- kill -9 ---


def test_kill_between_requests_loses_nothing_that_was_accepted(tmp_path: Path, log: LogTwin) -> None:
    size = 0
    for step in range(1, 5):
        with WitnessProcess(tmp_path, [log.verifier]) as witness:
            if size:
                assert size_of(witness, log) == size
                note = parse_note(witness.get(f"/{log.origin_hash}/checkpoint").text)
                assert open_checkpoint(note.encode(), log.verifier)[0].size == size
                assert verify_cosignature(note, witness.verifier)
            assert witness.post(log.submission(size, size + step)).status == 200
            witness.kill()
        size += step


def test_kill_amid_requests_loses_nothing_that_was_accepted(tmp_path: Path, log: LogTwin) -> None:
    accepted = 0
    for limit in (20, 60, 140):
        with WitnessProcess(tmp_path, [log.verifier]) as witness, ThreadPoolExecutor(1) as threads:
            begun = threading.Event()
            running = threads.submit(grow, witness, log, accepted, limit, begun)
            assert begun.wait(60)
            witness.kill()
            accepted = running.result()
        with open_state(tmp_path / "state", tmp_path / "witness.key", NAME, [log.origin]) as (_, state):
            newest = state.newest(log.origin)
        assert newest is not None
        assert accepted <= newest.size <= accepted + 1  # one may have been written whose answer nobody got
        accepted = newest.size


def grow(witness: WitnessProcess, log: LogTwin, size: int, limit: int, begun: threading.Event) -> int:
    """Post one entry more at a time until the witness is killed; the last size that was cosigned."""
    try:
        while size < limit and witness.post(log.submission(size, size + 1)).status == 200:
            size += 1
            begun.set()
    except (OSError, HTTPException):  # the connection ended with the witness
        pass
    return size


def test_a_restart_keeps_key_state_and_refusals(tmp_path: Path, log: LogTwin) -> None:
    with WitnessProcess(tmp_path, [log.verifier]) as witness:
        vkey = witness.vkey
        assert witness.post(log.submission(0, 9)).status == 200
        assert witness.stop() == 0
    with WitnessProcess(tmp_path, [log.verifier]) as witness:
        assert witness.vkey == vkey
        fork = LogTwin(log.origin, log.key, branch="another", fork_at=3)
        assert witness.post(fork.submission(9, 12)).status == 422
        assert witness.post(fork.submission(0, 12)) == (409, "text/x.tlog.size", "9\n")
        assert witness.post(log.submission(9, 12)).status == 200


# --- races ---


def test_of_several_posts_from_one_size_exactly_one_is_cosigned(tmp_path: Path, log: LogTwin) -> None:
    with WitnessProcess(tmp_path, [log.verifier]) as witness, ThreadPoolExecutor(8) as threads:
        size = 0
        for _ in range(12):
            ahead = list(range(1, 9))
            answers = list(threads.map(lambda step, size=size: witness.post(log.submission(size, size + step)), ahead))
            [winner] = [step for step, answer in zip(ahead, answers, strict=True) if answer.status == 200]
            size += winner
            losers = [answer for answer in answers if answer.status != 200]
            assert losers == [(409, "text/x.tlog.size", f"{size}\n")] * 7
            assert size_of(witness, log) == size


def test_while_one_submission_is_being_cosigned_no_other_is_looked_at(opened: tuple[WitnessKey, State], log: LogTwin) -> None:
    """The race of tlog-witness: N checked, N + K checked, N + K stored, N stored over it."""
    key, state = opened
    second: list[str] = []
    other_done = threading.Event()
    overtaken: list[bool] = []

    def post_second() -> None:
        try:
            second.append(Witness(key, state, [log.verifier]).add_checkpoint(log.submission(0, 9)))
        except OutdatedError as refusal:
            second.append(f"outdated {refusal.size}")
        other_done.set()

    thread = threading.Thread(target=post_second)

    def clock() -> float:
        """Asked between check and write: gives the other submission every chance."""
        thread.start()
        overtaken.append(other_done.wait(0.5))
        return 1_790_000_000.0

    Witness(key, state, [log.verifier], clock=clock).add_checkpoint(log.submission(0, 7))
    thread.join()
    assert overtaken == [False]
    assert second == ["outdated 7"]


# --- the disk ---


def test_the_state_is_synced_before_the_answer(
    opened: tuple[WitnessKey, State], log: LogTwin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    steps: list[str] = []

    def watched(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def step(*arguments: object) -> object:
            steps.append("sync folder" if name == "sync" and stat.S_ISDIR(os.fstat(arguments[0]).st_mode) else name)  # type: ignore[arg-type]
            return real(*arguments)

        return step

    monkeypatch.setattr(durable.os, "fsync", watched("sync", os.fsync))
    monkeypatch.setattr(durable.os, "replace", watched("replace", os.replace))
    key, state = opened
    Witness(key, state, [log.verifier]).add_checkpoint(log.submission(0, 7))
    assert steps == ["sync", "replace", "sync folder"]
    assert not (tmp_path / "state" / f"{log.origin_hash}.new").exists()


@pytest.mark.parametrize("failing", ["fsync", "replace", "open"])
def test_nothing_is_cosigned_if_the_state_cannot_be_written(
    opened: tuple[WitnessKey, State], log: LogTwin, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    key, state = opened
    witness = Witness(key, state, [log.verifier])
    witness.add_checkpoint(log.submission(0, 7))
    with monkeypatch.context() as broken:
        broken.setattr(durable.os, failing, lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space left"):
            witness.add_checkpoint(log.submission(7, 9))
    newest = state.newest(log.origin)
    assert newest is not None
    assert newest.size == 7
    assert witness.add_checkpoint(log.submission(7, 9)).startswith("— ")


def test_a_state_that_cannot_be_written_is_500_and_said_to_the_operator(tmp_path: Path, log: LogTwin) -> None:
    with WitnessProcess(tmp_path, [log.verifier]) as witness:
        assert witness.post(log.submission(0, 7)).status == 200
        (tmp_path / "state" / f"{log.origin_hash}.new").mkdir()  # in the way of the next file
        answer = witness.post(log.submission(7, 9))
        assert (answer.status, "— " in answer.text) == (500, False)
        assert "state: " in witness.log
        assert str(tmp_path) not in answer.text
        assert size_of(witness, log) == 7


def test_a_damaged_state_stops_that_log_and_the_next_start(tmp_path: Path, log: LogTwin) -> None:
    path = tmp_path / "state" / log.origin_hash
    with WitnessProcess(tmp_path, [log.verifier]) as witness:
        assert witness.post(log.submission(0, 7)).status == 200
        good = path.read_text("utf-8")
        forged = good.replace("\n7\n", "\n3\n")
        for content in [forged, "", "\xff", good[:-20], log.checkpoint(7), LogTwin("example.org/other").checkpoint(7)]:
            path.write_text(content, "utf-8")
            assert witness.post(log.submission(7, 9)).status == 500
            assert witness.post(log.submission(3, 9)).status == 500
        path.write_text(good, "utf-8")
        assert witness.post(log.submission(7, 9)).status == 200
    path.write_text(forged, "utf-8")
    with (
        pytest.raises(WitnessError, match="its state is damaged"),
        open_state(tmp_path / "state", tmp_path / "witness.key", NAME, [log.origin]),
    ):
        pass


def test_another_logs_checkpoint_in_this_logs_place_is_damage(
    opened: tuple[WitnessKey, State], tmp_path: Path, log: LogTwin
) -> None:
    key, state = opened
    other = LogTwin("example.org/other")
    both = State(tmp_path / "state", key.verifier, [log.origin, other.origin])
    Witness(key, both, [other.verifier]).add_checkpoint(other.submission(0, 3))
    (tmp_path / "state" / other.origin_hash).rename(tmp_path / "state" / log.origin_hash)
    with pytest.raises(WitnessError, match="its state is damaged"):
        state.newest(log.origin)


# --- key and state ---


def start(tmp_path: Path, *, name: str = NAME, key: str = "witness.key", state: str = "state") -> str:
    """The vkey of a witness that starts and ends at once."""
    with open_state(tmp_path / state, tmp_path / key, name, []) as (found, _):
        return found.verifier.vkey


def test_the_first_start_makes_a_private_key_and_state(tmp_path: Path) -> None:
    vkey = start(tmp_path)
    assert stat.S_IMODE((tmp_path / "witness.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert (tmp_path / "state" / "vkey").read_text("utf-8") == vkey + "\n"
    assert start(tmp_path, name="") == vkey
    assert key_file.read(tmp_path / "witness.key").verifier.vkey == vkey


def test_a_key_whose_state_is_gone_is_refused(tmp_path: Path) -> None:
    start(tmp_path)
    with pytest.raises(WitnessError, match="could cosign a fork"):
        start(tmp_path, state="elsewhere")
    assert not (tmp_path / "elsewhere" / "vkey").exists()


def test_a_state_whose_key_is_gone_is_refused(tmp_path: Path) -> None:
    start(tmp_path)
    (tmp_path / "witness.key").unlink()
    with pytest.raises(WitnessError, match=r"key .* is missing"):
        start(tmp_path)
    assert not (tmp_path / "witness.key").exists()


def test_a_key_and_a_state_of_two_witnesses_are_refused(tmp_path: Path) -> None:
    start(tmp_path)
    start(tmp_path, key="other.key", state="other")
    with pytest.raises(WitnessError, match="belongs to another key"):
        start(tmp_path, key="other.key")


def test_a_witness_keeps_its_name(tmp_path: Path) -> None:
    start(tmp_path)
    with pytest.raises(WitnessError, match=f"is the key of {NAME}"):
        start(tmp_path, name="another.example.org")


def test_a_first_start_needs_a_name_that_can_be_one(tmp_path: Path) -> None:
    for name, match in [("", "a name is needed"), ("two words", "name"), ("a+b", "name")]:
        with pytest.raises(WitnessError, match=match):
            start(tmp_path, name=name)
    assert not (tmp_path / "state" / "vkey").exists()


def test_a_key_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        start(tmp_path, key="missing/witness.key")
    start(tmp_path)


def test_a_second_witness_on_one_state_is_refused(opened: tuple[WitnessKey, State], tmp_path: Path) -> None:
    with pytest.raises(WitnessError, match="another witness runs"):
        start(tmp_path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_key_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    start(tmp_path)
    (tmp_path / "witness.key").chmod(mode)
    with pytest.raises(WitnessError, match="chmod 600"):
        start(tmp_path)


def test_a_key_file_is_one_line_of_name_id_and_key(tmp_path: Path) -> None:
    start(tmp_path)
    path = tmp_path / "witness.key"
    good = path.read_text("utf-8")
    assert good.startswith(f"PRIVATE+KEY+{NAME}+")
    first = good.split("+")[3]
    for bad in ["", "\n", good[1:], good + "\n", good.replace(NAME, "other.example.org"), good.replace(first, "00000000"), "\xff"]:
        path.write_text(bad, "latin-1")
        with pytest.raises(WitnessError, match="not a witness's key file") as error:
            start(tmp_path)
        assert good.strip().split("+", 4)[4] not in str(error.value)
    path.write_text(good)
    assert repr(key_file.read(path)) == f"WitnessKey({start(tmp_path)})"


def test_no_refusal_holds_more_than_it_must(opened: tuple[WitnessKey, State], log: LogTwin) -> None:
    key, state = opened
    with pytest.raises(RefusedError) as error:
        Witness(key, state, []).add_checkpoint(log.submission(0, 3))
    assert log.origin not in str(error.value)
