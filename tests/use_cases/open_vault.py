"""The fixture that rooms below the edge share: one vault a module on each database, opened in this process."""

from collections.abc import Iterator

import pytest
from tests.harness import make_vault
from tests.use_cases.inside import Inside, inside


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def open_vault(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """A vault shared by the module's tests; each test brings subjects of its own."""
    folder = tmp_path_factory.mktemp("vault")
    database = 'sqlite_file = "vault.db"'
    if request.param == "postgres":
        database = f'url = "{request.getfixturevalue("new_postgres_url")()}"'
    with inside(make_vault(folder, database=database)) as opened:
        yield opened
