"""Rows edited behind the vault's back are named: tenant, table, what it is, and the entry that says otherwise."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.audit_verify.checking import run
from tests.audit_verify.logs import write
from tests.audit_verify.vaults import Desk
from tests.harness import Vault, flipped
from tests.use_cases.inside import Inside, inside
from tests.use_cases.open_vault import open_vault
from tests.use_cases.requests import delete, new_email, new_subject, tokenize, tokens_of, update

from vault.audit.chain import Chain, announcement
from vault.audit.events import Caller, Draft
from vault.cli.audit.database_items import ItemTables
from vault.cli.audit.database_rows import Findings
from vault.store import tables as t
from vault.store.clock import now_us
from vault.store.log import facets
from vault.store.log.rows import PendingRow
from vault.store.writes import insert
from vault.v1 import audit_pb2, common_pb2

__all__ = ["open_vault"]

UID = "[0-9a-f]{32}"


@pytest.fixture
def desk(open_vault: Inside) -> Desk:
    """A tenant of the test's own."""
    return Desk(open_vault, ["all"])


def own(table: sa.Table, desk: Desk, **where: Any) -> sa.ColumnElement[bool]:
    """The tenant's rows of a table."""
    column = table.c.uid if table is t.tenant else table.c.tenant_uid
    return sa.and_(column == desk.tenant.uid, *(table.c[name] == value for name, value in where.items()))


def token_row(desk: Desk, text: str) -> Any:
    """The row of a token."""
    return desk.inside.row(t.token, tenant_uid=desk.tenant.uid, text=text)


def item_row(desk: Desk, text: str) -> Any:
    """The row of a token's item."""
    return desk.inside.row(t.item, tenant_uid=desk.tenant.uid, uid=token_row(desk, text).item_uid)


def only(found: list[str], pattern: str) -> None:
    """There is one finding, and this is it."""
    assert len(found) == 1, found
    assert re.fullmatch(pattern, found[0]), found[0]


def test_an_untouched_database_is_as_its_log_says(desk: Desk, tmp_path: Path) -> None:
    desk.work()
    desk.inside.node.end_boot()
    desk.integrate()
    found, compared = desk.compared(desk.bundle(), tmp_path)
    assert found == []
    assert (compared.newer, compared.pending, compared.tokens) == (0, 0, 2)
    assert compared.entries > 5


def test_what_came_after_the_bundle_counts_too(desk: Desk, tmp_path: Path) -> None:
    """Entries and pending events that the bundle does not have explain rows as well as those it has."""
    desk.work()
    desk.integrate()
    files = desk.bundle()
    tokens = desk.work()
    desk.integrate()
    desk.inside.ask(update((tokens[0], new_email())), tenant=desk.name)
    found, compared = desk.compared(files, tmp_path)
    assert found == []
    assert compared.newer >= 5
    assert compared.pending == 1


def test_many_events_and_tiles_are_compared(desk: Desk, tmp_path: Path) -> None:
    for _ in range(3):
        calls = [desk.inside.call(tokenize((new_subject(), "email", new_email())), tenant=desk.name) for _ in range(200)]
        desk.inside.answers(calls)
    desk.integrate()
    files = desk.bundle()
    desk.inside.answers([desk.inside.call(tokenize((new_subject(), "email", new_email())), tenant=desk.name) for _ in range(200)])
    desk.integrate()
    found, compared = desk.compared(files, tmp_path)
    assert found == []
    assert (compared.tokens, compared.newer) == (800, 200)
    desk.edit(t.audit_node.update().where(own(t.audit_node, desk, node_index=1)).values(hash=bytes(32)))
    desk.edit(t.audit_node.delete().where(own(t.audit_node, desk, node_index=0)))
    desk.edit(t.audit_node.insert().values(tenant_uid=desk.tenant.uid, level=2, node_index=0, hash=bytes(32)))
    assert desk.compared(files, tmp_path)[0] == [
        "audit_node: hash 0 of level 1 is missing",
        "audit_node: hash 1 of level 1 was edited",
        "audit_node: there is no hash 0 of level 2 in the tree, and yet a row",
    ]


