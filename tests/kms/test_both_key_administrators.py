"""What holds for every KeyAdministrator: one suite over Transit (a real OpenBao) and the local keyring."""

import base64
import logging
import secrets
import time
import traceback

import pytest
import structlog

from vault.crypto.keys import Key
from vault.kms.destruction import Destruction
from vault.kms.key_manager import KmsDeniedError, KmsIntegrityError

CONTEXT = b"context"


def wrap_one(kms, tenant, key=None):
    (wrapped,) = kms.manager.wrap(tenant, [(key or Key.generate(), CONTEXT)])
    return wrapped


def opens(kms, tenant, wrapped):
    try:
        kms.manager.unwrap(tenant, [(wrapped.blob, CONTEXT)])
    except KmsIntegrityError:
        return False
    return True


def imported(kms, key=None):
    """A new tenant whose KEK was brought along."""
    uid = secrets.token_bytes(16)
    kms.administrator.import_kek(uid, key or Key.generate())
    kms.provisioner.create_tenant_keys(uid)
    return uid


def test_a_new_kek_has_one_version_made_now(kms):
    before_us = time.time_ns() // 1000 - 1_000_000
    kek = kms.administrator.kek(kms.tenant())
    assert (kek.latest, kek.oldest, list(kek.versions), kek.imported, kek.may_rotate) == (1, 1, [1], False, True)
    assert before_us < kek.versions[1] <= time.time_ns() // 1000


def test_a_rotated_kek_wraps_by_its_new_version_and_opens_the_old(kms):
    tenant = kms.tenant()
    old = wrap_one(kms, tenant)
    assert kms.administrator.rotate(tenant, 1) == 2
    new = wrap_one(kms, tenant)
    assert (old.kek_version, new.kek_version) == (1, 2)
    assert opens(kms, tenant, old)
    assert opens(kms, tenant, new)
    kek = kms.administrator.kek(tenant)
    assert (kek.latest, kek.oldest, sorted(kek.versions)) == (2, 1, [1, 2])


def test_every_node_sees_the_same_kek_as_the_key_worker(kms):
    tenant = kms.tenant()
    kms.administrator.rotate(tenant, 1)
    assert kms.manager.kek(tenant) == kms.another().kek(tenant) == kms.administrator.kek(tenant)


def test_a_rotation_called_again_rotates_no_more(kms):
    tenant = kms.tenant()
    assert [kms.administrator.rotate(tenant, 1) for _ in range(3)] == [2, 2, 2]
    assert kms.administrator.kek(tenant).latest == 2


@pytest.mark.parametrize("from_version", [-1, 0, 1, 4, 2**32])
def test_a_rotation_from_a_version_that_is_not_the_latest_is_refused_and_names_both(kms, from_version):
    tenant = kms.tenant()
    kms.administrator.rotate(tenant, 1)
    kms.administrator.rotate(tenant, 2)
    with pytest.raises(KmsIntegrityError, match=rf"is 3, where {from_version} was"):
        kms.administrator.rotate(tenant, from_version)
    assert kms.administrator.kek(tenant).latest == 3


def test_destroyed_versions_open_nothing_and_the_others_all(kms):
    tenant = kms.tenant()
    blobs = [wrap_one(kms, tenant)]
    for version in (1, 2, 3):
        kms.administrator.rotate(tenant, version)
        blobs.append(wrap_one(kms, tenant))
    left = kms.administrator.destroy_before(tenant, 3)
    assert (left.latest, left.oldest, sorted(left.versions)) == (4, 3, [3, 4])
    assert left == kms.administrator.kek(tenant)
    assert [opens(kms, tenant, blob) for blob in blobs] == [False, False, True, True]
    assert wrap_one(kms, tenant).kek_version == 4


def test_suspended_versions_open_nothing_until_they_are_let_again(kms):
    tenant = kms.tenant()
    blobs = [wrap_one(kms, tenant)]
    for version in (1, 2):
        kms.administrator.rotate(tenant, version)
        blobs.append(wrap_one(kms, tenant))
    for oldest, opening in ((3, [False, False, True]), (2, [False, True, True]), (1, [True, True, True])):
        kek = kms.administrator.suspend_before(tenant, oldest)
        assert kek == kms.administrator.suspend_before(tenant, oldest) == kms.another().kek(tenant)
        assert (kek.oldest, kek.latest, sorted(kek.versions)) == (1, 3, list(range(oldest, 4)))
        assert [opens(kms, tenant, blob) for blob in blobs] == opening
        assert wrap_one(kms, tenant).kek_version == 3
    kms.administrator.suspend_before(tenant, 2)
    assert kms.administrator.destroy_before(tenant, 2).oldest == 2
    assert [opens(kms, tenant, blob) for blob in blobs] == [False, True, True]


