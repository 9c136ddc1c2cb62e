"""The key worker at a KMS that loses answers, was interrupted, or lies."""

import json
import secrets

import hvac
import pytest

from vault.crypto.keys import Key
from vault.kms.key_manager import KmsDeniedError, KmsIntegrityError, KmsUnavailableError
from vault.kms.transit.administrator import TransitAdministrator
from vault.kms.transit.importing import is_made_by, sealed_for_import
from vault.kms.transit.key_manager import TransitKeyManager, kek_name

CONTEXT = b"context"


@pytest.fixture
def behind(proxy, configure):
    """A key worker behind the proxy, with its logins done."""
    administrator = TransitAdministrator(configure("key-worker", address=proxy.address, breaker_failures=100))
    for session in (administrator._session, administrator._once, administrator._manager):
        session.check()
    yield administrator
    administrator.close()


@pytest.fixture
def losing(behind, proxy, monkeypatch):
    """Loses the answer to each request that makes a version."""
    post = behind._once.post

    def lose(path, payload):
        proxy.cuts_left = 1
        return post(path, payload)

    monkeypatch.setattr(behind._once, "post", lose)


@pytest.fixture
def at_kms(bao):
    """A request to a tenant's KEK with the root token."""

    def post(tenant, operation, body):
        return bao.admin().adapter.post(f"/v1/transit/keys/{kek_name(tenant)}{operation}", json=body)

    return post


@pytest.mark.usefixtures("losing")
def test_a_rotation_whose_answer_was_lost_is_not_sent_twice(behind, transit_kms):
    tenant = transit_kms.tenant()
    with pytest.raises(KmsUnavailableError):
        behind.rotate(tenant, 1)
    assert transit_kms.manager.kek(tenant).latest == 2
    assert behind.rotate(tenant, 1) == 2
    assert transit_kms.manager.kek(tenant).latest == 2


@pytest.mark.usefixtures("losing")
def test_an_import_whose_answer_was_lost_is_recognised(behind):
    tenant, first, second = secrets.token_bytes(16), Key.generate(), Key.generate()
    with pytest.raises(KmsUnavailableError):
        behind.import_kek(tenant, first)
    behind.import_kek(tenant, first)
    with pytest.raises(KmsUnavailableError):
        behind.import_version(tenant, second, 1)
    assert behind.import_version(tenant, second, 1) == 2
    assert behind.kek(tenant).latest == 2


@pytest.mark.parametrize("lost", [1, 2])
def test_a_destruction_whose_answers_were_lost_goes_on(behind, transit_kms, proxy, lost):
    tenant = transit_kms.tenant()
    behind.rotate(tenant, 1)
    proxy.cuts_left = lost
    assert behind.destroy_before(tenant, 2).oldest == 2


def test_a_destruction_that_was_cut_off_before_the_trim_shows_and_is_completed(transit_kms, at_kms):
    tenant = transit_kms.tenant()
    (old,) = transit_kms.manager.wrap(tenant, [(Key.generate(), CONTEXT)])
    transit_kms.administrator.rotate(tenant, 1)
    at_kms(tenant, "/config", {"min_decryption_version": 2, "min_encryption_version": 2})
    kek = transit_kms.administrator.kek(tenant)
    assert (kek.oldest, list(kek.versions)) == (1, [2])
    assert transit_kms.administrator.destroy_before(tenant, 2).oldest == 2
    with pytest.raises(KmsIntegrityError):
        transit_kms.manager.unwrap(tenant, [(old.blob, CONTEXT)])


def test_a_destroyed_version_can_not_be_brought_back_even_by_root(bao, transit_kms, at_kms):
    tenant = transit_kms.tenant()
    (old,) = transit_kms.manager.wrap(tenant, [(Key.generate(), CONTEXT)])
    transit_kms.administrator.rotate(tenant, 1)
    transit_kms.administrator.destroy_before(tenant, 2)
    for operation, body in (("/config", {"min_decryption_version": 1}), ("/trim", {"min_available_version": 1})):
        with pytest.raises(hvac.exceptions.InvalidRequest, match="min"):
            at_kms(tenant, operation, body)
    with pytest.raises(KmsIntegrityError):
        transit_kms.manager.unwrap(tenant, [(old.blob, CONTEXT)])


def test_a_trim_that_the_kms_only_claims_is_found_out(transit_kms, configure, monkeypatch):
    tenant, administrator = transit_kms.tenant(), TransitAdministrator(configure("key-worker"))
    administrator.rotate(tenant, 1)
    post = administrator._session.post

    def without_trim(path, payload):
        return post(path.replace("/trim", "/config"), {} if path.endswith("/trim") else payload)

    monkeypatch.setattr(administrator._session, "post", without_trim)
    with pytest.raises(KmsIntegrityError, match="oldest read back is 1"):
        administrator.destroy_before(tenant, 2)
    administrator.close()


