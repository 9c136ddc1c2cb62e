"""The fixture that rooms below the edge share: one vault a module on each database, opened in this process."""

from collections.abc import Iterator

import pytest
from tests.harness import NewVault
from tests.use_cases.inside import Inside, inside


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def open_vault(request: pytest.FixtureRequest, new_vault: NewVault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """A vault shared by the module's tests; each test brings subjects of its own."""
    with inside(new_vault(request.param, tmp_path_factory.mktemp("vault"))) as opened:
        yield opened