@pytest.mark.parametrize("version", [-1, 0, 1, 4, 2**40])
def test_only_versions_that_exist_are_suspended_or_let_again(kms, version):
    tenant = kms.tenant()
    for latest in (1, 2):
        kms.administrator.rotate(tenant, latest)
    kms.administrator.destroy_before(tenant, 2)
    with pytest.raises(ValueError, match="versions"):
        kms.administrator.suspend_before(tenant, version)
    assert sorted(kms.administrator.kek(tenant).versions) == [2, 3]


def test_a_destruction_called_again_changes_nothing(kms):
    tenant = kms.tenant()
    old = wrap_one(kms, tenant)
    kms.administrator.rotate(tenant, 1)
    first = kms.administrator.destroy_before(tenant, 2)
    assert kms.administrator.destroy_before(tenant, 2) == first
    assert kms.administrator.destroy_before(tenant, 1) == first
    assert not opens(kms, tenant, old)


@pytest.mark.parametrize("version", [-1, 0, 3, 2**40])
def test_no_destruction_takes_the_latest_version(kms, version):
    tenant = kms.tenant()
    old = wrap_one(kms, tenant)
    kms.administrator.rotate(tenant, 1)
    with pytest.raises(ValueError, match="latest, 2,"):
        kms.administrator.destroy_before(tenant, version)
    assert kms.administrator.kek(tenant).oldest == 1
    assert opens(kms, tenant, old)


def test_a_destruction_that_a_kms_only_claims_is_found_out(kms):
    tenant = kms.tenant()
    kms.administrator.rotate(tenant, 1)
    destruction = Destruction(kms.manager, tenant, 2)
    with pytest.raises(KmsIntegrityError, match="the oldest read back is 1"):
        destruction.check_gone()
    kms.administrator.destroy_before(tenant, 2)
    assert destruction.check_gone().oldest == 2


def test_an_imported_kek_serves_as_one_that_was_made(kms):
    tenant, key = imported(kms), Key.generate()
    wrapped = wrap_one(kms, tenant, key)
    assert kms.manager.unwrap(tenant, [(wrapped.blob, CONTEXT)]) == [key]
    assert len(kms.manager.sign(tenant, b"message")) == 64
    kek = kms.administrator.kek(tenant)
    assert (kek.latest, kek.oldest, list(kek.versions), kek.imported, kek.may_rotate) == (1, 1, [1], True, False)


def test_the_same_kek_imported_again_is_no_error(kms):
    key = Key.generate()
    tenant = imported(kms, key)
    wrapped = wrap_one(kms, tenant)
    kms.administrator.import_kek(tenant, key)
    assert kms.administrator.kek(tenant).latest == 1
    assert opens(kms, tenant, wrapped)


def test_a_kek_is_not_imported_over_another(kms):
    key = Key.generate()
    with_versions = imported(kms, key)
    kms.administrator.import_version(with_versions, Key.generate(), 1)
    for tenant, brought in ((kms.tenant(), key), (imported(kms), key), (with_versions, key)):
        before, wrapped = kms.administrator.kek(tenant), wrap_one(kms, tenant)
        with pytest.raises(KmsIntegrityError, match="another KEK"):
            kms.administrator.import_kek(tenant, brought)
        assert kms.administrator.kek(tenant) == before
        assert opens(kms, tenant, wrapped)


def test_an_imported_version_wraps_from_then_on_and_the_old_still_opens(kms):
    tenant, second = imported(kms), Key.generate()
    old = wrap_one(kms, tenant)
    assert kms.administrator.import_version(tenant, second, 1) == 2
    new = wrap_one(kms, tenant)
    assert (old.kek_version, new.kek_version) == (1, 2)
    assert opens(kms, tenant, old)
    assert kms.administrator.import_version(tenant, second, 1) == 2
    assert kms.administrator.kek(tenant).latest == 2