def test_an_item_that_was_edited_is_named_with_who_wrote_it_last(desk: Desk, tmp_path: Path) -> None:
    tokens = desk.work()
    desk.integrate()
    files, item = desk.bundle(), item_row(desk, tokens[1])
    desk.edit(t.item.update().where(own(t.item, desk, uid=item.uid)).values(envelope=flipped(item.envelope)))
    only(
        desk.compared(files, tmp_path)[0],
        f"item: {item.uid.hex()} of token {UID} was edited: its envelope is not the one that entry [0-9]+ wrote",
    )
    desk.edit(t.item.update().where(own(t.item, desk, uid=item.uid)).values(envelope_sha256=bytes(32)))
    only(
        desk.compared(files, tmp_path)[0],
        f"item: {item.uid.hex()} of token {UID} was edited: nothing wrote its envelope; entry [0-9]+ wrote the last one",
    )


def test_an_item_put_back_to_an_older_revision_is_named_with_both(desk: Desk, tmp_path: Path) -> None:
    (token,) = tokens_of(desk.inside.ask(tokenize((new_subject(), "email", new_email())), tenant=desk.name))
    old = item_row(desk, token)
    desk.inside.ask(update((token, new_email())), tenant=desk.name)
    desk.integrate()
    assert desk.compared(desk.bundle(), tmp_path)[0] == []
    desk.edit(t.item.update().where(own(t.item, desk, uid=old.uid)).values(**old._asdict()))
    only(
        desk.compared(desk.bundle(), tmp_path)[0],
        f"item: {old.uid.hex()} of token {UID} was put back to what entry [0-9]+ wrote; entry [0-9]+ replaced that",
    )


def test_an_item_at_a_revision_that_nothing_wrote_is_named(desk: Desk, tmp_path: Path) -> None:
    tokens = desk.work()
    desk.integrate()
    item = item_row(desk, tokens[1])
    desk.edit(t.item.update().where(own(t.item, desk, uid=item.uid)).values(revision=9))
    only(desk.compared(desk.bundle(), tmp_path)[0], f"item: {item.uid.hex()} .* at revision 9, and the log has written 3")


def test_rows_that_are_missing_are_named(desk: Desk, tmp_path: Path) -> None:
    tokens = desk.work()
    desk.integrate()
    files, token, item = desk.bundle(), token_row(desk, tokens[0]), item_row(desk, tokens[0])
    desk.edit(t.item.delete().where(own(t.item, desk, uid=item.uid)))
    missing = f"item: {item.uid.hex()} of token {token.uid.hex()} is missing, and nothing in the log deleted it"
    assert desk.compared(files, tmp_path)[0] == [missing]
    desk.edit(t.token.delete().where(own(t.token, desk, uid=token.uid)))
    only(desk.compared(files, tmp_path)[0], f"token: {token.uid.hex()} is missing: entry [0-9]+ wrote it, and nothing deleted it")


def test_an_item_whose_token_is_missing_is_named(desk: Desk, tmp_path: Path) -> None:
    tokens = desk.work()
    desk.integrate()
    token = token_row(desk, tokens[0])
    desk.edit(t.token.delete().where(own(t.token, desk, uid=token.uid)))
    found = desk.compared(desk.bundle(), tmp_path)[0]
    assert found[0] == f"item: no token leads to the item {token.item_uid.hex()}"
    only(found[1:], f"token: {token.uid.hex()} is missing: .*")


def test_rows_that_nothing_wrote_are_named(desk: Desk, tmp_path: Path) -> None:
    tokens = desk.work()
    desk.integrate()
    token, item = token_row(desk, tokens[0]), item_row(desk, tokens[0])
    desk.edit(t.item.insert().values(**item._replace(uid=b"\x01" * 16, deterministic=None)._asdict()))
    desk.edit(t.token.insert().values(**token._replace(uid=b"\x02" * 16, item_uid=b"\x01" * 16, text="invented")._asdict()))
    assert desk.compared(desk.bundle(), tmp_path)[0] == [f"token: {'02' * 16}: nothing in the log wrote it"]


def test_a_deleted_row_put_back_is_named(desk: Desk, tmp_path: Path) -> None:
    (text,) = tokens_of(desk.inside.ask(tokenize((new_subject(), "email", new_email())), tenant=desk.name))
    token, item = token_row(desk, text), item_row(desk, text)
    desk.inside.ask(delete(text), tenant=desk.name)
    desk.integrate()
    assert desk.compared(desk.bundle(), tmp_path)[0] == []
    for table, row in ((t.item, item), (t.token, token)):
        desk.edit(table.insert().values(**row._asdict()))
    only(desk.compared(desk.bundle(), tmp_path)[0], f"token: {token.uid.hex()}: entry [0-9]+ deleted it, and it is there again")


