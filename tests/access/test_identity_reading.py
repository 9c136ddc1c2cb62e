"""A leaf is read only if it names exactly one principal."""

import base64
import ssl
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from vault.access import issuing
from vault.access.identity import MAX_PEM_BYTES, TrustBundle, TrustedCa, is_principal_name, read_leaf
from vault.errors import VaultError
from vault.v1 import common_pb2

CA = issuing.create_ca("CA", 1)
TRUST = TrustBundle([TrustedCa.from_der(bytes(16), ssl.PEM_cert_to_DER_cert(CA.certificate_pem.decode()))])
GOOD_PEM = issuing.issue_client(CA, "spiffe://pdvault/acme/billing", 1).certificate_pem
GOOD_DER = x509.load_pem_x509_certificate(GOOD_PEM).public_bytes(serialization.Encoding.DER)


def armoured(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


def refused(pem: bytes) -> str:
    with pytest.raises(VaultError) as caught:
        read_leaf(pem)
    assert caught.value.reason == common_pb2.ERROR_REASON_CERTIFICATE_REFUSED
    assert caught.value.__suppress_context__
    return caught.value.message


def test_a_good_leaf_is_read_with_its_name_and_the_sha256_of_its_der_form():
    leaf = read_leaf(GOOD_PEM)
    assert leaf.name == "spiffe://pdvault/acme/billing"
    assert leaf.sha256 == leaf.certificate.fingerprint(hashes.SHA256())


def test_a_leaf_is_parsed_once():
    assert read_leaf(GOOD_PEM) is read_leaf(bytes(bytearray(GOOD_PEM)))


@pytest.mark.parametrize("uris", [(), ("spiffe://a/b", "spiffe://a/c"), ("spiffe://a/b", "https://example.org/")])
def test_a_leaf_without_exactly_one_uri_names_nobody(ca, to_pem, uris):
    assert f"has {len(uris)} URI" in refused(to_pem(ca.issue(uris=uris)))


BAD_NAMES = [
    "https://pdvault/acme/billing",
    "SPIFFE://pdvault/acme/billing",
    "spiffe://pdvault",
    "spiffe://pdvault/",
    "spiffe:///acme/billing",
    "spiffe://pdvault/acme//billing",
    "spiffe://pdvault/acme/../other/billing",
    "spiffe://pdvault/./billing",
    "spiffe://pdvault/acme/billing/",
    "spiffe://PDVAULT/acme/billing",
    "spiffe://pdvault:443/acme/billing",
    "spiffe://user@pdvault/acme/billing",
    "spiffe://pdvault/acme/billing?x=1",
    "spiffe://pdvault/acme/billing#x",
    "spiffe://pdvault/acme/bill%69ng",
    "spiffe://pdvault/acme/billing\n",
    "spiffe://pdvault/acme/bil ling",
    "spiffe://pdvault/" + "a" * 239,
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_no_spiffe_id_with_a_path_is_refused(ca, to_pem, name):
    assert "SPIFFE ID" in refused(to_pem(ca.issue(uris=[name])))


def test_a_name_that_is_not_ascii_is_refused(ca):
    # IA5String is what the extension should hold; the library does not even write it, so the bytes are patched.
    der = ca.issue(uris=["spiffe://pdvault/acme/billing"]).public_bytes(serialization.Encoding.DER)
    patched = der.replace(b"acme/billing", "acmé/billin".encode())
    assert patched != der
    refused(armoured(patched))
    assert not is_principal_name("spiffe://pdvault/acmé/billing")


def test_names_with_dots_inside_segments_and_255_characters_are_good():
    assert is_principal_name("spiffe://pdvault.example/acme/v1.2/..billing")
    assert is_principal_name("spiffe://pdvault/" + "a" * 238)


def test_two_certificates_are_not_one(ca, to_pem):
    refused(to_pem(ca.issue()) + to_pem(ca.issue()))


def test_a_pem_that_is_too_large_is_refused_before_it_is_parsed():
    assert "larger" in refused(GOOD_PEM + b"\n" * MAX_PEM_BYTES)


def test_a_private_key_is_no_certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    encoding, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    message = refused(key.private_bytes(encoding, pkcs8, serialization.NoEncryption()))
    assert "PRIVATE" not in message


@given(st.binary(max_size=300))
def test_garbage_is_refused_and_never_crashes(garbage):
    refused(garbage)
    refused(armoured(garbage))


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_a_leaf_with_any_bit_flipped_is_refused():
    now = datetime.now(UTC)
    signed = x509.load_der_x509_certificate(GOOD_DER).tbs_certificate_bytes
    for bit in range(len(GOOD_DER) * 8):
        damaged = bytearray(GOOD_DER)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            leaf = read_leaf(armoured(bytes(damaged)))
            TRUST.identify(leaf, now)
        except VaultError:
            continue
        # Only the signature's own encoding has room (unused bits of its BIT STRING); what it covers is the same.
        assert leaf.certificate.tbs_certificate_bytes == signed, f"bit {bit}"
