"""What can't be opened is refused in one way, whatever the cause; what was altered in the database is found."""

from collections.abc import Callable

import pytest
from google.protobuf.message import Message
from tests.fields.requests import UNKNOWN_KEY, decrypt, encrypt, key_row, made, plain, reencrypt
from tests.use_cases.inside import Inside
from tests.use_cases.requests import PER_ITEM, new_email, new_subject, reasons, tokenize, tokens_of

from vault.errors import VaultError
from vault.store import tables as t
from vault.store.erasing import erase_subject, rows_left

ASK: dict[str, Callable[..., Message]] = {"Decrypt": decrypt, "Reencrypt": reencrypt}
METHODS = pytest.mark.parametrize("method", ASK)


def erase(vault: Inside, ciphertext: bytes) -> bytes:
    """Erase whom a ciphertext is about; the uid."""
    row = key_row(vault, ciphertext)
    with vault.engine.begin() as connection:
        erase_subject(connection, row.tenant_uid, row.subject_uid)
        assert rows_left(connection, row.tenant_uid, row.subject_uid) == {}
    return row.subject_uid


def told(vault: Inside, request: Message, **options: str) -> str:
    """All that a refusal says."""
    (answer,) = vault.answers([vault.call(request, **options)])  # type: ignore[arg-type]
    assert isinstance(answer, VaultError)
    return str(answer.to_status())


@METHODS
def test_every_single_bit_change_is_refused_in_the_same_words(open_vault: Inside, method: str) -> None:
    ciphertext = made(open_vault, associated_data=b"row 17")
    assert plain(open_vault, ciphertext, associated_data=b"row 17")
    bits = len(ciphertext) * 8
    damaged = [(int.from_bytes(ciphertext, "big") ^ 1 << bit).to_bytes(len(ciphertext), "big") for bit in range(bits)]
    results = open_vault.ask(ASK[method](*damaged, atomicity=PER_ITEM, associated_data=b"row 17")).results
    assert len(results) == bits > 500
    assert set(reasons(results)) == {"CIPHERTEXT_REFUSED"}
    assert len({result.error.SerializeToString() for result in results}) == 1
    assert not any(getattr(result, "ciphertext", b"") for result in results)


@METHODS
def test_every_cut_and_whatever_is_no_ciphertext_is_refused(open_vault: Inside, method: str) -> None:
    ciphertext = made(open_vault)
    cut = [ciphertext[:length] for length in range(1, len(ciphertext))] + [ciphertext[1:], ciphertext + b"\x00"]
    others = [b"\x00", b"x" * 100, bytes(1_114_112), b"pdv1." + ciphertext, b"eml_" + b"0" * 27]
    results = open_vault.ask(ASK[method](*cut, *others, atomicity=PER_ITEM)).results
    assert set(reasons(results)) == {"CIPHERTEXT_REFUSED"}


@METHODS
def test_all_that_can_not_be_opened_is_refused_alike(open_vault: Inside, method: str) -> None:
    bound, unbound, erased = made(open_vault, associated_data=b"row"), made(open_vault), made(open_vault)
    erase(open_vault, erased)
    ask, unknown = ASK[method], unbound[:2] + UNKNOWN_KEY + unbound[18:]
    told_to = {
        "changed": told(open_vault, ask(unbound[:-1] + bytes([unbound[-1] ^ 1]))),
        "no ciphertext": told(open_vault, ask(b"nothing")),
        "unknown version": told(open_vault, ask(b"\x02" + unbound[1:])),
        "unknown key": told(open_vault, ask(unknown)),
        "another tenant's": told(open_vault, ask(unbound), tenant="globex"),
        "erased": told(open_vault, ask(erased)),
        "not bound": told(open_vault, ask(unbound, associated_data=b"row")),
        "bound to other data": told(open_vault, ask(bound, associated_data=b"column")),
        "bound": told(open_vault, ask(bound)),
    }
    assert len(set(told_to.values())) == 1, told_to
    assert "CIPHERTEXT_REFUSED" in told_to["changed"]
    assert "code: 3" in told_to["changed"]


@METHODS
def test_what_can_not_be_opened_takes_as_many_statements_as_what_is_not_there(open_vault: Inside, method: str) -> None:
    mine, erased = made(open_vault), made(open_vault)
    erase(open_vault, erased)
    open_vault.keys("globex")
    run = {}
    for name, ciphertext, tenant in (
        ("unknown", mine[:2] + UNKNOWN_KEY + mine[18:], "acme"),
        ("erased", erased, "acme"),
        ("foreign", mine, "globex"),
    ):
        with open_vault.statements() as statements:
            assert open_vault.refused(ASK[method](ciphertext), tenant=tenant) == "CIPHERTEXT_REFUSED"
        run[name] = statements
    assert run["unknown"] == run["erased"] == run["foreign"]


