"""The reading half of the runner's transaction: the needs of a whole group of calls in one query a table."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.queries_approvals import fetch_approvals
from vault.store.queries_erasures import fetch_erasures
from vault.store.queries_everything import fetch_everything
from vault.store.queries_key_work import fetch_key_work
from vault.store.queries_subjects import CURRENT_KEY, KNOWN, fetch_belongings, fetch_subject_pages, known_from, same
from vault.store.reads import FIELD, STORE, FieldHeld, Head, Held, Known, Page, Reads, Rows
from vault.store.rows import (
    AliasRow,
    CaRow,
    IdempotencyRow,
    ItemRow,
    PrincipalRow,
    SubjectKeyRow,
    SubjectRow,
    TenantRow,
    TokenRow,
)
from vault.store.states import SubjectState
from vault.store.tenant_locks import own, pin

Need = tuple[Head, Reads, Rows]

_NOW = {
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)",
    "sqlite": "CAST(unixepoch('subsec') * 1000000 AS integer)",
}


_ENVELOPE = sa.case((t.item.c.envelope_size <= sa.bindparam("envelopes"), t.item.c.envelope))
_HELD = sa.select(
    *(
        (_ENVELOPE if column is t.item.c.envelope else column).label(f"{table.name}_{column.name}")
        for table in (t.token, t.item, t.subject, t.subject_key)
        for column in table.c
    )
).select_from(
    t.token.join(t.item, same(t.token, t.item, subject_uid="subject_uid", item_uid="uid"))
    .join(t.subject, same(t.item, t.subject, subject_uid="uid"))
    .join(
        t.subject_key,
        same(t.item, t.subject_key, subject_uid="subject_uid", store_key_version="version") & (t.subject_key.c.kind == STORE),
    )
)
_ALIASED = sa.select(
    *(column.label(f"{table.name}_{column.name}") for table in (t.subject_alias, t.subject, t.subject_key) for column in table.c)
).select_from(
    t.subject_alias.join(t.subject, same(t.subject_alias, t.subject, subject_uid="uid")).outerjoin(t.subject_key, CURRENT_KEY)
)

_OF_FIELD_KIND = t.subject_key.c.kind == sa.literal_column(f"'{FIELD}'")  # a literal, so that the index of field keys serves it
_FIELD_HELD = (
    sa.select(*(column.label(f"{table.name}_{column.name}") for table in (t.subject, t.subject_key) for column in table.c))
    .select_from(t.subject_key.join(t.subject, same(t.subject_key, t.subject, subject_uid="uid")))
    .where(_OF_FIELD_KIND)
)
_OTHER = t.subject_key.alias()
_NEWEST = (
    sa.select(sa.func.max(_OTHER.c.version))
    .where(*(_OTHER.c[name] == t.subject_key.c[name] for name in ("tenant_uid", "subject_uid", "kind")))
    .scalar_subquery()
)


def _held(row: Iterable[Any]) -> Held:
    cells = iter(row)
    return Held(
        TokenRow(*islice(cells, len(TokenRow._fields))),
        ItemRow(*islice(cells, len(ItemRow._fields))),
        SubjectRow(*islice(cells, len(SubjectRow._fields))),
        SubjectKeyRow(*cells),
    )


def _field_held(row: Iterable[Any]) -> FieldHeld:
    cells = iter(row)
    return FieldHeld(SubjectRow(*islice(cells, len(SubjectRow._fields))), SubjectKeyRow(*cells))


def _aliased(row: Iterable[Any]) -> Known:
    cells = iter(row)
    alias = AliasRow(*islice(cells, len(AliasRow._fields)))
    return known_from(cells)._replace(alias=alias)


def _lookup_of(known: Known) -> bytes:
    return (known.alias or known.subject).lookup


class ShadowedRowError(Exception):
    """The database has two rows where its schema allows one."""

    def __init__(self) -> None:
        super().__init__("the database has two rows where its schema allows one; neither is used; the operator must investigate")


class _Lookup(NamedTuple):
    """How one kind of need is read: the query, the columns its keys stand for, and where in the answer the key is found."""

    name: str
    select: sa.Select[Any]
    columns: tuple[sa.Column[Any], ...]
    build: Any
    key_of: Any


_LOOKUPS = (
    _Lookup("subjects", KNOWN, (t.subject.c.lookup,), known_from, _lookup_of),
    _Lookup("subjects", _ALIASED, (t.subject_alias.c.lookup,), _aliased, _lookup_of),
    _Lookup("subject_uids", KNOWN, (t.subject.c.uid,), known_from, lambda known: known.subject.uid),
    _Lookup("tokens", _HELD, (t.token.c.text,), _held, lambda held: held.token.text),
    _Lookup(
        "token_ids",
        _HELD,
        (t.token.c.subject_uid, t.token.c.uid),
        _held,
        lambda held: (held.token.subject_uid, held.token.uid),
    ),
    _Lookup(
        "deterministic",
        _HELD.where(t.token.c.recipient == ""),
        (t.item.c.deterministic,),
        _held,
        lambda held: held.item.deterministic,
    ),
    _Lookup("field_keys", _FIELD_HELD, (t.subject_key.c.key_id,), _field_held, lambda held: held.key.key_id),
    _Lookup(
        "newest_field_keys",
        _FIELD_HELD.where(t.subject_key.c.version == _NEWEST),
        (t.subject_key.c.subject_uid,),
        _field_held,
        lambda held: held.subject.uid,
    ),
)


def fetch(connection: sa.Connection, calls: Sequence[tuple[Head, Reads]]) -> list[Rows]:
    """Answer the needs of a group of calls.

    Heads come last: if they say that the tenant's keys are still those by whose index keys hashes were looked up, a rotation had
    not begun to move anything when the hashes were looked for.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: whatever the database says; the runner translates it.
    """
    needs = [(head, reads, Rows()) for head, reads in calls]
    fetch_data(connection, needs)
    _fetch_heads(connection, needs)
    return [rows for _, _, rows in needs]


def fetch_data(connection: sa.Connection, needs: Sequence[Need]) -> None:
    """Fill in what calls need besides their heads; also for what a call found it needs only after it saw its rows."""
    _lock_tenants(connection, needs)
    for lookup in _LOOKUPS:
        _look_up(connection, lookup, needs)
    fetch_belongings(connection, needs)
    fetch_subject_pages(connection, needs)
    fetch_key_work(connection, needs)
    fetch_everything(connection, needs)
    fetch_erasures(connection, needs)
    fetch_approvals(connection, needs)
    pages = defaultdict[Page, list[tuple[Page, Head, Rows]]](list)
    for head, reads, rows in needs:
        rows.fetched.append(reads)
        for page in reads.pages:
            pages[replace(page, keys=())].append((page, head, rows))
    for alike in pages.values():
        _fetch_pages(connection, alike)


def now_us(connection: sa.Connection) -> int:
    """The database's time, in microseconds since 1970: what expiry goes by, whatever the nodes' clocks say."""
    now: int = connection.execute(sa.select(sa.literal_column(_NOW[connection.dialect.name]))).scalar_one()
    return now


def _fetch_heads(connection: sa.Connection, needs: Sequence[Need]) -> None:
    now = now_us(connection)
    heads = [head for head, _, _ in needs]
    tenants = _by_key(connection, t.tenant, TenantRow, ("uid",), {(h.tenant_uid,) for h in heads})
    cas = _by_key(connection, t.tenant_ca, CaRow, ("sha256",), {(h.ca_sha256,) for h in heads})
    names = {(h.tenant_uid, h.principal) for h in heads}
    principals = _by_key(connection, t.principal, PrincipalRow, ("tenant_uid", "name"), names)
    requests = {
        (h.tenant_uid, h.request_id, principals[key].uid) for h in heads if (key := (h.tenant_uid, h.principal)) in principals
    }
    done = _by_key(connection, t.idempotency, IdempotencyRow, ("tenant_uid", "request_id", "principal_uid"), requests)
    for head, _, rows in needs:
        rows.now_us = now
        rows.tenant = tenants.get((head.tenant_uid,))
        rows.ca = cas.get((head.ca_sha256,))
        rows.principal = principals.get((head.tenant_uid, head.principal))
        if rows.principal:
            rows.idempotency = done.get((head.tenant_uid, head.request_id, rows.principal.uid))


def _lock_tenants(connection: sa.Connection, needs: Sequence[Need]) -> None:
    """Before anything else is read that rests on the tenants' keys and names: the turnstile of docs/decisions/0008."""
    owned = {head.tenant_uid for head, reads, _ in needs if reads.owning}
    pinned = {head.tenant_uid for head, reads, _ in needs if reads.locking or reads.pinning} - owned
    rows = dict[bytes, TenantRow]()
    for uids, lock in ((owned, own), (pinned, pin)):
        if uids:
            rows |= {row.uid: row for row in lock(connection, uids)}
    for head, _, found in needs:
        if head.tenant_uid in rows:
            found.tenant = rows[head.tenant_uid]


