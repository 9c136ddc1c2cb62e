"""Fixtures of this room."""

from tests.erasure.blanked import parts_of_three_requests
from tests.erasure.conftest import at_work
from tests.use_cases.open_vault import open_vault

__all__ = ["at_work", "open_vault", "parts_of_three_requests"]
