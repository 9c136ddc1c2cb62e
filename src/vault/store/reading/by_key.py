"""What calls find by a key: subjects by look-up or uid, tokens by text, uid or deterministic hash, field keys by their id."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.reading.conditions import among, put_once
from vault.store.reading.joined import ALIASED, FIELD_HELD, HELD, KNOWN, aliased, field_held, held, known_from
from vault.store.reads import FieldHeld, Head, Held, Known, Reads, Rows

_OTHER = t.subject_key.alias()
_NEWEST = (
    sa.select(sa.func.max(_OTHER.c.version))
    .where(*(_OTHER.c[name] == t.subject_key.c[name] for name in ("tenant_uid", "subject_uid", "kind")))
    .scalar_subquery()
)


def _lookup_of(known: Known) -> bytes:
    return (known.alias or known.subject).lookup


class _Lookup(NamedTuple):
    """How one kind of need is read: the query, the columns its keys stand for, and where in the answer the key is found."""

    name: str
    select: sa.Select[Any]
    columns: tuple[sa.Column[Any], ...]
    build: Any
    key_of: Any


_LOOKUPS = (
    _Lookup("subjects", KNOWN, (t.subject.c.lookup,), known_from, _lookup_of),
    _Lookup("subjects", ALIASED, (t.subject_alias.c.lookup,), aliased, _lookup_of),
    _Lookup("subject_uids", KNOWN, (t.subject.c.uid,), known_from, lambda known: known.subject.uid),
    _Lookup("tokens", HELD, (t.token.c.text,), held, lambda found: found.token.text),
    _Lookup(
        "token_ids",
        HELD,
        (t.token.c.subject_uid, t.token.c.uid),
        held,
        lambda found: (found.token.subject_uid, found.token.uid),
    ),
    _Lookup(
        "deterministic",
        HELD.where(t.token.c.recipient == ""),
        (t.item.c.deterministic,),
        held,
        lambda found: found.item.deterministic,
    ),
    _Lookup("field_keys", FIELD_HELD, (t.subject_key.c.key_id,), field_held, lambda found: found.key.key_id),
    _Lookup(
        "newest_field_keys",
        FIELD_HELD.where(t.subject_key.c.version == _NEWEST),
        (t.subject_key.c.subject_uid,),
        field_held,
        lambda found: found.subject.uid,
    ),
)


def fetch_by_key(connection: sa.Connection, needs: Sequence[tuple[Head, Reads, Rows]]) -> None:
    """Fill in what calls look for.

    Raises:
        ShadowedRowError: the database has two rows for one key.
        sqlalchemy.exc.SQLAlchemyError: whatever the database says; the runner translates it.
    """
    for lookup in _LOOKUPS:
        _look_up(connection, lookup, needs)


def _look_up(connection: sa.Connection, lookup: _Lookup, needs: Sequence[tuple[Head, Reads, Rows]]) -> None:
    parts = defaultdict[tuple[bool, bool, int], list[tuple[Head, Reads, Rows]]](list)
    for need in needs:
        if getattr(need[1], lookup.name):
            parts[need[1].locking, need[1].owning, need[1].envelopes].append(need)
    for (locking, owning, envelopes), part in parts.items():
        wanted = {(h.tenant_uid, key) for h, reads, _ in part for key in getattr(reads, lookup.name)}
        flat = [(uid, *(key if isinstance(key, tuple) else (key,))) for uid, key in wanted]
        select = lookup.select.where(among((lookup.columns[0].table.c.tenant_uid, *lookup.columns), flat))
        if owning:
            select = select.with_for_update(of=t.subject)
        elif locking:
            select = select.with_for_update(read=True, key_share=True, of=t.subject)
        found: dict[Any, Any] = {}
        for built in _built(connection, lookup, select, {"envelopes": envelopes} if lookup.build is held else {}):
            put_once(found, (built.subject.tenant_uid, lookup.key_of(built)), built)
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
