"""Ciphertexts outlive every key above theirs, and move to their person's next one when that is made anew."""

from collections.abc import Iterator

import pytest
from tests.fields.requests import encrypt, key_row, made, plain, reencrypt
from tests.harness import Vault, context
from tests.rotation.works import attested, rotate, worker
from tests.use_cases.inside import Inside, inside
from tests.use_cases.requests import new_email, new_subject

from vault.crypto.field_ciphertext import read_header
from vault.store import tables as t
from vault.v1 import key_service_pb2 as keys_v1


@pytest.fixture
def opened(vault: Vault) -> Iterator[Inside]:
    """A vault of the test's own."""
    with inside(vault) as one:
        yield one


def rekey(vault: Inside, subject_id: str) -> None:
    """Give a person new keys, and wait for the end."""
    request = keys_v1.RekeyRequest(context=context("incident"), subject_id=subject_id)
    name = vault.ask(request, "security").operation.name
    with worker(vault) as working:
        working.look()
    attested(vault, name)


def test_after_a_rotation_ciphertexts_open_as_before_and_are_under_the_newest_key_still(opened: Inside) -> None:
    subject, emails = new_subject(), [new_email() for _ in range(3)]
    ciphertexts = [made(opened, email, subject=subject) for email in emails[:2]]
    before = key_row(opened, ciphertexts[0])
    rotate(opened)
    after = key_row(opened, ciphertexts[0])
    assert after.epoch == before.epoch + 1
    assert after == before._replace(epoch=after.epoch, wrapped=after.wrapped)
    ciphertexts.append(opened.ask(encrypt((subject, "email", emails[2]))).results[0].ciphertext)
    assert plain(opened, *ciphertexts) == emails
    assert key_row(opened, ciphertexts[2]) == after
    assert [result.changed for result in opened.ask(reencrypt(*ciphertexts)).results] == [False] * 3


def test_after_a_re_keying_old_ciphertexts_open_and_move_to_the_new_key(opened: Inside) -> None:
    subject, email = new_subject(), new_email()
    old, other = made(opened, email, subject=subject), made(opened)
    rekey(opened, subject)
    assert plain(opened, old) == [email]
    moved, same = opened.ask(reencrypt(old, other)).results
    assert (moved.changed, same.changed) == (True, False)
    assert plain(opened, moved.ciphertext) == [email]
    newest = max(opened.rows(t.subject_key, subject_uid=key_row(opened, old).subject_uid, kind="field"))
    assert read_header(moved.ciphertext).key_id == newest.key_id != read_header(old).key_id
    assert key_row(opened, made(opened, subject=subject)) == newest
    rotate(opened)
    assert plain(opened, old, moved.ciphertext) == [email, email]
