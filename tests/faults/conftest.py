"""Fixtures of this room."""

from tests.server.conftest import until

__all__ = ["until"]
