"""Processes that are killed at any statement while they integrate: no gap, no duplicate, no fork, nothing lost.

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
from tests.harness import NewVault, Vault
from tests.log import naive
from tests.log.kept import Kept

from vault.store import tables as t

ROUNDS = int(os.environ.get("PDVAULT_TORTURE_ROUNDS", "10")) // 2
ROUNDS_A_VAULT = 10
POINTS = 500
"""Within which the process is killed: some three cycles of writing, integrating and publishing."""


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_whatever_statement_was_the_last_the_logs_are_whole(database: str, new_vault: NewVault, tmp_path: Path) -> None:
    for first in range(0, ROUNDS, ROUNDS_A_VAULT):
        folder = tmp_path / str(first)
        folder.mkdir()
        vault = new_vault(database, folder)
        sure, unsure = _leaves(vault), set[str]()
        for number in range(first, min(first + ROUNDS_A_VAULT, ROUNDS)):
            seed, point = secrets.randbelow(2**32), 1 + secrets.randbelow(POINTS)
            did, may = _kill(vault, seed, point)
            sure, unsure = sure | did, unsure | may
            _check(vault, sure, unsure, is_complete=number % 2 == 1, which=f"seed {seed}, point {point}")


def _kill(vault: Vault, seed: int, point: int) -> tuple[set[str], set[str]]:
    """Let a process run until that point: the hashes of leaves that it has committed, and of those it may have."""
    code = f"from pathlib import Path; from tests.log import victim; victim.main(Path({str(vault.folder)!r}), {seed}, {point})"
    with tempfile.TemporaryFile() as log:
        said, ended = nursery().run(log.fileno(), code).communicate()
        log.seek(0)
        assert ended == -signal.SIGKILL, log.read()
    lines = [line.split() for line in said.splitlines() if line.startswith(("may ", "did "))]
    return {leaf for word, leaf in lines if word == "did"}, {leaf for word, leaf in lines if word == "may"}


def _check(vault: Vault, sure: set[str], unsure: set[str], *, is_complete: bool, which: str) -> None:
    """What must hold after a kill; with ``is_complete`` another integrator takes over first, and nothing is left to do."""
    with vault.node() as node:
        kept = Kept(node)
        if is_complete:
            kept.run(kept.integrator())
            assert not kept.watcher.troubles, which
            assert not kept.watcher.refusals, which
        found = set[str]()
        with node.engine.connect() as connection:
            for tenant_uid in connection.scalars(sa.select(t.audit_log.c.tenant_uid)).all():
                log = naive.check(connection, tenant_uid, kept.public_key(tenant_uid))
                naive.check_chains(log.leaves)
                size, root = kept.anchored(tenant_uid)
                hashes = [naive.leaf_hash(leaf) for leaf in log.leaves]
                assert log.published[0] <= size <= len(hashes), which
                assert root == naive.root(hashes[:size]), which
                leaves = [naive.leaf_hash(leaf).hex() for leaf in log.leaves + log.pending]
                assert len(set(leaves)) == len(leaves), which
                found |= set(leaves)
                if is_complete:
                    assert (log.pending, log.published[0]) == ([], len(hashes)), which
        assert sure <= found <= sure | unsure, which


def _leaves(vault: Vault) -> set[str]:
    with vault.node() as node, node.engine.connect() as connection:
        return {naive.leaf_hash(leaf).hex() for leaf in connection.scalars(sa.select(t.audit_pending.c.leaf))}