def test_entries_that_were_edited_or_deleted_are_named(desk: Desk, tmp_path: Path) -> None:
    desk.work()
    desk.integrate()
    files = desk.bundle()
    desk.edit(t.audit_entry.update().where(own(t.audit_entry, desk, leaf_index=3)).values(leaf=b"x"))
    desk.edit(t.audit_entry.update().where(own(t.audit_entry, desk, leaf_index=4)).values(leaf_hash=bytes(32)))
    desk.edit(t.audit_entry.delete().where(own(t.audit_entry, desk, leaf_index=6)))
    assert desk.compared(files, tmp_path)[0] == [
        "audit_entry: entry 3 was edited: its leaf is not the one in the log",
        "audit_entry: entry 4 was edited: its hash is not the one in the log",
        "audit_entry: entry 6 is missing",
    ]


def test_a_last_entry_that_was_deleted_is_missed_whether_the_bundle_has_it_or_not(desk: Desk, tmp_path: Path) -> None:
    desk.work()
    desk.integrate()
    files = desk.bundle()
    desk.work()
    desk.integrate()
    whole = desk.bundle()
    (last,) = [row for row in desk.inside.rows(t.audit_log, tenant_uid=desk.tenant.uid)]
    desk.edit(t.audit_entry.delete().where(own(t.audit_entry, desk, leaf_index=last.size - 1)))
    found = desk.compared(files, tmp_path / "a")[0]
    assert f"audit_log: its size {last.size} and root are not those of its {last.size - 1} entries" in found
    assert f"audit_entry: entry {last.size - 1} is missing" in desk.compared(whole, tmp_path / "b")[0]


def test_a_database_put_back_to_the_past_is_rewound(desk: Desk, tmp_path: Path) -> None:
    desk.work()
    desk.integrate()
    old = desk.inside.row(t.audit_log, tenant_uid=desk.tenant.uid)
    desk.work()
    desk.integrate()
    files = desk.bundle()
    new = desk.inside.row(t.audit_log, tenant_uid=desk.tenant.uid)
    desk.edit(t.audit_log.update().where(own(t.audit_log, desk)).values(**old._asdict()))
    desk.edit(t.audit_entry.delete().where(own(t.audit_entry, desk), t.audit_entry.c.leaf_index >= old.size))
    found = desk.compared(files, tmp_path)[0]
    assert f"audit_log: rewound: it has {old.size} entries, but a checkpoint of {new.size} was signed" in found
    assert f"audit_entry: entry {old.size} is missing" in found


def test_a_checkpoint_that_the_log_never_signed_is_named(desk: Desk, tmp_path: Path) -> None:
    desk.work()
    desk.integrate()
    files, row = desk.bundle(), desk.inside.row(t.audit_log, tenant_uid=desk.tenant.uid)
    edits: list[tuple[dict[str, Any], str]] = [
        (
            {"checkpoint": row.checkpoint.replace(str(row.checkpoint_size), "1")},
            "audit_log: its checkpoint was not signed by the log: .*",
        ),
        ({"checkpoint_size": row.checkpoint_size - 1}, f"audit_log: its checkpoint is of size {row.size}, not {row.size - 1}"),
        ({"root": bytes(32)}, f"audit_log: its size {row.size} and root are not those of its {row.size} entries"),
    ]
    for values, pattern in edits:
        desk.edit(t.audit_log.update().where(own(t.audit_log, desk)).values(**values))
        only(desk.compared(files, tmp_path)[0], pattern)
        desk.edit(t.audit_log.update().where(own(t.audit_log, desk)).values(**row._asdict()))
    desk.edit(t.audit_log.delete().where(own(t.audit_log, desk)))
    assert desk.compared(files, tmp_path)[0] == ["audit_log: the log's head is missing"]


def test_an_index_row_that_points_to_another_subject_is_named(desk: Desk, tmp_path: Path) -> None:
    tokens = desk.work()
    desk.integrate()
    subject = token_row(desk, tokens[0]).subject_uid
    mention = desk.inside.rows(t.audit_mention, tenant_uid=desk.tenant.uid, uid=subject)[0]
    where = own(t.audit_mention, desk, uid=subject, leaf_index=mention.leaf_index)
    desk.edit(t.audit_mention.update().where(where).values(uid=b"\x03" * 16))
    index, time = mention.leaf_index, mention.time_us
    assert desk.compared(desk.bundle(), tmp_path)[0] == [
        f"audit_mention: entry {index} is not found by its subject {subject.hex()} at {time} us: the row is missing",
        f"audit_mention: entry {index} is found by subject {'03' * 16} at {time} us, which it does not say: the row is false",
    ]


