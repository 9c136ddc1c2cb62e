"""Re-indexing: fingerprints, deterministic hashes and look-ups are made anew under the current index key.

A row is replaced by its old MAC, which was checked: what a call changes meanwhile is left to another pass, and what somebody
altered is never given a good MAC.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import sqlalchemy as sa

from vault.classes.data_class import InvalidValueError
from vault.classes.taxonomy import Taxonomy
from vault.crypto import binding
from vault.crypto.envelope import DecryptionError, key_version, unseal
from vault.crypto.fingerprint import deterministic, fingerprint, subject_lookup
from vault.crypto.keys import LABEL_ITEM, LABEL_SUBJECT_ID, Key
from vault.crypto.plaintext import PlaintextError, decode
from vault.errors import VaultError
from vault.kms.tenant_keys import KeysMissingError
from vault.store import tables as t
from vault.store.envelopes import open_subject_key
from vault.store.reads import STORE
from vault.store.rotation.pass_part import Moved, PassPart
from vault.store.rows import TABLES, AliasRow, ItemRow, SubjectKeyRow, SubjectRow
from vault.store.sealing import check, sealed

_Indexed = TypeVar("_Indexed", ItemRow, SubjectRow, AliasRow)
_REFUSALS = (DecryptionError, KeysMissingError, PlaintextError, InvalidValueError, VaultError)


def reindex_items(part: PassPart, taxonomy: Taxonomy, index: int) -> Moved:
    """Make the next items' hashes anew, in the order of subjects' and items' uids.

    Args:
        part: which; its cursor is subject uid and item uid of the last one (32 bytes).
        taxonomy: whose normalisers say what is equal.
        index: the current index key's version.

    Raises:
        sqlalchemy.exc.SQLAlchemyError, psycopg.Error: the database refuses or does not answer.
    """
    keys, after, c = part.keys, part.after, t.item.c
    envelope = sa.case((c.fingerprint.is_not(None), c.envelope))  # what has no fingerprint need not be opened
    columns = [envelope.label("envelope") if column is c.envelope else column for column in c]
    older = (c.tenant_uid == keys.tenant_uid) & (c.index_key_version != index)
    order = sa.tuple_(c.subject_uid, c.uid)
    select = sa.select(*columns, *t.subject_key.c).join_from(t.item, t.subject_key, _same_key(c.subject_uid, c.store_key_version))
    page = select.where(older, order > sa.tuple_(after[:16], after[16:])).order_by(c.subject_uid, c.uid)
    width = len(ItemRow._fields)
    found = [(ItemRow(*row[:width]), SubjectKeyRow(*row[width:])) for row in _taken(part, page, t.item)]

    def anew(row: ItemRow, key: Key) -> ItemRow:
        if row.fingerprint is None:
            return row._replace(index_key_version=index)
        bound = binding.item(row.tenant_uid, row.subject_uid, row.data_class, row.uid, row.revision, row.store_key_version)
        value = decode(unseal(key.derive(LABEL_ITEM), row.envelope or b"", bound))
        data_class = taxonomy.get(row.data_class)
        if data_class is None:
            raise InvalidValueError("is of a class that the vault does not know any more")
        version = data_class.normaliser_version
        made = fingerprint(keys.index(index), row.data_class, version, data_class.normalise(value))
        unique = row.deterministic and deterministic(keys.index(index), row.subject_uid, made, row.purposes.split(","))
        return row._replace(index_key_version=index, normaliser_version=version, fingerprint=made, deterministic=unique)

    done = _replace(part, found, anew, "index_key_version normaliser_version fingerprint deterministic mac")
    return Moved(done, len(found) - done, found[-1][0].subject_uid + found[-1][0].uid if found else None)


def reindex_subjects(part: PassPart, index: int) -> Moved:
    """Make the next subjects' look-ups anew, in the order of their uids; arguments and errors as ``reindex_items``."""
    keys, c = part.keys, t.subject.c
    select = sa.select(*c, *t.subject_key.c).join_from(t.subject, t.subject_key, _same_key(c.uid, c.store_key_version))
    page = select.where(c.tenant_uid == keys.tenant_uid, c.index_key_version != index, c.uid > part.after).order_by(c.uid)
    width = len(SubjectRow._fields)
    found = [(SubjectRow(*row[:width]), SubjectKeyRow(*row[width:])) for row in _taken(part, page, t.subject)]

    def anew(row: SubjectRow, key: Key) -> SubjectRow:
        bound = binding.subject_id(row.tenant_uid, row.uid, key_version(row.subject_id))
        name = unseal(key.derive(LABEL_SUBJECT_ID), row.subject_id, bound).decode()
        return row._replace(index_key_version=index, lookup=subject_lookup(keys.index(index), name))

    done = _replace(part, found, anew, "index_key_version lookup mac")
    return Moved(done, len(found) - done, found[-1][0].uid if found else None)


