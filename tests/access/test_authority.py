"""A CA is registered only if it can issue clients and cannot be confused with another."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from vault.access import issuing
from vault.access.authority import check_authority
from vault.access.identity import TrustedCa, issued_by
from vault.errors import VaultError
from vault.v1 import common_pb2

A = b"A" * 16
RSA_1024 = rsa.generate_private_key(65537, 1024)  # noqa: S505 - must be refused


def refused(certificate: x509.Certificate, registered: list[TrustedCa]) -> str:
    with pytest.raises(VaultError) as caught:
        check_authority(certificate, registered, datetime.now(UTC))
    assert caught.value.reason == common_pb2.ERROR_REASON_INVALID_FIELD
    return caught.value.message


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["p256", "p384", "rsa-2048"],
)
def test_a_ca_that_may_be_registered_vouches_for_its_leaves(make_ca, key):
    authority, now = make_ca(key=key), datetime.now(UTC)
    check_authority(authority.certificate, [make_ca("Other").trusted(A)], now)
    assert issued_by(authority.leaf(), authority.certificate, now)


def test_the_cas_made_here_may_be_registered():
    certificate = x509.load_pem_x509_certificate(issuing.create_ca("Issuing CA", 1).certificate_pem)
    check_authority(certificate, [], datetime.now(UTC))


@pytest.mark.parametrize(
    ("recipe", "help_text"),
    [
        ({"is_ca": False}, "CA:TRUE"),
        ({"starts": timedelta(days=-2), "ends": timedelta(seconds=-1)}, "expired"),
        ({"key": RSA_1024}, "RSA of at least 2048"),
        ({"key": ed25519.Ed25519PrivateKey.generate()}, "P-256"),
        ({"key": ec.generate_private_key(ec.SECP521R1())}, "P-256"),
    ],
    ids=["not-a-ca", "expired", "rsa-1024", "ed25519", "p521"],
)
def test_an_unfit_ca_is_refused_with_help(make_ca, recipe, help_text):
    assert help_text in refused(make_ca(**recipe).certificate, [])


def test_a_ca_without_extensions_is_refused():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Bare")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    now = datetime.now(UTC)
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    bare = builder.sign(key, hashes.SHA256())
    assert "lacks basicConstraints" in refused(bare, [])


def test_a_second_certificate_of_a_registered_key_is_refused(make_ca):
    first = make_ca("First")
    assert "own key" in refused(make_ca("Second", key=first.key).certificate, [first.trusted(A)])


def test_a_copy_of_a_registered_name_and_key_identifier_is_refused(make_ca):
    first = make_ca("Same")
    identifier = first.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    copy = make_ca("Same", key_identifier=identifier)
    assert "subject and the key identifier" in refused(copy.certificate, [first.trusted(A)])


def test_a_registered_name_alone_may_be_used_again(make_ca):
    check_authority(make_ca("Same").certificate, [make_ca("Same").trusted(A)], datetime.now(UTC))
