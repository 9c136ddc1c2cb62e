"""A subject with more items than one transaction can seal anew is re-keyed in parts, and what is asked meanwhile is answered."""

from typing import Any

import pytest
from tests.harness import context
from tests.rotation.works import ask_rekey, begin_rotation, phases, rekeyed_by_another, rekeying, rotate
from tests.use_cases.inside import Inside
from tests.use_cases.requests import delete, new_email, new_subject, reveal, search, tokenize, tokens_of, update

from vault.store import tables as t
from vault.store.reading import whole_subjects
from vault.store.reads import STORE
from vault.v1 import audit_pb2, subject_service_pb2
from vault.v1 import key_service_pb2 as v1

ITEMS = 7


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part has two items, and passes by no more than three."""
    monkeypatch.setattr(whole_subjects, "MAX_ITEMS", 2)
    monkeypatch.setattr(whole_subjects, "MAX_PASSED", 3)


class Rich:
    """Somebody with many items and a second name."""

    def __init__(self, inside: Inside) -> None:
        self.inside = inside
        self.name, self.alias = new_subject(), new_subject()
        self.emails = [new_email() for _ in range(ITEMS)]
        self.tokens = self.store(*self.emails)
        self.uid = inside.row(t.token, text=self.tokens[0]).subject_uid
        inside.ask(subject_service_pb2.LinkRequest(context=context(), subject_id=self.name, alias=self.alias), "admin")

    def store(self, *emails: str) -> list[str]:
        """More tokens."""
        return tokens_of(self.inside.ask(tokenize(*((self.name, "email", email) for email in emails))))

    def check(self) -> None:
        """Everything is readable and found, by either name."""
        ask = self.inside.ask
        assert [result.value.text for result in ask(reveal(*self.tokens)).results] == self.emails
        by_value, by_name, by_alias = ask(
            search(("email", self.emails[0], None), ("email", None, self.name), ("email", None, self.alias))
        ).results
        assert [hit.token for hit in by_value.items] == [self.tokens[0]]
        assert {hit.token for hit in by_name.items} == {hit.token for hit in by_alias.items} == set(self.tokens)
        shown = ask(subject_service_pb2.GetSubjectRequest(context=context(), subject_id=self.name), "admin").subject
        assert list(shown.aliases) == [self.alias]

    def versions(self) -> list[int]:
        """The versions of the store keys that there are."""
        return sorted(row.version for row in self.inside.rows(t.subject_key, subject_uid=self.uid, kind=STORE))

    def items_under(self) -> set[int]:
        """The versions that items are under."""
        return {row.store_key_version for row in self.inside.rows(t.item, subject_uid=self.uid)}

    def subject(self) -> Any:
        """The subject's row."""
        return self.inside.row(t.subject, uid=self.uid)


def test_between_any_two_parts_everything_is_readable_and_in_the_end_one_key_is_left(open_vault: Inside) -> None:
    rich = Rich(open_vault)
    name = ask_rekey(open_vault, rich.name)
    seen = []
    for _ in rekeying(open_vault):
        seen.append((rich.versions(), rich.items_under()))
        rich.check()
    assert seen[:-1] == [([1, 2], {1, 2})] * 3
    assert seen[-1] == ([2], {2})
    assert not rich.subject().rekey_due
    rekeyed_by_another(open_vault, name)


def test_each_new_envelope_is_in_the_log_whatever_part_it_came_with(open_vault: Inside) -> None:
    rich = Rich(open_vault)
    name = ask_rekey(open_vault, rich.name)
    with open_vault.events() as events:
        for _ in rekeying(open_vault):
            pass
    told = {
        each.token_uids[16 * n : 16 * n + 16]: each.envelope_hashes[32 * n : 32 * n + 32]
        for event in events
        if event.action == "Rekeyed"
        for each in event.touched
        if each.change == audit_pb2.CHANGE_UPDATED
        for n in range(each.count)
    }
    items = {row.uid: row.envelope_sha256 for row in open_vault.rows(t.item, subject_uid=rich.uid)}
    assert told == {row.uid: items[row.item_uid] for row in open_vault.rows(t.token, subject_uid=rich.uid)}
    rekeyed_by_another(open_vault, name)