@pytest.mark.parametrize("made", ["/rotate", "/import_version"])
def test_a_version_that_the_kms_only_claims_is_found_out(transit_kms, configure, monkeypatch, made):
    administrator, tenant, key = TransitAdministrator(configure("key-worker")), secrets.token_bytes(16), Key.generate()
    if made == "/rotate":
        transit_kms.provisioner.create_tenant_keys(tenant)
    else:
        administrator.import_kek(tenant, key)
    post = administrator._once.post
    monkeypatch.setattr(administrator._once, "post", lambda path, _: post(path.replace(made, "/config"), {}))
    with pytest.raises(KmsIntegrityError, match="still 1"):
        administrator.rotate(tenant, 1) if made == "/rotate" else administrator.import_version(tenant, Key.generate(), 1)
    administrator.close()


def test_a_kek_that_may_leave_the_kms_is_not_accepted(transit_kms, at_kms):
    tenant = transit_kms.tenant()
    at_kms(tenant, "/config", {"exportable": True})
    for call in (
        lambda: transit_kms.manager.kek(tenant),
        lambda: transit_kms.administrator.rotate(tenant, 1),
        lambda: transit_kms.administrator.destroy_before(tenant, 1),
    ):
        with pytest.raises(KmsIntegrityError, match="exportable"):
            call()


def test_an_imported_kek_that_the_kms_may_rotate_takes_no_imports_any_more(bao, transit_kms, at_kms):
    tenant = secrets.token_bytes(16)
    admin = bao.admin().adapter
    pem = admin.get("/v1/transit/wrapping_key")["data"]["public_key"]
    body = {"type": "aes256-gcm96", "derived": True, "allow_rotation": True, "ciphertext": sealed_for_import(Key.generate(), pem)}
    at_kms(tenant, "/import", body)
    kek = transit_kms.administrator.kek(tenant)
    assert (kek.imported, kek.may_rotate) == (True, True)
    assert transit_kms.administrator.rotate(tenant, 1) == 2
    with pytest.raises(KmsDeniedError, match="rotate instead"):
        transit_kms.administrator.import_version(tenant, Key.generate(), 2)


def test_an_imported_kek_is_that_key_and_no_other(bao, transit_kms):
    """Whoever holds the customer's copy can open what Transit wrapped: that is what the receipt warns of."""
    tenant, key = secrets.token_bytes(16), Key.generate()
    transit_kms.administrator.import_kek(tenant, key)
    assert transit_kms.administrator._holding(tenant, key, [1]) == [1]
    assert transit_kms.administrator._holding(tenant, Key.generate(), [1]) == []


@pytest.mark.parametrize("ciphertext", ["", "vault:v1:", "vault:v1:!", "vault:v1:AAAA", "x:y:z:w"])
def test_what_is_no_ciphertext_says_nothing_of_a_key(ciphertext):
    with pytest.raises(KmsIntegrityError, match="as Transit does"):
        is_made_by(Key.generate(), "hkdf_sha256", ciphertext)


def test_a_derivation_that_is_not_known_says_nothing_of_a_key():
    with pytest.raises(KmsIntegrityError, match="as Transit does"):
        is_made_by(Key.generate(), "another", "vault:v1:" + "A" * 80)


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "None",
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n",
    ],
)
def test_no_kek_travels_under_a_key_that_is_no_rsa_key(pem):
    with pytest.raises(KmsIntegrityError, match="wrapping key"):
        sealed_for_import(Key.generate(), pem)


GOOD = {
    "type": "aes256-gcm96",
    "derived": True,
    "exportable": False,
    "allow_plaintext_backup": False,
    "deletion_allowed": False,
    "latest_version": 2,
    "min_available_version": 0,
    "keys": {"1": 1_795_330_151, "2": 1_795_330_152},
}


def test_what_transit_says_of_a_kek_is_read(scripted, scripted_manager):
    scripted.answer = (200, {}, json.dumps({"data": GOOD}).encode())
    kek = scripted_manager.kek(b"t" * 16)
    assert kek.versions == {1: 1_795_330_151_000_000, 2: 1_795_330_152_000_000}
    assert (kek.latest, kek.oldest, kek.imported, kek.may_rotate) == (2, 1, False, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"keys": None},
        {"keys": {"x": 1}},
        {"keys": {"1": "never"}},
        {"keys": {"1": 1}},
        {"keys": {}},
        {"latest_version": None},
        {"latest_version": 3},
        {"min_available_version": None},
        {"min_available_version": 2},
    ],
)
def test_what_does_not_fit_together_is_no_kek(scripted, scripted_manager: TransitKeyManager, wrong):
    scripted.answer = (200, {}, json.dumps({"data": {**GOOD, **wrong}}).encode())
    with pytest.raises(KmsIntegrityError, match="versions"):
        scripted_manager.kek(b"t" * 16)
