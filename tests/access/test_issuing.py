"""Certificates made here are accepted where they should be, and their keys are kept from others."""

import ipaddress
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.verification import PolicyBuilder, Store

from vault.access import issuing
from vault.access.identity import is_principal_name, issued_by, read_leaf
from vault.errors import VaultError
from vault.v1 import common_pb2

NAME = "spiffe://pdvault/acme/billing"


@pytest.fixture(scope="module")
def authority() -> issuing.Issued:
    return issuing.create_ca("Issuing CA", 30)


def load(issued: issuing.Issued) -> x509.Certificate:
    return x509.load_pem_x509_certificate(issued.certificate_pem)


def refused(function, *arguments) -> VaultError:
    with pytest.raises(VaultError) as caught:
        function(*arguments)
    assert caught.value.reason == common_pb2.ERROR_REASON_INVALID_FIELD
    return caught.value


def test_a_client_certificate_names_its_principal_and_passes_verification(authority):
    leaf = read_leaf(issuing.issue_client(authority, NAME, 1).certificate_pem)
    assert leaf.name == NAME
    assert issued_by(leaf, load(authority), datetime.now(UTC))


def test_a_server_certificate_passes_for_its_names_and_not_as_a_client(authority):
    server = load(issuing.issue_server(authority, ["localhost", "127.0.0.1", "::1"], 1))
    for subject in (
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ):
        PolicyBuilder().store(Store([load(authority)])).build_server_verifier(subject).verify(server, [])
    usage = server.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert x509.ExtendedKeyUsageOID.CLIENT_AUTH not in usage


def test_a_certificate_and_its_key_belong_together(authority):
    for issued in (authority, issuing.issue_client(authority, NAME, 1), issuing.issue_server(authority, ["a"], 1)):
        key = serialization.load_pem_private_key(issued.key_pem, None)
        assert key.public_key() == load(issued).public_key()


def test_serial_numbers_and_keys_are_new_each_time(authority):
    issued = [load(issuing.issue_client(authority, NAME, 1)) for _ in range(10)]
    assert len({certificate.serial_number for certificate in issued}) == 10
    assert len({certificate.public_key().public_numbers().x for certificate in issued}) == 10


def test_certificates_begin_five_minutes_ago_and_end_with_their_ca(authority):
    leaf = load(issuing.issue_client(authority, NAME, 365))
    assert leaf.not_valid_after_utc == load(authority).not_valid_after_utc
    assert leaf.not_valid_before_utc <= datetime.now(UTC) - timedelta(minutes=5)


def test_a_ca_may_sign_leaves_only(authority):
    constraints = load(authority).extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)


def test_the_key_is_not_in_the_repr(authority):
    assert "PRIVATE" not in repr(authority)
    assert authority.key_pem[40:80].decode() not in repr(authority)


@pytest.mark.parametrize("days", [0, -1, 36_501])
def test_a_validity_out_of_range_is_refused(authority, days):
    refused(issuing.issue_client, authority, NAME, days)
    refused(issuing.create_ca, "CA", days)


def test_a_client_name_that_would_be_refused_is_not_issued(authority):
    refused(issuing.issue_client, authority, "https://example.org/billing", 1)


def test_a_server_without_names_is_not_issued(authority):
    refused(issuing.issue_server, authority, [], 1)


def test_a_principals_uri_holds_tenant_and_principal():
    assert issuing.principal_uri("acme", "billing-1") == "spiffe://pdvault/acme/billing-1"
    assert is_principal_name(issuing.principal_uri("a" * 63, "b" * 63))


@pytest.mark.parametrize("name", ["", "Acme", "a/b", "a.b", "..", "a b", "a\n", "é", "a" * 64])
def test_a_name_that_could_change_the_uri_is_refused(name):
    assert refused(issuing.principal_uri, name, "billing").violations[0].field == "tenant_name"
    assert refused(issuing.principal_uri, "acme", name).violations[0].field == "principal_name"


def test_a_private_file_is_its_owners_alone(tmp_path):
    path = tmp_path / "key.pem"
    issuing.write_private(path, b"secret")
    assert path.read_bytes() == b"secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_private_file_overwrites_nothing(tmp_path):
    path = tmp_path / "key.pem"
    path.write_bytes(b"before")
    error = refused(issuing.write_private, path, b"secret")
    assert path.read_bytes() == b"before"
    assert "secret" not in error.message


def test_a_private_file_follows_no_link(tmp_path):
    link, target = tmp_path / "key.pem", tmp_path / "elsewhere"
    link.symlink_to(target)
    refused(issuing.write_private, link, b"secret")
    assert not target.exists()
