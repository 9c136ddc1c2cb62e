"""A place with a vault in it, on each database."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.backup.places import Site


@pytest.fixture
def sqlite_site(tmp_path: Path) -> Site:
    """A vault on SQLCipher, and room for others: where the database makes no difference."""
    return Site(tmp_path, lambda name: f'sqlite_file = "{name}.db"')


@pytest.fixture
def site_of(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[dict[str, str]], Site]:
    """Makes a site on databases of the given kinds, by the vaults' names."""

    def make(kinds: dict[str, str]) -> Site:
        def database(name: str) -> str:
            if kinds[name] == "sqlite":
                return f'sqlite_file = "{name}.db"'
            return f'url = "{request.getfixturevalue("new_postgres_url")()}"'

        return Site(tmp_path, database)

    return make


@pytest.fixture(params=["sqlite", "postgres"])
def site(request: pytest.FixtureRequest, site_of: Callable[[dict[str, str]], Site]) -> Site:
    """A vault on each database, and room for others."""
    return site_of(defaultdict(lambda: request.param))