def test_index_rows_that_are_missing_or_too_many_are_named(desk: Desk, tmp_path: Path) -> None:
    desk.work()
    desk.integrate()
    files, uid = desk.bundle(), desk.tenant.uid
    event = next(row for row in desk.inside.rows(t.audit_event, tenant_uid=uid) if row.leaf_index == 5)
    desk.edit(t.audit_event.delete().where(own(t.audit_event, desk, leaf_index=5)))
    desk.edit(t.audit_event.insert().values(tenant_uid=uid, facet_id=event.facet_id, time_us=1, leaf_index=99_999))
    desk.edit(t.audit_mention.insert().values(tenant_uid=uid, uid=b"\x04" * 16, kind=7, time_us=1, leaf_index=-1))
    count = desk.inside.rows(t.audit_count, tenant_uid=uid)[0]
    desk.edit(t.audit_count.update().where(own(t.audit_count, desk, facet_id=count.facet_id)).values(events=77))
    found = desk.compared(files, tmp_path)[0]
    patterns = [
        rf"audit_event: entry 5 is not found by its facet {event.facet_id} at {event.time_us} us: the row is missing",
        r"audit_event: there is no entry 99999 in the log, and yet a row",
        r"audit_mention: there is no entry -1 in the log, and yet a row",
        rf"audit_count: facet {count.facet_id} in the hour [0-9]+ since 1970 has \[77, [0-9]+\] events and items, the log says .*",
    ]
    assert len(found) == 4
    assert all(any(re.fullmatch(pattern, one) for one in found) for pattern in patterns), found


def test_a_facet_that_says_another_name_is_named(desk: Desk, tmp_path: Path) -> None:
    desk.work()
    desk.integrate()
    facet = next(row for row in desk.inside.rows(t.audit_facet, tenant_uid=desk.tenant.uid) if row.action == "Reveal")
    where = own(t.audit_facet, desk, facet_id=facet.facet_id)
    desk.edit(t.audit_facet.update().where(where).values(principal="spiffe://pdvault/somebody/else"))
    only(desk.compared(desk.bundle(), tmp_path)[0], f"audit_facet: facet {facet.facet_id} was edited: .*")
    desk.edit(t.audit_facet.delete().where(where))
    only(desk.compared(desk.bundle(), tmp_path)[0], f"audit_facet: facet {facet.facet_id} of entry [0-9]+ is missing")


def test_events_whose_purposes_share_a_facet_are_found_by_that_one_alone(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facets, "MAX_VARIANTS", 0)
    desk.work()
    desk.integrate()
    rows = desk.inside.rows(t.audit_facet, tenant_uid=desk.tenant.uid)
    shared = next(row for row in rows if row.action == "Reveal" and row.purpose == "*")
    assert desk.compared(desk.bundle(), tmp_path)[0] == []
    event = next(row for row in desk.inside.rows(t.audit_event, tenant_uid=desk.tenant.uid) if row.facet_id == shared.facet_id)
    desk.edit(t.audit_event.delete().where(own(t.audit_event, desk, leaf_index=event.leaf_index)))
    only(desk.compared(desk.bundle(), tmp_path)[0], f"audit_event: entry {event.leaf_index} is not found by its facet .*")


def test_a_boot_s_row_that_is_not_as_the_log_says_is_named(desk: Desk, tmp_path: Path) -> None:
    desk.work()
    desk.integrate()
    files = desk.bundle()
    boot = desk.inside.rows(t.audit_boot, tenant_uid=desk.tenant.uid)[0]
    where = own(t.audit_boot, desk, boot_id=boot.boot_id)
    desk.edit(t.audit_boot.update().where(where).values(next_sequence=1, endorse_index=None))
    assert desk.compared(files, tmp_path)[0] == [
        f"audit_boot: boot {boot.boot_id.hex()} was edited: endorse_index, next_sequence is not what the log says"
    ]
    desk.edit(t.audit_boot.update().where(where).values(boot_id=b"\x05" * 16))
    assert sorted(desk.compared(files, tmp_path)[0]) == sorted(
        [
            f"audit_boot: boot {'05' * 16} is not in the log, and yet a row",
            f"audit_boot: boot {boot.boot_id.hex()} is missing",
        ]
    )


