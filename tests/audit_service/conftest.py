"""Fixtures of this room: one open vault a module on each database."""

from collections.abc import Iterator

import pytest
from tests.audit_service.desk import Desk
from tests.use_cases.inside import Inside
from tests.use_cases.open_vault import open_vault

__all__ = ["open_vault"]


@pytest.fixture(scope="module")
def desk(open_vault: Inside) -> Iterator[Desk]:
    """The vault's logs; each test has a tenant of its own."""
    opened = Desk(open_vault)
    yield opened
    opened.close()