def _by_key(
    connection: sa.Connection, table: sa.Table, kind: Any, columns: tuple[str, ...], keys: set[tuple[Any, ...]]
) -> dict[tuple[Any, ...], Any]:
    if not keys:
        return {}
    select = sa.select(table).where(_among([table.c[name] for name in columns], keys))
    found: dict[tuple[Any, ...], Any] = {}
    for row in map(kind._make, connection.execute(select)):
        _put_once(found, tuple(getattr(row, name) for name in columns), row)
    return found


def _put_once(found: dict[Any, Any], key: Any, row: Any) -> None:
    """Keep a row; two for one key can only be there if somebody took the table's constraints away."""
    if key in found:
        raise ShadowedRowError
    found[key] = row


def _among(columns: Sequence[sa.Column[Any]], keys: Iterable[tuple[Any, ...]]) -> sa.ColumnElement[bool]:
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


def _look_up(connection: sa.Connection, lookup: _Lookup, needs: Sequence[Need]) -> None:
    parts = defaultdict[tuple[bool, bool, int], list[Need]](list)
    for need in needs:
        if getattr(need[1], lookup.name):
            parts[need[1].locking, need[1].owning, need[1].envelopes].append(need)
    for (locking, owning, envelopes), part in parts.items():
        wanted = {(h.tenant_uid, key) for h, reads, _ in part for key in getattr(reads, lookup.name)}
        flat = [(uid, *(key if isinstance(key, tuple) else (key,))) for uid, key in wanted]
        select = lookup.select.where(_among((lookup.columns[0].table.c.tenant_uid, *lookup.columns), flat))
        if owning:
            select = select.with_for_update(of=t.subject)
        elif locking:
            select = select.with_for_update(read=True, key_share=True, of=t.subject)
        found: dict[Any, Any] = {}
        for built in _built(connection, lookup, select, {"envelopes": envelopes} if lookup.build is _held else {}):
            _put_once(found, (built.subject.tenant_uid, lookup.key_of(built)), built)
        for head, reads, rows in part:
            target = getattr(rows, lookup.name)
            target.update({k: found[head.tenant_uid, k] for k in getattr(reads, lookup.name) if (head.tenant_uid, k) in found})


