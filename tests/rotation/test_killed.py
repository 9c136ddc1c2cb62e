"""Key workers killed at any statement: whatever was live is readable and found, and in the end nothing is left under old keys.

Ten rounds; ``PDVAULT_TORTURE_ROUNDS`` says how many there are to be instead.
"""

import os
import secrets
import signal
import tempfile
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.forked import nursery
from tests.harness import NewVault, Vault, context
from tests.log.kept import Kept
from tests.rotation.works import Stored, begin_destruction, begin_rotation, rotate, worker
from tests.use_cases.inside import Inside, inside

from vault.store import tables as t
from vault.store.reads import STORE
from vault.store.rotation.census import census
from vault.v1 import key_service_pb2 as v1

ROUNDS = int(os.environ.get("PDVAULT_TORTURE_ROUNDS", "10")) // 2
POINTS = 250
"""Within which the process is killed: some more than one rotation has."""

POINTS_OF_DESTRUCTION = 80
"""The same of a destruction."""


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_whatever_statement_was_the_last_nothing_is_lost_and_another_worker_ends_it(
    database: str, new_vault: NewVault, tmp_path: Path
) -> None:
    vault = new_vault(database, tmp_path)
    with inside(vault) as opened:
        stored = Stored(opened, people=8)
    for number in range(ROUNDS):
        point = 1 + secrets.randbelow(POINTS)
        with inside(vault) as opened:
            _begin(opened, number)
        _kill(vault, point)
        with inside(vault) as opened:
            stored.of(opened).check()
            if number % 2:
                _end(opened, f"point {point}")
            stored.check()
    with inside(vault) as opened:
        _end(opened, "in the end")
        _check_log(opened)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_destruction_that_was_cut_off_anywhere_takes_nothing_living_along_and_is_ended_by_another_worker(
    database: str, new_vault: NewVault, tmp_path: Path
) -> None:
    vault = new_vault(database, tmp_path)
    with inside(vault) as opened:
        stored = Stored(opened, people=2)
        keep_from = rotate(opened).kek_version
        begin_destruction(opened, keep_from)
    for _ in range(max(1, ROUNDS // 3)):
        point = 1 + secrets.randbelow(POINTS_OF_DESTRUCTION)
        _kill(vault, point)
        with inside(vault) as opened:
            stored.of(opened).check()
            with opened.engine.begin() as connection:
                connection.execute(t.operation.update().values(until_us=0))
    with inside(vault) as opened:
        _end(opened, "in the end")
        assert opened.node.key_manager.kek(opened.tenant().uid).oldest == keep_from
        stored.of(opened).check()


def _begin(opened: Inside, number: int) -> None:
    """Ask for one more piece of work, unless one of the kind is still to be ended."""
    live = {row.live_kind for row in opened.rows(t.operation, tenant_uid=opened.tenant().uid)}
    if "Rotate" not in live:
        begin_rotation(opened)
    if number % 3 == 1 and "Rekey" not in live:
        opened.ask(v1.RekeyRequest(context=context("incident")), "security")


def _kill(vault: Vault, point: int) -> None:
    code = f"from pathlib import Path; from tests.rotation import victim; victim.main(Path({str(vault.folder)!r}), {point})"
    with tempfile.TemporaryFile() as log:
        _, ended = nursery().run(log.fileno(), code).communicate()
        log.seek(0)
        assert ended in (-signal.SIGKILL, 0), log.read()


def _end(opened: Inside, which: str) -> None:
    """Let another worker go on, once the dead one's lease has run out, and see that nothing is left."""
    tenant_uid = opened.tenant().uid
    with opened.engine.begin() as connection:
        connection.execute(t.operation.update().values(until_us=0))
    with worker(opened, "key-worker:another") as working:
        working.look()
    states = {row.kind: row.state for row in sorted(opened.rows(t.operation, tenant_uid=tenant_uid), key=lambda row: row.create_us)}
    assert set(states.values()) == {"DONE"}, (which, states)
    tenant = opened.row(t.tenant, uid=tenant_uid)
    with opened.engine.connect() as connection:
        left = census(connection, tenant_uid, tenant.epoch, tenant.index_key_version)
        live = connection.scalars(sa.select(t.tenant_key.c.version).where(t.tenant_key.c.state != "RETIRED")).all()
    assert left.is_empty, (which, left)
    store_keys = [row.subject_uid for row in opened.rows(t.subject_key, tenant_uid=tenant_uid, kind=STORE)]
    assert len(store_keys) == len(set(store_keys)), which
    assert live


def _check_log(opened: Inside) -> None:
    """The log's chains are whole, whoever wrote them and however that ended."""
    kept = Kept(opened.node)
    kept.run(kept.integrator())
    assert not kept.watcher.troubles
    assert not kept.watcher.refusals
