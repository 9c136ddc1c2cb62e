"""Pages of searches: tokens of items with a fingerprint, or of a subject."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.reading.conditions import among
from vault.store.reading.joined import HELD, held
from vault.store.reads import Head, Held, Reads, Rows, SearchPage
from vault.store.states import SubjectState


def fetch_pages(connection: sa.Connection, needs: Sequence[tuple[Head, Reads, Rows]]) -> None:
    """Fill in the pages that calls ask for.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: whatever the database says; the runner translates it.
    """
    pages = defaultdict[SearchPage, list[tuple[SearchPage, Head, Rows]]](list)
    for head, reads, rows in needs:
        for page in reads.pages:
            pages[replace(page, keys=())].append((page, head, rows))
    for alike in pages.values():
        _fetch_alike(connection, alike)


def _fetch_alike(connection: sa.Connection, alike: list[tuple[SearchPage, Head, Rows]]) -> None:
    """Read pages of the same shape at once; each hash's rows are cut to the page's size by the database."""
    shape = alike[0][0]
    collected = (sa.literal(",") + t.item.c.purposes + ",").contains(f",{shape.purpose},", autoescape=True)
    column = t.item.c.fingerprint if shape.column == "fingerprint" else t.item.c.subject_uid
    tenant = column.table.c.tenant_uid
    keys = {(head.tenant_uid, key) for page, head, _ in alike for key in page.keys}
    order = sa.tuple_(t.item.c.uid, t.token.c.uid)
    number = sa.func.row_number().over(partition_by=(tenant, column), order_by=(t.item.c.uid, t.token.c.uid)).label("number")
    usable = (t.token.c.recipient == "", collected, t.subject.c.state == SubjectState.ACTIVE, order > sa.tuple_(*shape.after))
    inner = HELD.add_columns(number).where(among((tenant, column), keys), *usable)
    if shape.data_class:
        inner = inner.where(t.item.c.data_class == shape.data_class)
    numbered = inner.subquery()
    columns = [c for c in numbered.c if c.name != "number"]
    found = defaultdict[tuple[bytes, bytes], list[Held]](list)
    for row in connection.execute(sa.select(*columns).where(numbered.c.number <= shape.size + 1), {"envelopes": 0}):
        one = held(row)
        key = one.item.fingerprint if shape.column == "fingerprint" else one.item.subject_uid
        found[one.token.tenant_uid, key or b""].append(one)
    for page, head, rows in alike:
        together = [one for key in page.keys for one in found[head.tenant_uid, key]]
        together.sort(key=lambda one: (one.item.uid, one.token.uid))
        rows.pages[page] = together[: page.size + 1]
