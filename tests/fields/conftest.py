"""One vault on each database for the whole room: each test brings people of its own."""

from collections.abc import Iterator

import pytest
from tests.harness import NewVault
from tests.use_cases.inside import Inside, inside


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def open_vault(request: pytest.FixtureRequest, new_vault: NewVault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """A vault shared by the room's tests."""
    with inside(new_vault(request.param, tmp_path_factory.mktemp("vault"))) as opened:
        yield opened
