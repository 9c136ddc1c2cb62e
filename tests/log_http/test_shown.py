"""Only checkpoints that the log has signed, of the tree that is there, are served; and never one older than one before."""

import base64
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.harness import NewVault, context
from tests.log_http.built_log import BuiltLog
from tests.log_http.checker import Reader
from tests.log_http.site import Site, site
from tests.witness_client.double import Double

from vault.audit.note import parse_vkey
from vault.errors import VaultError
from vault.server.log_http.files import Content, LogFiles
from vault.store import tables as t
from vault.v1 import common_pb2, vault_service_pb2

Until = Callable[[Callable[[], object]], None]
WITNESS = Double("w.example")


@pytest.fixture
def files(engine: sa.Engine, log_keys: dict[bytes, bytes]) -> LogFiles:
    return LogFiles(engine, log_keys.__getitem__, [parse_vkey(WITNESS.vkey)])


@pytest.fixture
def log(new_log: Callable[[], BuiltLog]) -> BuiltLog:
    """A log of 300 entries, all of them published."""
    made = new_log()
    made.grow([b"entry %d" % index for index in range(300)])
    made.publish(300)
    return made


def put(log: BuiltLog, checkpoint: str, size: int) -> None:
    """Write a checkpoint into the log's row, as whoever may write to the database can."""
    with log.engine.begin() as connection:
        row = t.audit_log.update().where(t.audit_log.c.tenant_uid == log.uid)
        connection.execute(row.values(checkpoint=checkpoint, checkpoint_size=size))


def signed_by(log: BuiltLog, key: Ed25519PrivateKey, text: str) -> str:
    """The note that another key signs in the log's name, with the id of the log's own key."""
    return f"{text}\n— {log.origin} {base64.b64encode(log.key_id + key.sign(text.encode())).decode()}\n"


def reason(work: Callable[[], object]) -> str:
    with pytest.raises(VaultError) as refused:
        work()
    return refused.value.reason_name


def text_of(content: Content | None) -> str:
    assert content is not None
    return b"".join(piece() for piece in content.pieces).decode()


@pytest.mark.parametrize("seen", [False, True], ids=["at first", "after a good one"])
@pytest.mark.parametrize("how", ["another key", "no signature", "another log", "another root", "another size", "beyond the tree"])
def test_what_is_no_checkpoint_of_the_log_is_not_served(
    how: str, seen: bool, log: BuiltLog, new_log: Callable[[], BuiltLog], files: LogFiles
) -> None:
    other = new_log()
    other.grow([b"of another log"] * 300)
    size_line = {"another size": "299", "beyond the tree": "301"}.get(how, "300")
    root_line = base64.b64encode(bytes(32)).decode()
    by_the_log = log._sign
    false_text = f"{log.origin}\n{size_line}\n{root_line}\n"
    notes = {
        "another key": signed_by(log, Ed25519PrivateKey.generate(), log.text(300)),
        "no signature": f"{log.text(300)}\n",
        "another log": other.note(300),
    }
    own = f"{false_text}\n— {log.origin} {base64.b64encode(log.key_id + by_the_log(false_text.encode())).decode()}\n"
    if seen:
        assert files.published(log.uid)
    put(log, notes.get(how, own), 301 if how == "beyond the tree" else 300)
    assert reason(lambda: files.published(log.uid)) == "INTEGRITY"
    put(log, log.note(300), 300)
    assert files.published(log.uid)


def test_an_older_checkpoint_that_is_put_back_is_not_served(log: BuiltLog, files: LogFiles) -> None:
    put(log, log.note(299), 299)
    assert files.published(log.uid)
    put(log, log.note(300), 300)
    newest = files.published(log.uid)
    put(log, log.note(299), 299)
    assert reason(lambda: files.published(log.uid)) == "LOG_BEHIND_ANCHOR"
    put(log, log.note(300), 300)
    assert files.published(log.uid) == newest


def test_a_log_that_is_set_back_is_not_served(log: BuiltLog, files: LogFiles) -> None:
    assert files.published(log.uid)
    log.cut(200)
    log.publish(200)
    assert reason(lambda: files.published(log.uid)) == "LOG_BEHIND_ANCHOR"
    log.grow([b"another story %d" % index for index in range(150)])
    log.publish(350)
    assert reason(lambda: files.published(log.uid)) == "LOG_BEHIND_ANCHOR"


@pytest.mark.parametrize("how", ["no checkpoint", "no row"])
def test_a_log_that_was_there_does_not_end_as_one_that_never_was(how: str, log: BuiltLog, files: LogFiles) -> None:
    assert files.published(log.uid)
    put(log, "", 0)
    if how == "no row":
        with log.engine.begin() as connection:
            connection.execute(t.audit_log.delete().where(t.audit_log.c.tenant_uid == log.uid))
    assert reason(lambda: files.published(log.uid)) == "LOG_BEHIND_ANCHOR"