def pending(number: int, **values: Any) -> Callable[[Desk, list[Any]], sa.Executable]:
    """Changes one of the pending rows, or deletes it."""

    def change(desk: Desk, rows: list[Any]) -> sa.Executable:
        where = own(t.audit_pending, desk, boot_sequence=rows[number].boot_sequence)
        if not values:
            return t.audit_pending.delete().where(where)
        made = {name: value(rows[number].leaf) if callable(value) else value for name, value in values.items()}
        return t.audit_pending.update().where(where).values(**made)

    return change


def resealed(leaf: bytes) -> bytes:
    """A leaf with another time of day in it, and the signature that it had."""
    event = audit_pb2.AuditEvent.FromString(leaf)
    event.purpose = "holiday"
    return event.SerializeToString(deterministic=True)


PENDING = {
    "the middle one deleted": (pending(1), "number {2} of boot {boot} was edited .*number {1} is missing before it"),
    "the middle one edited": (pending(1, leaf=resealed), "number {2} of boot {boot} was edited .*does not follow number {1}.*"),
    "the last one edited": (
        pending(2, leaf=resealed),
        "an event of boot {boot} was edited or forged: .* its signature is not by .*",
    ),
    "moved": (pending(1, time_us=5), "number {1} of boot {boot} was edited or moved, .*: its columns are not what its leaf says"),
    "no leaf at all": (pending(0, leaf=b"\xff"), "number {0} of boot {boot} was edited or moved, .* is no audit event"),
}


@pytest.mark.parametrize(("change", "pattern"), PENDING.values(), ids=PENDING.keys())
def test_pending_events_that_break_their_chain_are_named(
    change: Callable[[Desk, list[Any]], sa.Executable], pattern: str, desk: Desk, tmp_path: Path
) -> None:
    desk.work()
    desk.integrate()
    files = desk.bundle()
    for _ in range(3):
        desk.inside.refused(delete("eml_00000000000000000000000000"), tenant=desk.name)
    rows = sorted(desk.inside.rows(t.audit_pending, tenant_uid=desk.tenant.uid), key=lambda row: row.boot_sequence)
    assert len(rows) == 3
    assert desk.compared(files, tmp_path)[0] == []
    desk.edit(change(desk, rows))
    only(
        desk.compared(files, tmp_path)[0],
        "audit_pending: " + pattern.format(*(row.boot_sequence for row in rows), boot=rows[0].boot_id.hex()),
    )


def test_a_pending_end_of_a_commit_that_was_taken_out_is_missed(desk: Desk, tmp_path: Path) -> None:
    desk.work()
    desk.integrate()
    files = desk.bundle()
    desk.inside.answers([desk.inside.call(tokenize((new_subject(), "email", new_email())), tenant=desk.name) for _ in range(3)])
    rows = sorted(desk.inside.rows(t.audit_pending, tenant_uid=desk.tenant.uid), key=lambda row: row.boot_sequence)
    desk.edit(t.audit_pending.delete().where(own(t.audit_pending, desk, boot_sequence=rows[-1].boot_sequence)))
    found = desk.compared(files, tmp_path)[0]
    assert any(one.startswith(f"audit_pending: what followed number {rows[-2].boot_sequence} of boot ") for one in found)
    only([one for one in found if one.startswith("token")], f"token: {UID}: nothing in the log wrote it")


@pytest.mark.parametrize("integrated", [False, True])
def test_an_event_invented_by_whoever_can_write_to_the_database_is_named(integrated: bool, desk: Desk, tmp_path: Path) -> None:
    desk.work()
    desk.integrate()
    files = desk.bundle()
    invented = Chain("test-1")
    draft = Draft(Caller(desk.tenant.uid, "spiffe://pdvault/acme/all"), "Reveal", common_pb2.CallContext(purpose="payout"))
    with desk.inside.engine.begin() as connection:
        leaves = invented.extend([draft], {}, now_us(connection)).leaves
        insert(connection, t.audit_pending, [PendingRow(*leaf) for leaf in leaves])
    if integrated:
        desk.integrate()
    found = desk.compared(files, tmp_path)[0]
    only(
        found, rf"audit_(pending|entry): .*boot {invented.boot_id.hex()}, which the log's key has not endorsed, and yet was allowed"
    )
    assert found[0].startswith("audit_entry" if integrated else "audit_pending")


