"""Fixtures of this room."""

from tests.use_cases.open_vault import open_vault

__all__ = ["open_vault"]
