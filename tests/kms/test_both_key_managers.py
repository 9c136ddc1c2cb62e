"""What holds for every KeyManager: one suite over Transit (a real OpenBao) and the local keyring."""

import base64
import logging
import secrets
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from vault.audit.events import SYSTEM_TENANT
from vault.crypto.binding import kms_context
from vault.crypto.keys import Key
from vault.kms.key_manager import KmsDeniedError, KmsIntegrityError

CONTEXT = kms_context(bytes(16), "epoch", 1)


def wrap_one(kms, tenant, key, context=CONTEXT):
    (wrapped,) = kms.manager.wrap(tenant, [(key, context)])
    return wrapped


def test_a_wrapped_key_comes_back(kms):
    tenant, key = kms.tenant(), Key.generate()
    wrapped = wrap_one(kms, tenant, key)
    assert wrapped.kek_version == 1
    assert key.raw not in wrapped.blob
    assert kms.manager.unwrap(tenant, [(wrapped.blob, CONTEXT)]) == [key]


def test_the_same_key_is_never_wrapped_to_the_same_blob(kms):
    tenant, key = kms.tenant(), Key.generate()
    assert len({wrapped.blob for wrapped in kms.manager.wrap(tenant, [(key, CONTEXT)] * 50)}) == 50


def test_a_thousand_keys_come_back_in_order(kms):
    tenant = kms.tenant()
    items = [(Key.generate(), kms_context(tenant, "epoch", number)) for number in range(1000)]
    wrapped = kms.manager.wrap(tenant, items)
    blobs = [(one.blob, context) for one, (_, context) in zip(wrapped, items, strict=True)]
    assert kms.manager.unwrap(tenant, blobs) == [key for key, _ in items]


def test_no_items_give_no_items(kms):
    tenant = kms.tenant()
    assert kms.manager.wrap(tenant, []) == []
    assert kms.manager.unwrap(tenant, []) == []


def test_another_context_is_refused(kms):
    tenant = kms.tenant()
    wrapped = wrap_one(kms, tenant, Key.generate())
    with pytest.raises(KmsIntegrityError):
        kms.manager.unwrap(tenant, [(wrapped.blob, kms_context(bytes(16), "epoch", 2))])


def test_another_tenant_is_refused(kms):
    tenant, other = kms.tenant(), kms.tenant()
    wrapped = wrap_one(kms, tenant, Key.generate())
    with pytest.raises(KmsIntegrityError):
        kms.manager.unwrap(other, [(wrapped.blob, CONTEXT)])


def test_every_changed_bit_of_a_blob_is_refused(kms):
    tenant = kms.tenant()
    blob = wrap_one(kms, tenant, Key.generate()).blob
    refused = 0
    for bit in range(len(blob) * 8):
        changed = (int.from_bytes(blob, "big") ^ 1 << bit).to_bytes(len(blob), "big")
        with pytest.raises(KmsIntegrityError):
            kms.manager.unwrap(tenant, [(changed, CONTEXT)])
        refused += 1
    assert refused == len(blob) * 8


def test_shorter_longer_and_foreign_blobs_are_refused(kms):
    tenant = kms.tenant()
    blob = wrap_one(kms, tenant, Key.generate()).blob
    for wrong in (b"", blob[:-1], blob + b"A", blob + b"\n", b"\x01\x01", b"vault:v1:", bytes(66), blob * 100):
        with pytest.raises(KmsIntegrityError):
            kms.manager.unwrap(tenant, [(wrong, CONTEXT)])


def test_one_damaged_blob_fails_all_and_is_named(kms):
    tenant = kms.tenant()
    blobs = [(wrapped.blob, CONTEXT) for wrapped in kms.manager.wrap(tenant, [(Key.generate(), CONTEXT)] * 300)]
    blobs[277] = (blobs[277][0], b"another context")
    with pytest.raises(KmsIntegrityError, match=r"wrapped key 277\b"):
        kms.manager.unwrap(tenant, blobs)


def test_a_tenant_without_keys_is_told_so(kms):
    kms.tenant()
    nobody = secrets.token_bytes(16)
    blob = wrap_one(kms, kms.tenant(), Key.generate()).blob
    for call in (
        lambda: kms.manager.wrap(nobody, [(Key.generate(), CONTEXT)]),
        lambda: kms.manager.unwrap(nobody, [(blob, CONTEXT)]),
        lambda: kms.manager.sign(nobody, b"message"),
        lambda: kms.manager.log_public_key(nobody),
    ):
        with pytest.raises(KmsDeniedError, match="created"):
            call()


