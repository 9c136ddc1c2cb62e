"""Whoever has a copy of the database from before, and every key that is left, finds nobody in it who was erased meanwhile.

Nor an item that was deleted of somebody who lives. Candidates are tried as an attacker would who knows every phone number and
name there is; that trying finds them as long as the old keys live shows that the attack is one.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from tests.erasure.working import Working, statement_of
from tests.rotation.works import attested, begin_destruction, rotate, worker
from tests.use_cases.requests import DETERMINISTIC, delete, new_email, new_subject, tokenize, tokens_of

from vault.classes.taxonomy import BUILT_IN
from vault.crypto import binding
from vault.crypto.envelope import DecryptionError, unseal
from vault.crypto.fingerprint import deterministic, fingerprint, request_digest, subject_lookup
from vault.crypto.keys import LABEL_DIGEST_KEY, LABEL_ITEM, LABEL_SUBJECT_ID, LABEL_WRAP, Key, unwrap
from vault.errors import VaultError
from vault.kms.tenant_keys import AUTHORITY, EPOCH, INDEX
from vault.store import tables as t
from vault.v1.audit_pb2 import AuditEvent

Copy = Mapping[str, list[Any]]
"""All rows of a database, by table."""


class Keys(NamedTuple):
    """Every key that somebody has: those of the tenant by kind, and the store keys of subjects."""

    tenant: list[tuple[str, Key]]
    subjects: list[Key]


class Person(NamedTuple):
    """What an attacker guesses of somebody."""

    subject_id: str
    values: Mapping[str, str]


def test_nobody_is_found_who_was_erased_nor_an_item_that_was_deleted(at_work: Working) -> None:
    dead = Person(new_subject(), {"email": new_email(), "phone": "+447700900321", "cn_resident_id": "999999199001011238"})
    alive = Person(new_subject(), {"email": new_email(), "phone": "+447700900654"})
    _store(at_work, dead)
    kept, gone = _store(at_work, alive)[:2]
    copy = _copy(at_work)
    keys = _all_keys(at_work, copy)
    assert set(_found(copy, keys, dead)) >= {"name", "email", "phone"}
    assert "phone" in _found(copy, keys, alive)

    erased = statement_of(at_work.erase(dead.subject_id)).erasure_uid
    assert not at_work.verify(erased).horizon_reached
    at_work.ask(delete(gone), "all")
    attestation = rotate(at_work.inside)
    name = begin_destruction(at_work.inside, attestation.kek_version)
    with worker(at_work.inside) as working:
        working.look()
    attested(at_work.inside, name)

    left = _all_keys(at_work, copy)
    assert not _found(copy, left, dead)
    assert "phone" not in _found(copy, left, alive)
    assert at_work.inside.rows(t.token, text=kept)
    assert not any(_holds(copy, needle) for needle in _plain(dead))
    assert not at_work.verify(erased).horizon_reached  # what opens the receipt's commitment moved on: it is kept for 24 hours
    at_work.lies_back(erased)
    later = begin_destruction(at_work.inside, rotate(at_work.inside).kek_version)
    with worker(at_work.inside) as working:
        working.look()
    attested(at_work.inside, later)
    at_work.integrate()
    assert at_work.verify(erased).horizon_reached
    assert erased.hex() in AuditEvent.FromString(at_work.receipt(erased).horizon.leaf).details["erasures"]


@pytest.mark.parametrize("kind", [EPOCH, INDEX, AUTHORITY])
def test_no_wrapped_key_of_the_copy_opens_any_more(at_work: Working, kind: str) -> None:
    copy = _copy(at_work)
    attestation = rotate(at_work.inside)
    name = begin_destruction(at_work.inside, attestation.kek_version)
    with worker(at_work.inside) as working:
        working.look()
    attested(at_work.inside, name)
    uid = at_work.inside.tenant().uid
    rows = [row for row in copy["tenant_key"] if row.tenant_uid == uid and row.kind == kind and row.wrapped]
    assert rows
    assert not list(_unwrapped(at_work, rows))


def _store(at_work: Working, person: Person) -> list[str]:
    items = [(person.subject_id, data_class, text) for data_class, text in person.values.items()]
    return tokens_of(at_work.ask(tokenize(*items, token_kind=DETERMINISTIC), "all"))


def _copy(at_work: Working) -> Copy:
    """What a backup of this moment holds."""
    with at_work.node.engine.connect() as connection:
        return {table.name: list(connection.execute(sa.select(table))) for table in t.metadata.sorted_tables}


def _all_keys(at_work: Working, copy: Copy) -> Keys:
    """What the KMS still opens of the copy, what the vault has now, and all subject keys that these unwrap, then and now."""
    uid = at_work.inside.tenant().uid
    now = _copy(at_work)
    rows = [row for each in (copy, now) for row in each["tenant_key"] if row.tenant_uid == uid and row.wrapped]
    tenant = list(_unwrapped(at_work, rows))
    wrapped = [row for each in (copy, now) for row in each["subject_key"]]
    return Keys(tenant, [key for row in wrapped for key in _subject_keys(tenant, row)])


def _unwrapped(at_work: Working, rows: Iterable[Any]) -> Iterator[tuple[str, Key]]:
    for row in rows:
        try:
            context = binding.kms_context(row.tenant_uid, row.kind, row.version)
            (key,) = at_work.node.key_manager.unwrap(row.tenant_uid, [(row.wrapped, context)])
        except VaultError:
            continue
        yield row.kind, key


def _subject_keys(tenant: Iterable[tuple[str, Key]], row: Any) -> Iterator[Key]:
    bound = binding.subject_key(row.tenant_uid, row.subject_uid, row.kind, row.version, row.key_id, row.epoch)
    for kind, key in tenant:
        if kind == EPOCH:
            try:
                yield unwrap(key.derive(LABEL_WRAP), row.wrapped, bound)
            except DecryptionError:
                continue


def _found(copy: Copy, keys: Keys, person: Person) -> list[str]:
    """What of a person the copy gives away: by trying hashes, and by opening what it holds."""
    found = []
    for _, key in keys.tenant:
        if _holds(copy, subject_lookup(key, person.subject_id)):
            found.append("name")
        found += [
            name for name, text in person.values.items() if any(_holds(copy, each) for each in _hashes(copy, key, name, text))
        ]
    opened = list(_opened(copy, keys))
    found += [name for name, text in person.values.items() if any(text.encode() in each for each in opened)]
    found += ["name"] * any(person.subject_id.encode() in each for each in opened)
    return found


def _hashes(copy: Copy, key: Key, name: str, text: str) -> Iterator[bytes]:
    data_class = BUILT_IN.get(name)
    assert data_class
    made = fingerprint(key, name, data_class.normaliser_version, data_class.normalise(text))
    yield made
    for row in copy["subject"]:
        yield deterministic(key, row.uid, made, ["payout"])


def _opened(copy: Copy, keys: Keys) -> Iterator[bytes]:
    """Everything that a key opens, tried with each."""
    for key in keys.subjects:
        for row in copy["item"]:
            bound = binding.item(row.tenant_uid, row.subject_uid, row.data_class, row.uid, row.revision, row.store_key_version)
            yield from _try(key.derive(LABEL_ITEM), row.envelope, bound)
        for row in copy["subject"]:
            bound = binding.subject_id(row.tenant_uid, row.uid, row.store_key_version)
            yield from _try(key.derive(LABEL_SUBJECT_ID), row.subject_id, bound)


def _try(key: Key, envelope: bytes, bound: bytes) -> Iterator[bytes]:
    try:
        yield unseal(key, envelope, bound)
    except DecryptionError:
        return


def _plain(person: Person) -> Iterator[bytes]:
    """What must stand nowhere: names, values, and hashes of them that need no key."""
    for text in (person.subject_id, *person.values.values()):
        yield text.encode()
        yield hashlib.sha256(text.encode()).digest()


def _holds(copy: Copy, needle: bytes) -> bool:
    return any(
        needle in (cell if isinstance(cell, bytes) else str(cell).encode())
        for rows in copy.values()
        for row in rows
        for cell in row
        if cell is not None
    )


def test_requests_of_the_copy_are_not_recognised_any_more(at_work: Working) -> None:
    request = tokenize((new_subject(), "email", new_email()))
    at_work.ask(request, "all")
    copy, raw = _copy(at_work), request.SerializeToString(deterministic=True)
    assert _recognised(copy, _all_keys(at_work, copy), raw)
    attestation = rotate(at_work.inside)
    name = begin_destruction(at_work.inside, attestation.kek_version)
    with worker(at_work.inside) as working:
        working.look()
    attested(at_work.inside, name)
    assert not _recognised(copy, _all_keys(at_work, copy), raw)


def _recognised(copy: Copy, keys: Keys, raw: bytes) -> bool:
    """Whether somebody can tell that this request was made: by the digest's own key, if an epoch key opens it."""
    for row in copy["idempotency"]:
        for kind, key in keys.tenant:
            if kind == EPOCH and row.digest_key:
                for epoch in range(1, 40):
                    try:
                        bound = binding.digest_key(row.tenant_uid, row.request_id, row.principal_uid, epoch)
                        own = unwrap(key.derive(LABEL_DIGEST_KEY), row.digest_key, bound)
                    except DecryptionError:
                        continue
                    if request_digest(own, "vault.v1.TokenizeRequest", raw) == row.digest:
                        return True
    return False
