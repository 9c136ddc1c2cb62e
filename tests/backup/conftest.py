"""A place with a vault in it, on each database."""

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.backup.places import Site
from tests.harness import NewVault, Vault, make_vault


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    """A vault on SQLCipher, of which tests get copies."""
    return make_vault(tmp_path_factory.mktemp("template"), database='sqlite_file = "old.db"')


@pytest.fixture
def sqlite_site(tmp_path: Path, template: Vault) -> Site:
    """A vault on SQLCipher, and room for others: where the database makes no difference."""
    return Site(tmp_path, lambda name: f'sqlite_file = "{name}.db"', first=template.copy)


@pytest.fixture
def site_of(
    tmp_path: Path, template: Vault, new_vault: NewVault, request: pytest.FixtureRequest
) -> Callable[[dict[str, str]], Site]:
    """Makes a site on databases of the given kinds, by the vaults' names."""

    def make(kinds: dict[str, str]) -> Site:
        def database(name: str) -> str:
            if kinds[name] == "sqlite":
                return f'sqlite_file = "{name}.db"'
            return f'url = "{request.getfixturevalue("new_postgres_url")()}"'

        first = template.copy if kinds["old"] == "sqlite" else partial(new_vault, "postgres")
        return Site(tmp_path, database, first=first)

    return make


@pytest.fixture(params=["sqlite", "postgres"])
def site(request: pytest.FixtureRequest, site_of: Callable[[dict[str, str]], Site]) -> Site:
    """A vault on each database, and room for others."""
    return site_of(defaultdict(lambda: request.param))
