"""What COPY is given comes back as it was, whatever it holds."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from vault.store.copying import copy_text

EVERY_TYPE = sa.Table(
    "every_type",
    sa.MetaData(),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("small", sa.SmallInteger, nullable=False),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("truth", sa.Boolean, nullable=False),
    sa.Column("raw_or_none", sa.LargeBinary),
    sa.Column("text_or_none", sa.Text),
    sa.Column("number_or_none", sa.BigInteger),
)
BIG = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")) | st.sampled_from(
    ["\\N", "\\.", "\\x00", "\\t", ""]
)
CELLS = st.tuples(
    st.integers(-(2**15), 2**15 - 1), st.binary(), TEXT, st.booleans(), st.none() | st.binary(), st.none() | TEXT, st.none() | BIG
)


@pytest.fixture(scope="module")
def engine(new_postgres_url: Callable[[], str]) -> Iterator[sa.Engine]:
    """A database with that table."""
    engine = sa.create_engine(new_postgres_url())
    EVERY_TYPE.create(engine)
    yield engine
    engine.dispose()


@given(rows=st.lists(CELLS, min_size=1, max_size=20))
def test_every_row_comes_back_as_it_was(engine: sa.Engine, rows: list[tuple[Any, ...]]) -> None:
    numbered = [(number, *cells) for number, cells in enumerate(rows)]
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        with cursor.copy("COPY every_type FROM STDIN") as copy:
            copy.write(copy_text(EVERY_TYPE, numbered))
        assert cursor.rowcount == len(rows)
        found = connection.execute(sa.select(EVERY_TYPE).order_by(EVERY_TYPE.c.number)).all()
    assert [tuple(row) for row in found] == numbered
