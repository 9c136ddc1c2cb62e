"""The database's time: what expiry goes by, whatever the nodes' clocks say."""

import sqlalchemy as sa

_NOW = {
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)",
    "sqlite": "CAST(unixepoch('subsec') * 1000000 AS integer)",
}


def now_us(connection: sa.Connection) -> int:
    """The database's time, in microseconds since 1970.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    now: int = connection.execute(sa.select(sa.literal_column(_NOW[connection.dialect.name]))).scalar_one()
    return now
