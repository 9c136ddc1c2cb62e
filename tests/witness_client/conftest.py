"""Logs without a server, and a witness for them."""

from tests.log_http.conftest import engine, log_keys, new_log, until

__all__ = ["engine", "log_keys", "new_log", "until"]