def test_what_is_stored_changed_and_deleted_between_two_parts_stays_so_and_makes_a_new_key_due(open_vault: Inside) -> None:
    rich = Rich(open_vault)
    name = ask_rekey(open_vault, rich.name)
    going = rekeying(open_vault)
    next(going)
    order = [row.text for row in sorted(open_vault.rows(t.token, subject_uid=rich.uid), key=lambda row: row.item_uid)]
    gone, changed = order[-1], order[-2]  # not moved yet
    open_vault.ask(delete(gone))
    place = rich.tokens.index(changed)
    rich.emails[place] = new_email()
    open_vault.ask(update((changed, rich.emails[place])))
    place = rich.tokens.index(gone)
    del rich.tokens[place], rich.emails[place]
    rich.emails.append(new_email())
    rich.tokens += rich.store(rich.emails[-1])
    rich.check()
    for _ in going:
        rich.check()
    assert (rich.versions(), rich.items_under()) == ([2], {2})
    assert rich.subject().rekey_due
    rekeyed_by_another(open_vault, name)
    rotate(open_vault)
    assert not rich.subject().rekey_due
    rich.check()


def test_a_rekeying_that_was_cut_off_is_gone_on_with_and_leaves_no_older_key(open_vault: Inside) -> None:
    rich = Rich(open_vault)
    name = ask_rekey(open_vault, rich.name)
    going = rekeying(open_vault)
    next(going)
    next(going)
    going.close()
    rekeyed_by_another(open_vault, name)
    assert (rich.versions(), rich.items_under()) == ([2], {2})
    rich.check()


def test_a_rotation_moves_no_older_key_and_takes_up_what_was_cancelled_half_way(open_vault: Inside) -> None:
    rich = Rich(open_vault)
    name = ask_rekey(open_vault, rich.name)
    going = rekeying(open_vault)
    next(going)
    going.close()
    open_vault.ask(v1.CancelOperationRequest(context=context("incident"), name=name), "security")
    epoch = open_vault.row(t.tenant, uid=open_vault.tenant().uid).epoch
    begin_rotation(open_vault)
    for _ in phases(open_vault, batch=100):
        old = [row for row in open_vault.rows(t.subject_key, subject_uid=rich.uid, kind=STORE) if row.version == 1]
        assert all(row.epoch == epoch for row in old)
        rich.check()
    assert (rich.versions(), rich.items_under()) == ([2], {2})


def test_whoever_is_erased_between_two_parts_loses_both_keys(open_vault: Inside) -> None:
    rich = Rich(open_vault)
    name = ask_rekey(open_vault, rich.name)
    going = rekeying(open_vault)
    next(going)
    erase = subject_service_pb2.EraseRequest(context=context(ground="request"), subject_id=rich.name)
    receipt = open_vault.ask(erase, "privacy").receipt
    keys = subject_service_pb2.ErasureStatement.FromString(receipt.statement).keys
    assert [key.version for key in keys] == [1, 2]
    for _ in going:
        pass
    assert rich.versions() == [1, 2]
    open_vault.reseal(t.subject, {"uid": rich.uid}, state="ACTIVE")
    rekeyed_by_another(open_vault, name)


def test_a_part_has_no_more_bytes_than_it_may_have_and_one_item_at_least(
    open_vault: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    rich = Rich(open_vault)
    monkeypatch.setattr(whole_subjects, "MAX_ITEMS", 1000)
    monkeypatch.setattr(whole_subjects, "MAX_BYTES", 1)
    name = ask_rekey(open_vault, rich.name)
    under = []
    for _ in rekeying(open_vault):
        rows = open_vault.rows(t.item, subject_uid=rich.uid)
        under.append(sum(row.store_key_version == 2 for row in rows))
    assert under == list(range(1, ITEMS + 1))
    rich.check()
    rekeyed_by_another(open_vault, name)
