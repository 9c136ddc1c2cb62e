"""What is served of a log, file by file: all that its published checkpoint covers, nothing beyond it, and just those bytes."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.log_http.built_log import BuiltLog
from tests.witness_client.double import Double

from vault.audit.note import parse_vkey
from vault.audit.tiles import Tile
from vault.errors import VaultError
from vault.server.log_http.files import Content, LogFiles, Wanted, parse_url_path
from vault.store import tables as t
from vault.store.engine import reading

LARGE = 66_000
BIG = 65_535
AHEAD, BEHIND, LEVEL = WITNESSES = [Double(f"{name}.example") for name in ("ahead", "behind", "level")]


def entry(index: int) -> bytes:
    return b"entry %d of a log" % index


@pytest.fixture(scope="module")
def large(new_log: Callable[[], BuiltLog]) -> BuiltLog:
    log = new_log()
    log.grow([entry(index) for index in range(LARGE)])
    return log


@pytest.fixture(scope="module")
def files(engine: sa.Engine, log_keys: dict[bytes, bytes]) -> LogFiles:
    return LogFiles(engine, log_keys.__getitem__, [parse_vkey(witness.vkey) for witness in WITNESSES])


def data(content: Content | None) -> bytes:
    assert content is not None
    joined = b"".join(piece() for piece in content.pieces)
    assert len(joined) == content.length
    return joined


def bundle(entries: list[bytes]) -> bytes:
    return b"".join(len(each).to_bytes(2, "big") + each for each in entries)


def partial_widths(size: int) -> dict[int, int]:
    """C2SP tlog-tiles: at level l the partial tile of a tree of a size has floor(size / 256^l) mod 256 hashes."""
    return {level: size // 256**level % 256 for level in range(8) if size // 256**level % 256}


def check_everything_at(size: int, log: BuiltLog, files: LogFiles) -> None:
    note = log.publish(size)
    published = files.published(log.uid)
    assert published is not None
    assert published.size == size
    assert data(files.checkpoint(log.uid, published)).decode() == note
    for level in range(9):
        hashes = log.hashes[level][: size // 256**level] if level < len(log.hashes) else []
        for index in {0, len(hashes) // 512, max(0, len(hashes) // 256 - 1), len(hashes) // 256}:
            there = hashes[index * 256 : (index + 1) * 256]
            for width in {1, len(there) // 2, len(there) - 1, len(there)} & set(range(1, len(there) + 1)):
                assert Tile(level, index, width).is_within(published.size)
                assert data(files.tile(log.uid, Tile(level, index, width))) == b"".join(there[:width])
                if not level:
                    assert Tile(None, index, width).is_within(published.size)
                    wanted = log.entries[index * 256 :][:width]
                    assert data(files.tile(log.uid, Tile(None, index, width))) == bundle(wanted)
            for width in range(len(there) + 1, 257):
                assert not Tile(level, index, width).is_within(published.size)
                assert level or not Tile(None, index, width).is_within(published.size)
        if size // 256**level % 256:
            assert Tile(level, len(hashes) // 256, partial_widths(size)[level]).is_within(published.size)
        assert not Tile(level, len(hashes) // 256 + 1, 1).is_within(published.size)


@settings(max_examples=15)
@given(size=st.integers(0, LARGE))
@example(size=0)
@example(size=1)
@example(size=255)
@example(size=256)
@example(size=257)
@example(size=65_535)
@example(size=65_536)
@example(size=65_537)
@example(size=LARGE)
def test_all_that_a_checkpoint_covers_is_served_and_nothing_else(size: int, large: BuiltLog, log_keys: dict[bytes, bytes]) -> None:
    check_everything_at(size, large, LogFiles(large.engine, log_keys.__getitem__, []))  # each example begins anew, since sizes fall


def test_every_partial_tile_of_every_size_there_was_is_served_as_the_log_grows(
    new_log: Callable[[], BuiltLog], files: LogFiles
) -> None:
    log, seen = new_log(), set[int]()
    for step in (1, 2, 3, 249, 1, 1, 5, 250, 130):
        log.grow([entry(len(log.entries) + n) for n in range(step)])
        seen.add(len(log.entries))
        log.publish(len(log.entries))
        published = files.published(log.uid)
        for size in seen:
            for level, width in partial_widths(size).items():
                index = size // 256 ** (level + 1)
                assert published
                assert Tile(level, index, width).is_within(published.size)
                hashes = log.hashes[level][index * 256 :][:width]
                assert data(files.tile(log.uid, Tile(level, index, width))) == b"".join(hashes)


def test_a_bundle_of_the_largest_entries_comes_in_pieces(new_log: Callable[[], BuiltLog], files: LogFiles) -> None:
    log = new_log()
    log.grow([bytes([index % 251]) * (BIG if index % 2 else BIG - index) for index in range(40)])
    log.publish(40)
    content = files.tile(log.uid, Tile(None, 0, 40))
    assert len(content.pieces) == 3
    assert data(content) == bundle(log.entries)


def test_logs_of_tenants_are_apart(new_log: Callable[[], BuiltLog], files: LogFiles) -> None:
    one, other = new_log(), new_log()
    one.grow([b"one"])
    other.grow([b"other", b"another"])
    one.publish(1)
    other.publish(2)
    assert data(files.tile(one.uid, Tile(None, 0, 1))) == bundle([b"one"])
    assert data(files.tile(other.uid, Tile(None, 0, 2))) == bundle([b"other", b"another"])
    assert files.published(b"\xff" * 16) is None


def cosign(log: BuiltLog, witness: Double, size: int, line: str | None = None) -> str:
    """Store a cosignature of the checkpoint of a size, by default a good one; its line."""
    line = witness.line(log.text(size)) if line is None else line
    row = {"tenant_uid": log.uid, "witness": witness.name, "size": size, "line": line, "time_us": 1, "problem": ""}
    with log.engine.begin() as connection:
        connection.execute(t.audit_cosignature.insert().values(row | {"checkpoint": log.note(size)}))
    return line


def test_a_checkpoint_comes_with_the_cosignatures_of_just_its_size(new_log: Callable[[], BuiltLog], files: LogFiles) -> None:
    log = new_log()
    log.grow([b"1", b"2", b"3"])
    log.publish(3)
    ahead, _, level = cosign(log, AHEAD, 3), cosign(log, BEHIND, 2), cosign(log, LEVEL, 3)
    published = files.published(log.uid)
    assert published
    both = log.note(3) + ahead + level
    assert data(files.checkpoint(log.uid, published)).decode() == both
    assert data(files.cosigned_checkpoint(log.uid)).decode() == both

    log.grow([b"4"])
    log.publish(4)
    published = files.published(log.uid)
    assert published
    assert data(files.checkpoint(log.uid, published)).decode() == log.note(4)
    assert data(files.cosigned_checkpoint(log.uid)).decode() == both


def test_there_is_no_cosigned_checkpoint_without_a_cosignature(new_log: Callable[[], BuiltLog], files: LogFiles) -> None:
    log = new_log()
    log.grow([b"1"])
    log.publish(1)
    assert files.cosigned_checkpoint(log.uid) is None
    cosign(log, AHEAD, 0, "")  # of a witness that has only contradicted
    assert files.cosigned_checkpoint(log.uid) is None


FORGED = {
    "no line": lambda _: "\n\nanything at all\n",
    "a stranger's, in the witness's name": lambda text: AHEAD.line(text, Ed25519PrivateKey.generate()),
    "of another checkpoint": lambda text: AHEAD.line(f"{text}more\n"),
    "another witness's": LEVEL.line,
    "a text more": lambda text: f"anything at all\n\n{AHEAD.line(text)}",
    "another's line beside it": lambda text: AHEAD.line(text) + LEVEL.line(text),
}


@pytest.mark.parametrize("how", FORGED)
def test_a_cosignature_that_its_witness_never_gave_is_not_served(
    how: str, new_log: Callable[[], BuiltLog], files: LogFiles
) -> None:
    log = new_log()
    log.grow([b"1"])
    log.publish(1)
    published = files.published(log.uid)
    assert published
    cosign(log, AHEAD, 1, FORGED[how](log.text(1)))
    assert reason(lambda: files.checkpoint(log.uid, published)) == "INTEGRITY"
    assert reason(lambda: files.cosigned_checkpoint(log.uid)) == "INTEGRITY"


@pytest.mark.parametrize("witness", [Double("unknown.example"), Double(AHEAD.name)], ids=["unknown", "by its former key"])
def test_only_configured_witnesses_cosignatures_are_served(
    witness: Double, new_log: Callable[[], BuiltLog], files: LogFiles
) -> None:
    log = new_log()
    log.grow([b"1"])
    log.publish(1)
    cosign(log, witness, 1)
    published = files.published(log.uid)
    assert published
    assert data(files.checkpoint(log.uid, published)).decode() == log.note(1)
    assert files.cosigned_checkpoint(log.uid) is None


def reason(work: Callable[[], object]) -> str:
    with pytest.raises(VaultError) as refused:
        work()
    return refused.value.reason_name


@pytest.mark.parametrize(
    "column",
    [{"checkpoint": "no note"}, {"checkpoint_size": 2}, {"origin": "other.example.org"}],
    ids=lambda column: next(iter(column)),
)
def test_a_head_that_does_not_fit_its_checkpoint_is_not_served(
    column: dict[str, object], new_log: Callable[[], BuiltLog], files: LogFiles
) -> None:
    log = new_log()
    log.grow([b"1"])
    log.publish(1)
    with log.engine.begin() as connection:
        connection.execute(t.audit_log.update().where(t.audit_log.c.tenant_uid == log.uid).values(column))
    assert reason(lambda: files.published(log.uid)) == "INTEGRITY"


@pytest.mark.parametrize("gone", [0, 299, 300, 599])
def test_a_missing_row_is_said_and_not_papered_over(gone: int, new_log: Callable[[], BuiltLog], files: LogFiles) -> None:
    log = new_log()
    log.grow([entry(index) for index in range(600)])
    log.publish(600)
    index, width = gone // 256, 256 if gone < 512 else 88
    with log.engine.begin() as connection:
        c = t.audit_entry.c
        connection.execute(t.audit_entry.delete().where(c.tenant_uid == log.uid, c.leaf_index == gone))
        connection.execute(t.audit_node.delete().where(t.audit_node.c.tenant_uid == log.uid))
    assert reason(lambda: files.tile(log.uid, Tile(0, index, width))) == "INTEGRITY"
    assert reason(lambda: files.tile(log.uid, Tile(None, index, width))) == "INTEGRITY"
    assert reason(lambda: files.tile(log.uid, Tile(1, 0, 2))) == "INTEGRITY"


def test_reading_sees_one_snapshot_and_holds_up_no_writer(new_log: Callable[[], BuiltLog], engine: sa.Engine) -> None:
    log = new_log()
    log.grow([b"1"])
    count = sa.select(sa.func.count()).select_from(t.audit_entry).where(t.audit_entry.c.tenant_uid == log.uid)
    with reading(engine, 5) as connection:
        assert connection.scalar(count) == 1
        log.grow([b"2"])
        assert connection.scalar(count) == 1
    with engine.begin() as writing:
        writing.execute(t.audit_entry.delete().where(t.audit_entry.c.tenant_uid == log.uid))
        with reading(engine, 5) as connection:
            assert connection.scalar(count) == 2


GOOD = [
    ("checkpoint", Wanted(bytes(16), None)),
    ("cosigned-checkpoint", Wanted(bytes(16), None, cosigned=True)),
    ("tile/0/000", Wanted(bytes(16), Tile(0, 0, 256))),
    ("tile/1/x001/234.p/17", Wanted(bytes(16), Tile(1, 1234, 17))),
    ("tile/entries/x001/x234/067.p/255", Wanted(bytes(16), Tile(None, 1234067, 255))),
]


@pytest.mark.parametrize(("path", "wanted"), GOOD, ids=lambda value: value if isinstance(value, str) else "")
def test_every_file_has_one_path(path: str, wanted: Wanted) -> None:
    assert parse_url_path(f"/{bytes(16).hex()}/{path}") == wanted
    assert wanted.path == path


UID = "0f" * 16
BAD = [
    *("", "/", "//", f"/{UID}", f"/{UID}/", f"{UID}/checkpoint", f"//{UID}/checkpoint", "/checkpoint"),
    *(f"/{UID[:-1]}/checkpoint", f"/{UID}0/checkpoint", f"/{UID.upper()}/checkpoint", f"/{UID}/checkpoint/", f"/{UID}/Checkpoint"),
    *(f"/{UID}/checkpoint?", f"/{UID}/checkpoint?x=1", f"/{UID}/checkpoint#x", f"/{UID}/checkpoint%20", f"/{UID}/checkpoint\n"),
    *(f"/{UID}/tile/0/0", f"/{UID}/tile/0/0000", f"/{UID}/tile/00/000", f"/{UID}/tile/64/000", f"/{UID}/tile/-1/000"),
    *(f"/{UID}/tile/0/x000/001", f"/{UID}/tile/0/001/x000", f"/{UID}/tile/0/000.p/0", f"/{UID}/tile/0/000.p/256"),
    *(f"/{UID}/tile/0/000.p/01", f"/{UID}/tile/0/000.p", f"/{UID}/tile/0/000.p/", f"/{UID}/tile/0/000.p/1/"),
    *(f"/{UID}/tile/data/000", f"/{UID}/tile/0/../0/000", f"/{UID}/./checkpoint", f"/{UID}/tile/0/%30%30%30", f"/{UID}/tile/0/٠٠٠"),
    *(f"/{UID}/" + "x000/" * 500 + "000", f"/{UID}/tile/0/" + "x999/" * 7 + "999", "/../etc/passwd", f"/{UID}\\checkpoint", "*"),
]


@pytest.mark.parametrize("path", BAD)
def test_what_is_no_path_of_a_log_is_refused(path: str) -> None:
    assert reason(lambda: parse_url_path(path)) == "MALFORMED_REQUEST"
