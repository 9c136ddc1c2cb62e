"""One vault on each database for the whole room: each test brings people of its own."""

from collections.abc import Iterator

import pytest
from tests.harness import make_vault
from tests.use_cases.inside import Inside, inside


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def open_vault(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """A vault shared by the room's tests."""
    database = 'sqlite_file = "vault.db"'
    if request.param == "postgres":
        database = f'url = "{request.getfixturevalue("new_postgres_url")()}"'
    with inside(make_vault(tmp_path_factory.mktemp("vault"), database=database)) as opened:
        yield opened