def test_a_ciphertext_of_one_tenant_is_of_no_use_to_another_that_names_the_same_person(open_vault: Inside) -> None:
    subject, email = new_subject(), new_email()
    mine, theirs = made(open_vault, email, subject=subject), open_vault.ask(encrypt((subject, "email", email)), tenant="globex")
    assert open_vault.refused(decrypt(mine), tenant="globex") == "CIPHERTEXT_REFUSED"
    assert open_vault.refused(decrypt(theirs.results[0].ciphertext)) == "CIPHERTEXT_REFUSED"


def test_a_person_who_comes_back_after_an_erasure_has_another_key_and_old_ciphertexts_stay_dead(open_vault: Inside) -> None:
    subject = new_subject()
    (token,) = tokens_of(open_vault.ask(tokenize((subject, "email", new_email()))))
    old, other = made(open_vault, subject=subject), made(open_vault)
    uid = erase(open_vault, old)
    new = made(open_vault, subject=subject)
    assert open_vault.refused(decrypt(old)) == "CIPHERTEXT_REFUSED"
    assert open_vault.refused(reencrypt(old)) == "CIPHERTEXT_REFUSED"
    assert plain(open_vault, new, other)
    assert key_row(open_vault, new).subject_uid != uid
    assert open_vault.rows(t.token, text=token) == []


def test_a_key_that_was_put_back_after_an_erasure_opens_nothing_without_its_subject(open_vault: Inside) -> None:
    ciphertext = made(open_vault)
    row = key_row(open_vault, ciphertext)
    erase(open_vault, ciphertext)
    with open_vault.engine.begin() as connection:
        connection.execute(t.subject_key.insert().values(row._asdict()))
    assert open_vault.refused(decrypt(ciphertext)) == "CIPHERTEXT_REFUSED"


@METHODS
def test_a_key_given_to_another_person_is_found_out(open_vault: Inside, method: str) -> None:
    mine, theirs = made(open_vault), made(open_vault)
    stolen, victim = key_row(open_vault, mine), key_row(open_vault, theirs)
    open_vault.remove(t.subject_key, key_id=victim.key_id)
    open_vault.edit(t.subject_key, {"key_id": stolen.key_id}, subject_uid=victim.subject_uid)
    assert open_vault.refused(ASK[method](mine)) == "INTEGRITY"


EDITS: dict[str, dict[str, object]] = {
    "wrapped": {"wrapped": bytes(66)},
    "version": {"version": 2},
    "epoch": {"epoch": 9},
}


@METHODS
@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_key_is_found_out(open_vault: Inside, method: str, edit: str) -> None:
    ciphertext = made(open_vault)
    open_vault.edit(t.subject_key, {"key_id": key_row(open_vault, ciphertext).key_id}, **EDITS[edit])
    assert open_vault.refused(ASK[method](ciphertext)) == "INTEGRITY"


@METHODS
def test_a_key_renamed_to_a_ciphertext_s_is_found_out(open_vault: Inside, method: str) -> None:
    ciphertext = made(open_vault)
    open_vault.edit(t.subject_key, {"key_id": key_row(open_vault, ciphertext).key_id}, key_id=UNKNOWN_KEY)
    renamed = ciphertext[:2] + UNKNOWN_KEY + ciphertext[18:]
    assert open_vault.refused(ASK[method](renamed)) == "INTEGRITY"
    open_vault.remove(t.subject_key, key_id=UNKNOWN_KEY)


@METHODS
@pytest.mark.parametrize("edit", [{"state": "ACTIVE"}, {"mac": bytes(37)}])
def test_an_edited_subject_is_found_out(open_vault: Inside, method: str, edit: dict[str, object]) -> None:
    ciphertext = made(open_vault)
    uid = key_row(open_vault, ciphertext).subject_uid
    open_vault.reseal(t.subject, {"uid": uid}, state="RESTRICTED")
    open_vault.edit(t.subject, {"uid": uid}, **edit)
    assert open_vault.refused(ASK[method](ciphertext)) == "INTEGRITY"


def test_a_store_key_is_no_field_key_whatever_its_row_says(open_vault: Inside) -> None:
    subject = new_subject()
    open_vault.ask(tokenize((subject, "email", new_email())))
    ciphertext = made(open_vault, subject=subject)
    row = key_row(open_vault, ciphertext)
    store = open_vault.row(t.subject_key, subject_uid=row.subject_uid, kind="store")
    as_if = ciphertext[:2] + store.key_id + ciphertext[18:]
    assert open_vault.refused(decrypt(as_if)) == "CIPHERTEXT_REFUSED"
    open_vault.remove(t.subject_key, key_id=row.key_id)
    open_vault.edit(t.subject_key, {"key_id": store.key_id}, kind="field")
    assert open_vault.refused(decrypt(as_if)) == "INTEGRITY"
