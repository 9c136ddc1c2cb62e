"""Reencrypt: ciphertexts move to their subjects' newest field keys, and nobody sees a value."""

import secrets

import pytest
from tests.fields.requests import decrypt, encrypt, key_in_place, key_row, made, plain, reencrypt, rekey
from tests.fields.test_refused import erase
from tests.use_cases.inside import Inside
from tests.use_cases.requests import LENIENT, MASKED, PER_ITEM, new_email, new_subject, reasons

from vault.crypto.field_ciphertext import read_header, unseal_field
from vault.store import tables as t


def test_a_ciphertext_under_the_newest_key_is_answered_as_it_is(open_vault: Inside) -> None:
    ciphertext = made(open_vault)
    (result,) = open_vault.ask(reencrypt(ciphertext), "app").results
    assert (result.ciphertext, result.changed) == (ciphertext, False)


def test_after_re_keying_old_ciphertexts_open_new_ones_are_under_the_newest_key_and_old_ones_move_there(open_vault: Inside) -> None:
    subject, email = new_subject(), new_email()
    old = made(open_vault, email, subject=subject, purposes=["billing", "payout"], associated_data=b"row 17")
    newer = rekey(open_vault, key_row(open_vault, old), secrets.token_bytes(16))
    assert plain(open_vault, old, associated_data=b"row 17") == [email]
    assert key_row(open_vault, made(open_vault, subject=subject)) == newer
    (result,) = open_vault.ask(reencrypt(old, purpose="support", associated_data=b"row 17"), "app").results
    assert result.changed
    assert read_header(result.ciphertext) == read_header(old)._replace(key_id=newer.key_id)
    assert unseal_field(key_in_place(open_vault, newer), result.ciphertext, b"row 17") == b"\x01" + email.encode()
    assert plain(open_vault, old, result.ciphertext, associated_data=b"row 17") == [email, email]
    again = open_vault.ask(reencrypt(result.ciphertext, associated_data=b"row 17"), "app").results[0]
    assert (again.ciphertext, again.changed) == (result.ciphertext, False)


def test_an_ill_formed_value_stays_marked(open_vault: Inside) -> None:
    old = made(open_vault, "no address", validation=LENIENT)
    rekey(open_vault, key_row(open_vault, old), secrets.token_bytes(16))
    (result,) = open_vault.ask(reencrypt(old)).results
    assert result.changed
    assert plain(open_vault, result.ciphertext, kind=MASKED) == ["****"]


def test_several_keys_of_several_people_each_move_to_their_own_newest(open_vault: Inside) -> None:
    subjects, emails = [new_subject() for _ in range(3)], [new_email() for _ in range(3)]
    everyone = list(zip(subjects, emails, strict=True))
    ciphertexts = [made(open_vault, email, subject=subject) for subject, email in everyone]
    newest = [key_row(open_vault, ciphertext) for ciphertext in ciphertexts]
    for _ in range(2):
        newest[:2] = [rekey(open_vault, row, secrets.token_bytes(16)) for row in newest[:2]]
        ciphertexts += [made(open_vault, email, subject=subject) for subject, email in everyone]
    results = open_vault.ask(reencrypt(*ciphertexts)).results
    assert [read_header(result.ciphertext).key_id for result in results] == [row.key_id for row in newest] * 3
    assert [result.changed for result in results] == [True, True, False] * 2 + [False] * 3
    assert plain(open_vault, *(result.ciphertext for result in results)) == emails * 3


@pytest.mark.parametrize("who", ["masked", "plain", "admin", "auditor"])
def test_only_who_may_tokenise_may_re_encrypt(open_vault: Inside, who: str) -> None:
    assert open_vault.refused(reencrypt(made(open_vault)), who) == "POLICY_DENIED"


@pytest.mark.parametrize("state", ["RESTRICTED", "ERASING"])
def test_nothing_of_a_subject_whose_data_may_not_be_used_is_re_encrypted(open_vault: Inside, state: str) -> None:
    ciphertext = made(open_vault)
    open_vault.reseal(t.subject, {"uid": key_row(open_vault, ciphertext).subject_uid}, state=state)
    assert open_vault.refused(reencrypt(ciphertext), "app") == "SUBJECT_RESTRICTED"


def test_items_stand_alone_if_asked(open_vault: Inside) -> None:
    good, gone = made(open_vault), made(open_vault)
    erase(open_vault, gone)
    assert open_vault.refused(reencrypt(good, gone)) == "CIPHERTEXT_REFUSED"
    results = open_vault.ask(reencrypt(gone, good, atomicity=PER_ITEM)).results
    assert reasons(results) == ["CIPHERTEXT_REFUSED", ""]
    assert [result.ciphertext for result in results] == [b"", good]


def test_nothing_is_stored(open_vault: Inside) -> None:
    old = made(open_vault)
    rekey(open_vault, key_row(open_vault, old), secrets.token_bytes(16))
    before = open_vault.count()
    open_vault.ask(reencrypt(old))
    after = open_vault.count()
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {"audit_pending": 1}


def test_when_the_newest_key_is_edited_it_seals_nothing(open_vault: Inside) -> None:
    subject = new_subject()
    old = made(open_vault, subject=subject)
    newer = rekey(open_vault, key_row(open_vault, old), secrets.token_bytes(16))
    open_vault.edit(t.subject_key, {"key_id": newer.key_id}, wrapped=bytes(66))
    assert open_vault.refused(reencrypt(old)) == "INTEGRITY"
    assert open_vault.refused(encrypt((subject, "email", new_email()))) == "INTEGRITY"
    assert open_vault.ask(decrypt(old))
