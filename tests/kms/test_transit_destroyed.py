"""Notes of destroyed keys at a KMS that loses answers, or whose entries somebody deleted or changed."""

import pytest

from vault.kms.key_manager import KmsDeniedError, KmsIntegrityError, KmsUnavailableError
from vault.kms.transit.config import TokenAuth
from vault.kms.transit.key_manager import TransitKeyManager

ONE, TWO = b"1" * 16, b"2" * 16


@pytest.fixture
def behind(proxy, configure):
    """A KeyManager behind the proxy, with its login done."""
    manager = TransitKeyManager(configure(address=proxy.address, breaker_failures=100))
    manager.check()
    yield manager
    manager.close()


@pytest.fixture
def at_kms(bao):
    """A request below a tenant's entry with the root token."""

    def post(operation, tenant, body, name="31" * 16):
        return bao.admin().adapter.post(f"/v1/pdvault/{operation}/destroyed/{tenant.hex()}/{name}", json=body)

    return post


@pytest.mark.parametrize("lost", [1, 2])
def test_a_note_whose_answer_was_lost_is_recognised(transit_kms, behind, proxy, lost):
    tenant = transit_kms.tenant()
    proxy.cuts_left = lost
    behind.note_destroyed(tenant, ONE, "mine")
    assert transit_kms.manager.destroyed(tenant) == {ONE: "mine"}


def test_a_note_whose_every_answer_was_lost_is_uncertain_and_can_be_written_again(transit_kms, behind, proxy):
    tenant = transit_kms.tenant()
    proxy.cuts_left = 3
    with pytest.raises(KmsUnavailableError):
        behind.note_destroyed(tenant, ONE, "mine")
    behind.note_destroyed(tenant, ONE, "mine")
    assert behind.destroyed(tenant) == {ONE: "mine"}


def test_write_once_holds_also_for_an_identity_that_may_update(bao, transit_kms, configure, tmp_path):
    tenant, token = transit_kms.tenant(), tmp_path / "token"
    token.write_text(bao.admin().token)
    root = TransitKeyManager(configure(auth=TokenAuth(token)))
    for _ in range(2):
        root.note_destroyed(tenant, ONE, "text")
    with pytest.raises(KmsIntegrityError, match="something else"):
        root.note_destroyed(tenant, ONE, "other")
    root.close()


@pytest.mark.parametrize("operation", ["delete", "destroy"])
def test_a_deleted_entry_is_an_integrity_error(transit_kms, at_kms, operation):
    tenant = transit_kms.tenant()
    transit_kms.manager.note_destroyed(tenant, ONE, "text")
    at_kms(operation, tenant, {"versions": [1]})
    for call in (
        lambda: transit_kms.manager.destroyed(tenant),
        lambda: transit_kms.manager.destroyed_by(tenant, ONE),
        lambda: transit_kms.manager.note_destroyed(tenant, ONE, "text"),
    ):
        with pytest.raises(KmsIntegrityError, match="deleted"):
            call()


@pytest.mark.parametrize("text", ["text", "other"])
def test_an_entry_that_was_written_twice_is_an_integrity_error(transit_kms, at_kms, text):
    tenant = transit_kms.tenant()
    transit_kms.manager.note_destroyed(tenant, ONE, "text")
    at_kms("data", tenant, {"options": {"cas": 1}, "data": {"destroyed": text}})
    for call in (
        lambda: transit_kms.manager.destroyed(tenant),
        lambda: transit_kms.manager.destroyed_by(tenant, ONE),
        lambda: transit_kms.manager.note_destroyed(tenant, ONE, "text"),
    ):
        with pytest.raises(KmsIntegrityError, match="twice"):
            call()


@pytest.mark.parametrize("data", [{}, {"other": "x"}, {"destroyed": None}, {"destroyed": ["x"]}, {"destroyed": ""}])
def test_a_secret_that_is_no_entry_is_an_integrity_error(transit_kms, at_kms, data):
    tenant = transit_kms.tenant()
    transit_kms.manager.note_destroyed(tenant, TWO, "text")
    at_kms("data", tenant, {"options": {"cas": 0}, "data": data})
    with pytest.raises(KmsIntegrityError, match="is none"):
        transit_kms.manager.destroyed(tenant)


@pytest.mark.parametrize("name", ["x", "A" * 32, "a" * 31, "a" * 32 + "/below"])
def test_a_name_that_is_no_erasure_uid_is_an_integrity_error(transit_kms, at_kms, name):
    tenant = transit_kms.tenant()
    at_kms("data", tenant, {"options": {"cas": 0}, "data": {"destroyed": "x"}}, name)
    for call in (
        lambda: transit_kms.manager.destroyed(tenant),
        lambda: transit_kms.manager.noted(tenant),
        lambda: transit_kms.administrator.forget_destroyed(tenant, [ONE]),
    ):
        with pytest.raises(KmsIntegrityError, match="no erasure's"):
            call()


def test_a_mount_that_is_not_there_is_no_empty_list(configure, transit_kms):
    manager, tenant = TransitKeyManager(configure(anchor_mount="elsewhere")), transit_kms.tenant()
    for call in (
        lambda: manager.destroyed(tenant),
        lambda: manager.destroyed_by(tenant, ONE),
        lambda: manager.note_destroyed(tenant, ONE, "x"),
    ):
        with pytest.raises(KmsDeniedError):
            call()
    manager.close()


@pytest.mark.parametrize(
    ("status", "reply", "error"),
    [
        (404, b'{"errors": ["no handler for route"]}', KmsDeniedError),
        (400, b"{}", KmsDeniedError),
        (200, b"{}", KmsDeniedError),
        (200, b'{"data": {"keys": "x"}}', KmsDeniedError),
        (200, b'{"data": {"keys": [1]}}', KmsIntegrityError),
    ],
)
def test_an_answer_that_is_no_list_is_refused(scripted, scripted_manager, status, reply, error):
    scripted.answer = (status, {}, reply)
    with pytest.raises(error):
        scripted_manager.destroyed(ONE)
    with pytest.raises((KmsDeniedError, KmsIntegrityError)):
        scripted_manager.destroyed_by(ONE, ONE)
