"""Databases on a PostgreSQL server that the tester provides by ``VAULT_TEST_PG_URL``."""

import secrets

import sqlalchemy as sa


def new_database(server_url: str, template: str = "template1") -> str:
    """A database on the server, empty or a copy of another that nobody is connected to; its URL."""
    name = f"vault_test_{secrets.token_hex(6)}"
    engine = sa.create_engine(server_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    engine.dispose()
    return sa.make_url(server_url).set(database=name).render_as_string(hide_password=False)
