"""A vault at work on each database, shared by a module's tests; each test brings subjects of its own."""

from collections.abc import Callable, Iterator

import pytest
from tests.erasure.working import Working, working
from tests.harness import make_vault


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The database's part of a configuration."""
    if request.param == "sqlite":
        return 'sqlite_file = "vault.db"'
    new_postgres_url: Callable[[], str] = request.getfixturevalue("new_postgres_url")
    return f'url = "{new_postgres_url()}"'


@pytest.fixture(scope="module")
def at_work(place: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Working]:
    """The vault."""
    with working(make_vault(tmp_path_factory.mktemp("vault"), database=place)) as made:
        yield made