def reindex_aliases(part: PassPart, index: int) -> Moved:
    """Make the look-ups of subjects' other names anew, in the order of subjects' and aliases' uids; see ``reindex_items``."""
    keys, after, c, s = part.keys, part.after, t.subject_alias.c, t.subject.c
    columns = sa.select(*c, *t.subject_key.c).select_from(
        t.subject_alias.join(t.subject, (s.tenant_uid == c.tenant_uid) & (s.uid == c.subject_uid)).join(
            t.subject_key, _same_key(s.uid, s.store_key_version)
        )
    )
    older = (c.tenant_uid == keys.tenant_uid) & (c.index_key_version != index)
    following = sa.tuple_(c.subject_uid, c.uid) > sa.tuple_(after[:16], after[16:])
    width = len(AliasRow._fields)
    page = columns.where(older, following).order_by(c.subject_uid, c.uid)
    found = [(AliasRow(*row[:width]), SubjectKeyRow(*row[width:])) for row in _taken(part, page, t.subject_alias)]

    def anew(row: AliasRow, key: Key) -> AliasRow:
        bound = binding.alias(row.tenant_uid, row.subject_uid, row.uid, key_version(row.subject_id))
        name = unseal(key.derive(LABEL_SUBJECT_ID), row.subject_id, bound).decode()
        return row._replace(index_key_version=index, lookup=subject_lookup(keys.index(index), name))

    done = _replace(part, found, anew, "index_key_version lookup mac")
    return Moved(done, len(found) - done, found[-1][0].subject_uid + found[-1][0].uid if found else None)


def _same_key(subject_uid: "sa.ColumnElement[bytes]", version: "sa.ColumnElement[int]") -> sa.ColumnElement[bool]:
    k, table = t.subject_key.c, subject_uid.table
    return sa.and_(k.tenant_uid == table.c.tenant_uid, k.subject_uid == subject_uid, k.kind == STORE, k.version == version)


def _taken(part: PassPart, page: sa.Select[Any], table: sa.Table) -> Iterable[Any]:
    """The next rows of a table, FOR UPDATE, with what they are joined with."""
    return part.connection.execute(page.limit(part.limit).with_for_update(of=table, skip_locked=part.passes_by))


def _replace(
    part: PassPart,
    found: list[tuple[_Indexed, SubjectKeyRow]],
    anew: Callable[[_Indexed, Key], _Indexed],
    columns: str,
) -> int:
    """Write the rows that are sound, of nobody who was erased, and not changed meanwhile; answers how many."""
    pairs = []
    for row, wrapped in found:
        if wrapped.subject_uid in part.erased:
            continue
        try:
            check(part.keys.authority, row)
            pairs.append((row, sealed(part.keys.authority, anew(row, open_subject_key(part.keys, wrapped)))))
        except _REFUSALS:
            continue
    if not pairs:
        return 0
    table: sa.Table = TABLES[type(found[0][0])]
    by, changed = (*table.primary_key.columns.keys(), "mac"), columns.split()
    same = sa.and_(*(table.c[name] == sa.bindparam(f"old_{name}") for name in by))
    update = table.update().where(same).values({name: sa.bindparam(f"new_{name}") for name in changed})
    cells = [_cells("old", old, by) | _cells("new", new, changed) for old, new in pairs]
    return part.connection.execute(update, cells).rowcount


def _cells(which: str, row: ItemRow | SubjectRow | AliasRow, names: Iterable[str]) -> dict[str, object]:
    return {f"{which}_{name}": getattr(row, name) for name in names}
