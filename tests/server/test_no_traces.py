"""No value and no subject_id is written anywhere: databases, their logs, server logs and metrics are searched byte by byte."""

import base64
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from deploy.local_stack.postgres import PostgresServer
from tests.harness import Caller, Server, Vault, context, make_vault, reveal_request
from tests.server.canaries import SUBJECT, VALUES, traces
from tests.server.conftest import metrics
from tests.server.refusal import refused
from tests.server.requests import good, tokenize, value

from vault.store import tables as t
from vault.v1 import common_pb2
from vault.v1 import vault_service_pb2 as v1

ALIEN = "alien-canary-that-the-vault-never-saw"


@pytest.fixture
def sqlite(tmp_path: Path) -> tuple[Vault, Path]:
    vault = make_vault(tmp_path)
    return vault, tmp_path


@pytest.fixture(scope="module")
def cluster() -> Iterator[PostgresServer]:
    """A PostgreSQL of this module's own, in whose files nothing else stands."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres(cluster: PostgresServer, tmp_path: Path) -> tuple[Vault, Path]:
    url = cluster.create_database("vault")
    return make_vault(tmp_path, database=f'url = "{url}"'), Path(str(sa.make_url(url).query["host"]))


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_nothing_that_was_stored_revealed_or_refused_leaves_a_trace(database: str, request: pytest.FixtureRequest) -> None:
    vault, files = request.getfixturevalue(database)
    began = time.time()
    with Server(vault) as server:
        _use(server)
        counted = "\n".join(metrics(server)).encode()
        server.kill()  # so that write-ahead logs stay as they are
    assert b"vault_calls_total" in counted
    assert not traces(counted)
    _check_files({vault.folder, files}, began, "log" if database == "postgres" else "vault.db-wal")
    with vault.node() as node, node.engine.connect() as connection:
        if database == "postgres":
            connection.exec_driver_sql("CHECKPOINT")
        rows = [tuple(row) for table in t.metadata.sorted_tables for row in connection.execute(sa.select(table))]
    _check_files({vault.folder, files}, began, "pg_control" if database == "postgres" else "vault.db")
    assert len(rows) > 100
    for row in rows:  # also decrypted: SQLCipher alone would hide whatever we had written
        assert not traces(b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in row))


def _check_files(folders: set[Path], began: float, among: str) -> None:
    """Search every file that was written since."""
    everything = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    searched = [path for path in everything if path.stat().st_mtime > began - 1 or path.name == among]
    assert {"server.log", among} <= {path.name for path in searched}
    assert {path: found for path in searched if (found := traces(path.read_bytes()))} == {}


def _use(server: Server) -> None:
    """Do everything that can be done with the canaries, and much that can't."""
    caller, reader = server.caller("all"), server.caller("plain")
    stored = good("Tokenize")
    tokens = [result.token for result in caller.call(stored).results]
    assert [result.value for result in reader.call(reveal_request(*tokens)).results] == [item.value for item in stored.items]
    reader.call(reveal_request(*tokens, kind=common_pb2.FORM_KIND_MASKED))
    for data_class, token in zip(VALUES, tokens, strict=True):
        caller.call(v1.UpdateRequest(context=context(), items=[v1.UpdateItem(token=token, value=value(data_class))]))
        caller.call(tokenize(data_class, validation=common_pb2.VALIDATION_LENIENT, max_reveals=1, purposes=["a", "payout"]))
        comparison = v1.VerifyRequest(context=context(), items=[v1.VerifyItem(token=token, value=value(data_class))])
        search = v1.SearchRequest(context=context(), queries=[v1.SearchQuery(data_class=data_class, value=value(data_class))])
        if data_class in ("face_template", "free_text"):
            refused(lambda request=comparison: caller.call(request))
            refused(lambda request=search: caller.call(request))
        else:
            assert caller.call(comparison).results[0].matches
            assert caller.call(search).results[0].items[0].subject_id == SUBJECT
            caller.call(tokenize(data_class, token_kind=v1.TOKEN_KIND_DETERMINISTIC))
        refused(lambda name=data_class: caller.call(tokenize(name, value=_damaged(name))))
        refused(lambda name=data_class: server.caller("masked").call(tokenize(name)))
    _refuse(caller)
    twice = tokenize("phone")
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(server.caller("all").call, twice) for _ in range(8)]
        assert len({answer.result().results[0].token for answer in answers}) == 1
    caller.call(v1.DeleteRequest(context=context(), tokens=tokens[:1]))


def _damaged(data_class: str) -> common_pb2.Value:
    """A canary in a value that its class refuses."""
    canary = VALUES[data_class]
    return common_pb2.Value(text=canary * 30_000) if isinstance(canary, str) else common_pb2.Value(data=canary + b"!")


def _refuse(caller: Caller) -> None:
    """Canaries where no value belongs."""
    for canary in (text for text in VALUES.values() if isinstance(text, str)):
        for field in ("purpose", "request_id", "ground", "reference", "recipient"):
            request = good("Reveal")
            setattr(request.context, field, canary)
            refused(lambda request=request: caller.call(request))
        refused(lambda canary=canary: caller.call(reveal_request(canary[:64])))
        refused(lambda canary=canary: caller.raw("Tokenize", b"\xff" + canary.encode()))
        refused(lambda canary=canary: caller.raw(f"Reveal{canary[:8]}", canary.encode()))


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda raw: raw,
    "in hexadecimal": lambda raw: raw.hex().encode(),
    "in capital hexadecimal": lambda raw: raw.hex().upper().encode(),
    "in base64": base64.b64encode,
    "in URL-safe base64": base64.urlsafe_b64encode,
    "in base64 behind one byte": lambda raw: base64.b64encode(b"x" + raw),
    "in base64 behind two bytes": lambda raw: base64.b64encode(b"xy" + raw),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_search_finds_every_canary_in_every_form(form: str) -> None:
    for canary in (SUBJECT, *VALUES.values()):
        raw = canary.encode() if isinstance(canary, str) else canary
        assert traces(b"\0 before" + FORMS[form](raw) + b" after", canary)
    assert not traces(ALIEN.encode())


def test_the_search_would_find_what_a_database_had_written(cluster: PostgresServer) -> None:
    url = cluster.create_database("planted")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE planted (text text)")
        connection.execute(sa.text("INSERT INTO planted VALUES (:text)"), {"text": ALIEN})
    engine.dispose()
    files = Path(str(sa.make_url(url).query["host"])).rglob("*")
    assert "pg_wal" in {path.parent.name for path in files if path.is_file() and traces(path.read_bytes(), ALIEN)}
