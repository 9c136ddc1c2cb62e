"""What whoever runs the database sets as its defaults changes nothing of what a connection relies on."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from vault.store.clock import now_us
from vault.store.engine import postgres

DEFAULTS = {
    "search_path": "shadow, public, pg_catalog",
    "default_transaction_isolation": "'serializable'",
    "row_security": "on",
    "synchronous_commit": "off",
}


@pytest.fixture(scope="module")
def url(new_postgres_url: Callable[..., str]) -> str:
    """A database with defaults of somebody's own, and a clock that goes an hour fast."""
    url = new_postgres_url()
    owner = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with owner.connect() as connection:
        name = connection.scalar(sa.text("SELECT current_database()"))
        connection.exec_driver_sql("CREATE SCHEMA shadow")
        connection.exec_driver_sql(
            "CREATE FUNCTION shadow.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql "
            "AS $$ SELECT pg_catalog.clock_timestamp() + interval '1 hour' $$"
        )
        for setting, value in DEFAULTS.items():
            connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET {setting} = {value}')
    owner.dispose()
    return url


def test_the_clock_is_the_catalogues(url: str) -> None:
    plain, ours = sa.create_engine(url), postgres(url)
    with plain.connect() as there, ours.connect() as here:
        assert now_us(there) - now_us(here) > 3_500_000_000
    for engine in (plain, ours):
        engine.dispose()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("search_path", "public,pg_temp"),
        ("default_transaction_isolation", "read committed"),
        ("row_security", "off"),
        ("synchronous_commit", "on"),
    ],
)
def test_defaults_of_the_database_are_not_taken(url: str, setting: str, value: str) -> None:
    engine = postgres(url)
    with engine.connect() as connection:
        assert connection.scalar(sa.text(f"SHOW {setting}")) == value
    engine.dispose()


def test_what_the_url_says_comes_last(url: str) -> None:
    engine = postgres(f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3Dshadow")
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SHOW search_path")) == "shadow"
        assert connection.scalar(sa.text("SHOW synchronous_commit")) == "on"
    engine.dispose()
