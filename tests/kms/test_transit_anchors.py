"""Anchors at a KMS that loses answers, or whose secrets somebody deleted or changed."""

import json

import pytest

from vault.kms.key_manager import Anchored, AnchorMovedError, KmsDeniedError, KmsIntegrityError, KmsUnavailableError
from vault.kms.transit.key_manager import TransitKeyManager

TENANT = b"t" * 16


@pytest.fixture
def behind(proxy, configure):
    """A KeyManager behind the proxy, with its login done."""
    manager = TransitKeyManager(configure(address=proxy.address, breaker_failures=100))
    manager.check()
    yield manager
    manager.close()


@pytest.fixture
def at_kms(bao):
    """A request below a tenant's anchor with the root token."""
    return lambda operation, tenant, body: bao.admin().adapter.post(f"/v1/pdvault/{operation}/anchor/{tenant.hex()}", json=body)


@pytest.mark.parametrize("lost", [1, 2])
@pytest.mark.parametrize("version", [0, 1])
def test_a_write_whose_answer_was_lost_is_recognised(transit_kms, behind, proxy, audit, version, lost):
    tenant = transit_kms.tenant()
    for before in range(version):
        transit_kms.manager.write_anchor(tenant, "before\n", before)
    proxy.cuts_left = lost
    assert behind.write_anchor(tenant, "mine\n", version) == version + 1
    assert transit_kms.manager.read_anchor(tenant) == Anchored("mine\n", version + 1)
    writes = [entry for entry in audit() if entry["request"]["path"].endswith(tenant.hex()) and "error" in entry]
    assert writes, "the repeated write was refused, so this was the case in question"


def test_a_write_whose_every_answer_was_lost_is_uncertain_and_can_be_looked_up(transit_kms, behind, proxy):
    tenant = transit_kms.tenant()
    proxy.cuts_left = 3
    with pytest.raises(KmsUnavailableError):
        behind.write_anchor(tenant, "mine\n", 0)
    assert behind.read_anchor(tenant) == Anchored("mine\n", 1)


def test_anothers_write_is_never_taken_for_ones_own(transit_kms, behind, proxy):
    tenant = transit_kms.tenant()
    transit_kms.manager.write_anchor(tenant, "another's\n", 0)
    with pytest.raises(AnchorMovedError):
        behind.write_anchor(tenant, "mine\n", 0)
    transit_kms.manager.write_anchor(tenant, "mine\n", 1)
    with pytest.raises(AnchorMovedError):  # the right text, at a version that the write could not have made
        behind.write_anchor(tenant, "mine\n", 0)


@pytest.mark.parametrize("operation", ["delete", "destroy"])
def test_a_deleted_newest_version_is_an_integrity_error(transit_kms, at_kms, operation):
    tenant = transit_kms.tenant()
    for version in (0, 1):
        transit_kms.manager.write_anchor(tenant, "anchor\n", version)
    at_kms(operation, tenant, {"versions": [2]})
    with pytest.raises(KmsIntegrityError, match="deleted"):
        transit_kms.manager.read_anchor(tenant)
    with pytest.raises(KmsIntegrityError, match="deleted"):
        transit_kms.manager.write_anchor(tenant, "anchor\n", 1)


def test_deleted_older_versions_do_not_matter(transit_kms, at_kms):
    tenant = transit_kms.tenant()
    for version in range(12):  # two more than KV keeps
        transit_kms.manager.write_anchor(tenant, f"{version}\n", version)
    at_kms("destroy", tenant, {"versions": [10, 11]})
    assert transit_kms.manager.read_anchor(tenant) == Anchored("11\n", 12)
    assert transit_kms.manager.write_anchor(tenant, "12\n", 12) == 13


@pytest.mark.parametrize("data", [{}, {"other": "x"}, {"checkpoint": None}, {"checkpoint": ["x"]}, {"checkpoint": ""}])
def test_a_secret_that_is_no_anchor_is_an_integrity_error(transit_kms, at_kms, data):
    tenant = transit_kms.tenant()
    at_kms("data", tenant, {"options": {"cas": 0}, "data": data})
    with pytest.raises(KmsIntegrityError, match="is none"):
        transit_kms.manager.read_anchor(tenant)


def test_a_mount_that_is_not_there_is_no_missing_anchor(configure, transit_kms):
    manager = TransitKeyManager(configure(anchor_mount="elsewhere"))
    for call in (lambda: manager.read_anchor(TENANT), lambda: manager.write_anchor(TENANT, "x", 0)):
        with pytest.raises(KmsDeniedError):
            call()
    manager.close()


def answer(data=None, **body):
    return {}, json.dumps({**({"data": data} if data is not None else {}), **body}).encode()


NO_ROUTE = answer(errors=['no handler for route "pdvault/data/anchor/x". route entry not found.'])


@pytest.mark.parametrize(
    ("status", "reply", "error"),
    [
        (404, NO_ROUTE, KmsDeniedError),
        (400, answer(errors=["Upgrading from non-versioned to versioned data."]), KmsDeniedError),
        (204, answer(), KmsDeniedError),
        (200, answer({}), KmsIntegrityError),
        (200, answer({"data": {"checkpoint": "x"}, "options": {"cas": 0}}), KmsIntegrityError),  # KV version 1
        (200, answer({"data": {"checkpoint": "x"}, "metadata": {"version": 0}}), KmsIntegrityError),
        (200, answer({"data": {"checkpoint": "x"}, "metadata": {"version": True}}), KmsIntegrityError),
        (200, answer({"data": {"checkpoint": "x" * 65_537}, "metadata": {"version": 1}}), KmsIntegrityError),
        (200, answer({"data": {"checkpoint": "\ud800"}, "metadata": {"version": 1}}), KmsIntegrityError),
    ],
)
def test_an_answer_that_holds_no_anchor_is_refused(scripted, scripted_manager, status, reply, error):
    scripted.answer = (status, *reply)
    with pytest.raises(error) as failed:
        scripted_manager.read_anchor(TENANT)
    assert failed.value.__context__ is None


@pytest.mark.parametrize(
    ("status", "reply", "error"),
    [
        (404, NO_ROUTE, KmsDeniedError),
        (400, answer(errors=["no data provided"]), KmsDeniedError),
        (204, answer(), KmsDeniedError),  # KV version 1
        (200, answer({}), KmsIntegrityError),
        (200, answer({"version": 2}), KmsIntegrityError),
    ],
)
def test_an_answer_that_does_not_say_what_was_written_is_refused(scripted, scripted_manager, status, reply, error):
    scripted.answer = (status, *reply)
    with pytest.raises(error):
        scripted_manager.write_anchor(TENANT, "x", 0)
