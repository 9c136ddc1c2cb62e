"""Fixtures of this room."""

from collections.abc import Iterator

import pytest
from tests.harness import NewVault
from tests.log.kept import Kept
from tests.server.conftest import until

__all__ = ["kept", "opened", "until"]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def opened(request: pytest.FixtureRequest, new_vault: NewVault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """A vault of the module's own on each database, opened in this process; nothing integrates but what a test runs."""
    with new_vault(request.param, tmp_path_factory.mktemp("vault")).node() as node:
        yield Kept(node)


@pytest.fixture
def kept(opened: Kept) -> Kept:
    """The same, with nothing heard yet and nothing left to integrate from the test before."""
    opened.run(opened.integrator())
    opened.watcher.troubles.clear()
    opened.watcher.refusals.clear()
    opened.watcher.moves.clear()
    return opened