def test_an_imported_version_can_be_destroyed(kms):
    tenant = imported(kms)
    old = wrap_one(kms, tenant)
    kms.administrator.import_version(tenant, Key.generate(), 1)
    new = wrap_one(kms, tenant)
    left = kms.administrator.destroy_before(tenant, 2)
    assert (left.oldest, left.imported) == (2, True)
    assert not opens(kms, tenant, old)
    assert opens(kms, tenant, new)


def test_another_key_in_the_place_of_an_imported_version_is_found_out(kms):
    tenant = imported(kms)
    kms.administrator.import_version(tenant, Key.generate(), 1)
    with pytest.raises(KmsIntegrityError, match="version 2 of the KEK"):
        kms.administrator.import_version(tenant, Key.generate(), 1)
    assert kms.administrator.kek(tenant).latest == 2


def test_no_key_becomes_a_version_twice(kms):
    first, second = Key.generate(), Key.generate()
    tenant = imported(kms, first)
    kms.administrator.import_version(tenant, second, 1)
    for again in (first, second):
        with pytest.raises(ValueError, match="already"):
            kms.administrator.import_version(tenant, again, 2)
    assert kms.administrator.kek(tenant).latest == 2


def test_an_import_from_a_version_that_is_not_the_latest_is_refused(kms):
    tenant = imported(kms)
    for from_version in (-1, 2, 7):
        with pytest.raises(KmsIntegrityError, match=rf"is 1, where {from_version} was"):
            kms.administrator.import_version(tenant, Key.generate(), from_version)
    assert kms.administrator.kek(tenant).latest == 1


def test_made_and_imported_versions_do_not_mix(kms):
    made, brought = kms.tenant(), imported(kms)
    with pytest.raises(KmsDeniedError, match="rotate instead"):
        kms.administrator.import_version(made, Key.generate(), 1)
    with pytest.raises(KmsDeniedError, match="import one instead"):
        kms.administrator.rotate(brought, 1)
    assert kms.administrator.kek(made).latest == kms.administrator.kek(brought).latest == 1


def test_a_tenant_without_keys_is_told_so(kms):
    kms.tenant()
    nobody = secrets.token_bytes(16)
    for call in (
        lambda: kms.administrator.kek(nobody),
        lambda: kms.administrator.rotate(nobody, 1),
        lambda: kms.administrator.destroy_before(nobody, 1),
        lambda: kms.administrator.import_version(nobody, Key.generate(), 1),
        lambda: kms.manager.kek(nobody),
    ):
        with pytest.raises(KmsDeniedError, match="created"):
            call()
    assert kms.administrator.forget_destroyed(nobody, [bytes(16)]) == 0


@pytest.mark.parametrize("wrong", [b"", bytes(15), bytes(17), b"../../sys/seal//"[:15]])
def test_what_is_no_tenant_uid_is_refused(kms, wrong):
    for call in (
        lambda: kms.administrator.kek(wrong),
        lambda: kms.administrator.rotate(wrong, 1),
        lambda: kms.administrator.destroy_before(wrong, 1),
        lambda: kms.administrator.import_kek(wrong, Key.generate()),
        lambda: kms.administrator.import_version(wrong, Key.generate(), 1),
        lambda: kms.administrator.forget_destroyed(wrong, []),
        lambda: kms.manager.note_destroyed(wrong, bytes(16), "text"),
        lambda: kms.manager.destroyed(wrong),
        lambda: kms.manager.noted(wrong),
        lambda: kms.manager.kek(wrong),
    ):
        with pytest.raises(ValueError, match="16 bytes"):
            call()


def test_no_imported_key_shows_in_logs_results_or_errors(kms, caplog):
    caplog.set_level(logging.DEBUG)
    key, other = Key.generate(), Key.generate()
    with structlog.testing.capture_logs() as events:
        tenant = imported(kms, key)
        shown = repr((kms.administrator.kek(tenant), vars(kms.administrator)))
        for call in (
            lambda: kms.administrator.import_kek(tenant, other),
            lambda: kms.administrator.import_version(tenant, key, 1),
            lambda: kms.administrator.import_version(tenant, other, 2),
        ):
            with pytest.raises((KmsIntegrityError, ValueError)) as failed:
                call()
            report = traceback.TracebackException.from_exception(failed.value, capture_locals=True)
            shown += "".join(report.format())
    shown += caplog.text + repr(events)
    assert "another KEK" in shown
    for each in (key, other):
        for form in (base64.b64encode(each.raw).decode(), each.raw.hex(), repr(each.raw)):
            assert form not in shown
