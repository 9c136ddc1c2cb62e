"""Logs without a server, and a witness for them."""

from tests.log_http.conftest import engine, new_log, until

__all__ = ["engine", "new_log", "until"]
