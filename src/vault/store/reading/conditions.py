"""Conditions on many rows at once, as databases plan them well, and that no key has two rows."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa


class ShadowedRowError(Exception):
    """The database has two rows where its schema allows one."""

    def __init__(self) -> None:
        super().__init__("the database has two rows where its schema allows one; neither is used; the operator must investigate")


def same(left: sa.Table, right: sa.Table, **columns: str) -> sa.ColumnElement[bool]:
    """Whether rows of two tables are of one tenant and alike in these columns of the left one, each named with the right one's."""
    pairs = {"tenant_uid": "tenant_uid", **columns}
    return sa.and_(*(left.c[a] == right.c[b] for a, b in pairs.items()))


def among(columns: Sequence[sa.Column[Any]], keys: Iterable[tuple[Any, ...]]) -> sa.ColumnElement[bool]:
    """Whether the columns, the tenant's first, hold one of the keys; where a key has three parts, some others pass too.

    Databases plan this as a few index scans. They plan lists of tuples, or joins with arrays, many times slower.
    """
    by_tenant = defaultdict[Any, list[tuple[Any, ...]]](list)
    for first, *rest in keys:
        by_tenant[first].append(tuple(rest))
    return sa.or_(
        sa.false(),  # for no key at all: an empty "or" would be no condition
        *(
            sa.and_(columns[0] == first, *(c.in_(set(v)) for c, v in zip(columns[1:], zip(*rests, strict=True), strict=False)))
            for first, rests in by_tenant.items()
        ),
    )


def put_once(found: dict[Any, Any], key: Any, row: Any) -> None:
    """Keep a row; two for one key can only be there if somebody took the table's constraints away."""
    if key in found:
        raise ShadowedRowError
    found[key] = row