def _built(connection: sa.Connection, lookup: _Lookup, select: sa.Select[Any], values: dict[str, int]) -> list[Any]:
    """What a query finds, subjects with their current keys.

    Whoever waits for a row on PostgreSQL gets it as it is then, joined with the others as they were before: a subject that was
    re-keyed meanwhile without its new key. Read again, now that it is locked, it has it.
    """
    found = [lookup.build(row) for row in connection.execute(select, values)]
    if any(map(_lacks_key, found)):
        found = [lookup.build(row) for row in connection.execute(select, values)]
    return found


def _lacks_key(built: Held | Known | FieldHeld) -> bool:
    return isinstance(built, Known) and not built.key.wrapped


def _fetch_pages(connection: sa.Connection, alike: list[tuple[Page, Head, Rows]]) -> None:
    """Read pages of the same shape at once; each hash's rows are cut to the page's size by the database."""
    shape = alike[0][0]
    collected = (sa.literal(",") + t.item.c.purposes + ",").contains(f",{shape.purpose},", autoescape=True)
    column = t.item.c.fingerprint if shape.column == "fingerprint" else t.item.c.subject_uid
    tenant = column.table.c.tenant_uid
    keys = {(head.tenant_uid, key) for page, head, _ in alike for key in page.keys}
    order = sa.tuple_(t.item.c.uid, t.token.c.uid)
    number = sa.func.row_number().over(partition_by=(tenant, column), order_by=(t.item.c.uid, t.token.c.uid)).label("number")
    usable = (t.token.c.recipient == "", collected, t.subject.c.state == SubjectState.ACTIVE, order > sa.tuple_(*shape.after))
    inner = _HELD.add_columns(number).where(_among((tenant, column), keys), *usable)
    if shape.data_class:
        inner = inner.where(t.item.c.data_class == shape.data_class)
    numbered = inner.subquery()
    columns = [c for c in numbered.c if c.name != "number"]
    found = defaultdict[tuple[bytes, bytes], list[Held]](list)
    for row in connection.execute(sa.select(*columns).where(numbered.c.number <= shape.size + 1), {"envelopes": 0}):
        held = _held(row)
        key = held.item.fingerprint if shape.column == "fingerprint" else held.item.subject_uid
        found[held.token.tenant_uid, key or b""].append(held)
    for page, head, rows in alike:
        together = [held for key in page.keys for held in found[head.tenant_uid, key]]
        together.sort(key=lambda held: (held.item.uid, held.token.uid))
        rows.pages[page] = together[: page.size + 1]
