"""A vault at work on each database, shared by a module's tests; each test brings subjects of its own."""

from collections.abc import Iterator

import pytest
from tests.erasure.blanked import parts_of_three_requests
from tests.erasure.working import Working, working
from tests.harness import NewVault

__all__ = ["at_work", "parts_of_three_requests"]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def at_work(request: pytest.FixtureRequest, new_vault: NewVault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Working]:
    """The vault."""
    with working(new_vault(request.param, tmp_path_factory.mktemp("vault"))) as made:
        yield made
