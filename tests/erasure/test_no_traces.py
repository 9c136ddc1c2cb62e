"""After an erasure no file holds the person's wrapped keys, envelopes or hashes any more; values and bare keys never were there."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from deploy.local_stack.postgres import PostgresServer
from tests.erasure.test_erase import uid_of
from tests.erasure.working import Working, working
from tests.harness import make_vault
from tests.server.canaries import SUBJECT, VALUES, traces
from tests.use_cases.requests import DETERMINISTIC, tokenize, tokens_of

from vault.crypto import binding
from vault.crypto.keys import LABEL_ITEM, LABEL_WRAP, unwrap
from vault.server.backends import database_key
from vault.store import tables as t
from vault.store.engine import reading
from vault.store.rows import SubjectKeyRow

PAGE, RESERVED, IV, SALT = 4096, 80, 16, 16


@dataclass(frozen=True)
class Person:
    """What is known of somebody before the erasure: what lies in the tables, and the bare keys that lie nowhere."""

    stored: list[bytes]
    bare: list[bytes]


def store(at_work: Working) -> Person:
    """Somebody with every class of value, and with all that is remembered of a request."""
    items = [(SUBJECT, name, content) for name, content in VALUES.items()]
    token = tokens_of(at_work.ask(tokenize(*items), "all"))[0]
    at_work.ask(tokenize((SUBJECT, "phone", VALUES["phone"]), token_kind=DETERMINISTIC), "all")
    uid, keys = uid_of(at_work, token), at_work.inside.keys()
    key: SubjectKeyRow = at_work.inside.row(t.subject_key, subject_uid=uid)
    bound = binding.subject_key(key.tenant_uid, uid, key.kind, key.version, key.key_id, key.epoch)
    bare = unwrap(keys.epoch(key.epoch).derive(LABEL_WRAP), key.wrapped, bound)
    items_of = at_work.inside.rows(t.item, subject_uid=uid)
    subject = at_work.inside.row(t.subject, uid=uid)
    tokens = [row.text.encode() for row in at_work.inside.rows(t.token, subject_uid=uid)]
    hashes = [row.fingerprint for row in items_of if row.fingerprint] + [row.deterministic for row in items_of if row.deterministic]
    envelopes = [row.envelope for row in items_of if len(row.envelope) < 1000]  # longer ones lie in more than one place
    digests = [row.digest for row in at_work.inside.rows(t.idempotency)]
    return Person(
        [key.wrapped, subject.subject_id, subject.lookup, *tokens, *hashes, *envelopes, *digests],
        [bare.raw, bare.derive(LABEL_ITEM).raw],
    )


def found(haystacks: dict[str, bytes], needles: list[bytes]) -> list[tuple[str, str]]:
    """Which needles are where."""
    return [(name, needle[:8].hex()) for name, haystack in haystacks.items() for needle in needles if needle in haystack]


def check_bare(folders: set[Path], person: Person) -> None:
    """No value, no name and no bare key is in any file, however it is written."""
    files = {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}
    assert len(files) > 5
    assert {path: seen for path, raw in files.items() if (seen := traces(raw) + traces(raw, *person.bare))} == {}


@pytest.fixture(scope="module")
def cluster() -> Iterator[PostgresServer]:
    """A PostgreSQL of this module's own, in whose files nothing else stands."""
    with PostgresServer() as server:
        yield server


def test_on_postgresql_vacuum_takes_what_was_deleted_out_of_the_tables_files(cluster: PostgresServer, tmp_path: Path) -> None:
    url = cluster.create_database("erased")
    files = Path(str(sa.make_url(url).query["host"]))

    def tables() -> dict[str, bytes]:
        with at_work.node.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in ("idempotency", "idempotency_subject", "item", "subject", "subject_key", "token"):
                connection.exec_driver_sql(f"VACUUM (FULL) {table}")
            connection.exec_driver_sql("CHECKPOINT")
        return {path.name: path.read_bytes() for path in files.rglob("base/*/*") if path.is_file()}

    with working(make_vault(tmp_path, database=f'url = "{url}"')) as at_work:
        person = store(at_work)
        assert {needle for _, needle in found(tables(), person.stored)} == {needle[:8].hex() for needle in person.stored}
        at_work.erase(SUBJECT)
        assert found(tables(), person.stored) == []
        check_bare({files, tmp_path}, person)


def test_in_an_sqlite_file_what_was_deleted_is_overwritten_at_once(tmp_path: Path) -> None:
    with working(make_vault(tmp_path)) as at_work:
        person = store(at_work)
        at_work.run(at_work.eraser.round())  # the log is written back into the file
        assert {needle for _, needle in found(pages(at_work, tmp_path), person.stored)} == {
            needle[:8].hex() for needle in person.stored
        }
        at_work.erase(SUBJECT)
        assert (tmp_path / "vault.db-wal").stat().st_size == 0
        assert found(pages(at_work, tmp_path), person.stored) == []
        check_bare({tmp_path}, person)


def pages(at_work: Working, folder: Path) -> dict[str, bytes]:
    """What is in the file, decrypted."""
    return {"vault.db": decrypted(at_work, folder / "vault.db")}


def decrypted(at_work: Working, path: Path) -> bytes:
    """The pages of an SQLCipher file as SQLite has them, free ones too (format of SQLCipher 4, with a raw key)."""
    raw, key = path.read_bytes(), database_key(path, at_work.node.key_manager).raw
    pages = []
    for start in range(0, len(raw), PAGE):
        page = raw[start : start + PAGE]
        vector, content = page[PAGE - RESERVED :][:IV], page[SALT if start == 0 else 0 : PAGE - RESERVED]
        decryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
        pages.append(decryptor.update(content) + decryptor.finalize())
    return b"".join(pages)


def test_while_somebody_reads_what_was_before_the_file_is_cleaned_later(tmp_path: Path) -> None:
    with working(make_vault(tmp_path)) as at_work:
        person, log = store(at_work), tmp_path / "vault.db-wal"
        with reading(at_work.node.engine, 1.0) as connection:
            assert connection.scalar(sa.select(sa.func.count()).select_from(t.subject)) == 1
            assert at_work.erase(SUBJECT).subject_id == SUBJECT
            assert log.stat().st_size > 0
        at_work.resume()
        assert log.stat().st_size == 0
        assert found(pages(at_work, tmp_path), person.stored) == []