def test_a_checkpoint_is_verified_once(log: BuiltLog, log_keys: dict[bytes, bytes]) -> None:
    asked: list[bytes] = []
    statements: list[str] = []

    def key(log_uid: bytes) -> bytes:
        asked.append(log_uid)
        return log_keys[log_uid]

    def executed(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    files = LogFiles(log.engine, key, [])
    first = files.published(log.uid)
    sa.event.listen(log.engine, "before_cursor_execute", executed)
    try:
        assert files.published(log.uid) is first
    finally:
        sa.event.remove(log.engine, "before_cursor_execute", executed)
    assert asked == [log.uid]
    assert not [statement for statement in statements if "audit_entry" in statement or "audit_node" in statement]


def test_a_row_that_was_read_before_a_newer_one_was_shown_is_no_older_checkpoint(log: BuiltLog, files: LogFiles) -> None:
    shown = files._published
    before = shown.newest(log.uid)
    newest = files.published(log.uid)
    with files._log(log.uid) as audit_log:
        assert shown.show(audit_log, log.note(299), 299, before).size == 299
    assert shown.newest(log.uid) == newest


def test_without_the_kms_only_what_is_verified_already_is_served(log: BuiltLog, log_keys: dict[bytes, bytes]) -> None:
    keys = dict(log_keys)

    def key(log_uid: bytes) -> bytes:
        if log_uid not in keys:
            raise VaultError(common_pb2.ERROR_REASON_KMS_UNAVAILABLE, "the KMS does not answer")
        return keys[log_uid]

    files = LogFiles(log.engine, key, [])
    put(log, log.note(299), 299)
    assert files.published(log.uid)
    keys.clear()
    assert files.published(log.uid)
    put(log, log.note(300), 300)
    assert reason(lambda: files.published(log.uid)) == "KMS_UNAVAILABLE"


def test_a_cosigned_checkpoint_is_shown_under_the_same_rules(log: BuiltLog, files: LogFiles) -> None:
    def cosigned(checkpoint: str, size: int) -> None:
        line = WITNESS.line(checkpoint.rpartition("\n\n")[0] + "\n")
        row = {"size": size, "checkpoint": checkpoint, "line": line, "time_us": 1, "problem": ""}
        with log.engine.begin() as connection:
            where = (t.audit_cosignature.c.tenant_uid == log.uid,)
            if not connection.execute(t.audit_cosignature.update().where(*where).values(row)).rowcount:
                key = {"tenant_uid": log.uid, "witness": WITNESS.name}
                connection.execute(t.audit_cosignature.insert().values(row | key))

    cosigned(log.note(200), 200)
    assert text_of(files.cosigned_checkpoint(log.uid)) == log.note(200) + WITNESS.line(log.text(200))
    cosigned(log.note(100), 100)
    assert reason(lambda: files.cosigned_checkpoint(log.uid)) == "LOG_BEHIND_ANCHOR"
    cosigned(signed_by(log, Ed25519PrivateKey.generate(), log.text(300)), 300)
    assert reason(lambda: files.cosigned_checkpoint(log.uid)) == "INTEGRITY"
    cosigned(log.note(299), 300)
    assert reason(lambda: files.cosigned_checkpoint(log.uid)) == "INTEGRITY"


# Through a server.


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory, new_vault: NewVault) -> Iterator[Site]:
    vault = new_vault("postgres", tmp_path_factory.mktemp("shown"))
    with site(vault, "public = true") as found:
        yield found


def row_of(found: Site) -> tuple[str, int]:
    c = t.audit_log.c
    with found.vault.node() as node, node.engine.connect() as connection:
        checkpoint, size = connection.execute(sa.select(c.checkpoint, c.checkpoint_size).where(c.tenant_uid == found.uid())).one()
    return checkpoint, size


def is_refused(found: Site, reader: Reader, checkpoint: str, size: int, expected: str) -> bool:
    """Put a checkpoint into the row, and ask at once, before the server can publish another."""
    with found.vault.node() as node, node.engine.begin() as connection:
        row = t.audit_log.update().where(t.audit_log.c.tenant_uid == found.uid())
        connection.execute(row.values(checkpoint=checkpoint, checkpoint_size=size))
    answers = [reader.ask(f"/{found.uid().hex()}/{file}") for file in ("checkpoint", "tile/0/000.p/1")]
    return [(answer.status, answer.body) for answer in answers] == [(503, f"{expected}\n".encode())] * 2


def test_strangers_are_shown_no_older_and_no_forged_checkpoint(public: Site, until: Until) -> None:
    stranger = public.reader(None)
    until(lambda: public.published_size(reader=stranger) >= 1)
    checkpoint, size = row_of(public)
    public.server.caller().call(vault_service_pb2.ListDataClassesRequest(context=context()))
    until(lambda: public.published_size(reader=stranger) > size)
    until(partial(is_refused, public, stranger, checkpoint, size, "LOG_BEHIND_ANCHOR"))
    forged = checkpoint.rpartition("— ")[0] + f"— {public.origin()} {base64.b64encode(bytes(68)).decode()}\n"
    until(partial(is_refused, public, stranger, forged, size, "INTEGRITY"))
