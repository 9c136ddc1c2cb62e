"""Alembic migrations: one branch, run by `pdvault db upgrade`, never by a starting server."""