WRONG = {
    "half a subject": ({"subject_uids": b"x" * 24}, "has touched uids of a wrong length"),
    "half a token": ({"token_uids": b"x" * 15}, "has touched uids of a wrong length"),
    "no such change": ({"change": 9}, "has a change that does not exist, 9"),
    "a hash of nothing": (
        {"token_uids": b"x" * 16, "envelope_hashes": b"x" * 32},
        "has 32 bytes of envelope_hashes for 1 token_uids",
    ),
    "something made without its hash": ({"token_uids": b"x" * 16, "change": 1}, "has 0 bytes of envelope_hashes for 1 token_uids"),
}


@pytest.mark.parametrize(("fields", "problem"), WRONG.values(), ids=WRONG.keys())
def test_an_event_that_touched_what_can_t_be_is_named(fields: dict[str, Any], problem: str, desk: Desk, tmp_path: Path) -> None:
    """As a node might write that was taken over, with a boot that the log's key has endorsed."""
    chain, uid = Chain("test-1"), desk.tenant.uid
    draft = Draft(Caller(uid, "spiffe://pdvault/acme/all"), "Reveal", common_pb2.CallContext(purpose="payout"))
    event = draft.to_event()
    event.touched.add(data_class="email", count=1, **fields)
    endorsement = desk.inside.node.key_manager.sign(uid, announcement(uid, chain.boot_id, chain.public_key))
    with pytest.MonkeyPatch.context() as patch, desk.inside.engine.begin() as connection:
        patch.setattr(Draft, "to_event", lambda _draft: event)
        leaves = chain.extend([draft], {uid: endorsement}, now_us(connection)).leaves
        insert(connection, t.audit_pending, [PendingRow(*leaf) for leaf in leaves])
    desk.integrate()
    found = [one for one in desk.compared(desk.bundle(), tmp_path)[0] if problem in one]
    only(found, f"audit_entry: entry [0-9]+ {problem}")


def test_the_command_compares_the_database_of_a_url_or_a_configuration(vault: Vault, tmp_path: Path) -> None:
    config, state = vault.folder / "vault.toml", tmp_path / "state"
    with inside(vault) as opened:
        desk = Desk(opened)
        token = token_row(desk, desk.work()[0])
        desk.integrate()
        bundle = write(tmp_path / "bundle.zip", desk.bundle())
        part = {**desk.bundle(), "manifest.json": desk.bundle()["manifest.json"].replace(b'"start_index":0', b'"start_index":1')}
        if not opened.is_postgres:
            busy = run(bundle, "--config", config, state=state)
            assert (busy.code, busy.out) == (2, "")
            assert "another process has this SQLite vault open" in busy.err
    url = vault.config.database.url
    for given in (("--config", config), ("--database", url)) if url else (("--config", config),):
        good = run(bundle, *given, state=state)
        assert (good.code, good.out[:3]) == (0, "OK ")
        assert "1 pending events and 2 tokens with their items are as the log says" in good.out
        found = json.loads(run(bundle, *given, "-o", "json", state=state).out)
        assert (found["result"], found["database_tokens"], found["database_newer"], found["database_pending"]) == ("OK", 2, 0, 1)
    with inside(vault) as opened:
        opened.remove(t.token, tenant_uid=desk.tenant.uid, uid=token.uid)
        opened.remove(t.item, tenant_uid=desk.tenant.uid, uid=token.item_uid)
    bad = run(bundle, *given, state=state)
    assert bad.code == 1
    assert re.fullmatch(f"BAD token of tenant {desk.tenant.uid.hex()}: {token.uid.hex()} is missing: .*\n", bad.out)
    result = run(write(tmp_path / "part.zip", part), *given, state=state)
    assert (result.code, result.out[:40]) == (2, "UNCHECKED comparing a database takes a b")


def test_more_findings_than_can_be_named_are_counted(desk: Desk, tmp_path: Path) -> None:
    values = [(new_subject(), "email", new_email()) for _ in range(30)]
    desk.inside.ask(tokenize(*values), tenant=desk.name)
    findings = Findings(desk.tenant.uid)
    with desk.inside.engine.connect() as connection:
        assert list(ItemTables(connection, desk.tenant.uid, findings).finish())[-1] == 30
    assert (findings.count, len(findings.named), findings.unnamed) == (30, 20, 10)


def test_a_database_that_does_not_answer_is_no_verdict(tmp_path: Path, desk: Desk) -> None:
    bundle = write(tmp_path / "bundle.zip", desk.bundle())
    result = run(bundle, "--database", "postgresql+psycopg://nobody:hush@127.0.0.1:1/nothing", state=tmp_path / "state")
    assert (result.code, result.out) == (2, "")
    assert "hush" not in result.err