def test_what_is_no_tenant_uid_is_refused(kms):
    for wrong in (b"", bytes(15), bytes(17), b"../../sys/seal//"[:15]):
        for call in (
            lambda wrong=wrong: kms.manager.wrap(wrong, [(Key.generate(), CONTEXT)]),
            lambda wrong=wrong: kms.manager.unwrap(wrong, []),
            lambda wrong=wrong: kms.manager.sign(wrong, b""),
            lambda wrong=wrong: kms.manager.log_public_key(wrong),
            lambda wrong=wrong: kms.provisioner.create_tenant_keys(wrong),
        ):
            with pytest.raises(ValueError, match="16 bytes"):
                call()


def test_an_empty_context_is_refused(kms):
    tenant = kms.tenant()
    blob = wrap_one(kms, tenant, Key.generate()).blob
    with pytest.raises(ValueError, match="empty"):
        kms.manager.wrap(tenant, [(Key.generate(), CONTEXT), (Key.generate(), b"")])
    with pytest.raises(ValueError, match="empty"):
        kms.manager.unwrap(tenant, [(blob, b"")])


def test_keys_that_exist_are_kept_by_a_second_creation(kms):
    tenant, key = kms.tenant(), Key.generate()
    wrapped, public_key = wrap_one(kms, tenant, key), kms.manager.log_public_key(tenant)
    kms.provisioner.create_tenant_keys(tenant)
    assert kms.manager.unwrap(tenant, [(wrapped.blob, CONTEXT)]) == [key]
    assert kms.manager.log_public_key(tenant) == public_key


def test_the_system_is_a_tenant(kms):
    kms.provisioner.create_tenant_keys(SYSTEM_TENANT)
    key = Key.generate()
    blob = wrap_one(kms, SYSTEM_TENANT, key).blob
    assert kms.manager.unwrap(SYSTEM_TENANT, [(blob, CONTEXT)]) == [key]


@pytest.mark.parametrize("message", [b"", b"checkpoint\n", bytes(range(256)) * 100])
def test_a_signature_verifies_with_the_public_key(kms, message):
    tenant = kms.tenant()
    public_key = Ed25519PublicKey.from_public_bytes(kms.manager.log_public_key(tenant))
    signature = kms.manager.sign(tenant, message)
    public_key.verify(signature, message)
    with pytest.raises(InvalidSignature):
        public_key.verify(signature, message + b".")


def test_each_tenant_has_its_own_log_key(kms):
    one, other = kms.tenant(), kms.tenant()
    assert kms.manager.log_public_key(one) != kms.manager.log_public_key(other)


def test_check_passes_while_it_serves(kms):
    kms.manager.check()
    assert kms.manager.proves_destruction is (type(kms.manager).__name__ == "TransitKeyManager")


def test_eight_threads_get_their_own_keys_back(kms):
    tenants = [kms.tenant() for _ in range(4)]

    def work(number):
        tenant, key = tenants[number % 4], Key.generate()
        blob = wrap_one(kms, tenant, key).blob
        return kms.manager.unwrap(tenant, [(blob, CONTEXT)]) == [key]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(200)))


def test_no_key_shows_in_logs_results_or_errors(kms, caplog):
    caplog.set_level(logging.DEBUG)
    tenant = kms.tenant()
    with structlog.testing.capture_logs() as events:
        shown = fail_with_keys_in_hand(kms, tenant, key := Key.generate())
    shown += caplog.text + repr(events)
    for form in (base64.b64encode(key.raw).decode(), key.raw.hex(), repr(key.raw)):
        assert form not in shown


def fail_with_keys_in_hand(kms, tenant, key):
    """Whatever a crash reporter that shows local variables would show of a call that fails half-way."""
    blobs = [(wrapped.blob, CONTEXT) for wrapped in kms.manager.wrap(tenant, [(key, CONTEXT)] * 2)]
    shown = repr(kms.manager.unwrap(tenant, blobs))
    for call in (
        lambda: kms.manager.unwrap(tenant, [blobs[0], (blobs[1][0], b"another context")]),
        lambda: kms.manager.wrap(bytes(range(16)), [(key, CONTEXT)]),
    ):
        with pytest.raises((KmsIntegrityError, KmsDeniedError)) as failed:
            call()
        assert failed.value.__context__ is None
        report = traceback.TracebackException.from_exception(failed.value, capture_locals=True)
        shown += "".join(report.format())
    assert "another tenant or context" in shown
    assert "created" in shown
    return shown
