"""A leaf belongs to the tenant whose CA signed it, to no other, and only while both are valid."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import SubjectKeyIdentifier
from cryptography.x509.oid import ExtendedKeyUsageOID

from vault.access.identity import TrustBundle, TrustedCa, find_issuer, issued_by, read_leaf
from vault.errors import VaultError
from vault.v1 import common_pb2

A, B = b"A" * 16, b"B" * 16
RSA_1024 = rsa.generate_private_key(65537, 1024)  # noqa: S505 - must be refused


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def refused(bundle: TrustBundle, leaf, now: datetime) -> str:
    with pytest.raises(VaultError) as caught:
        bundle.identify(leaf, now)
    assert caught.value.reason == common_pb2.ERROR_REASON_CERTIFICATE_REFUSED
    return caught.value.message


def test_a_leaf_is_identified_by_the_ca_that_issued_it(make_ca, now):
    first, second = make_ca("First"), make_ca("Second")
    bundle = TrustBundle([first.trusted(A), second.trusted(B)])
    assert bundle.identify(first.leaf(), now) == first.trusted(A)
    assert bundle.identify(second.leaf(), now) == second.trusted(B)


def test_a_leaf_of_another_tenants_ca_does_not_pass(make_ca, now):
    first, second = make_ca("First"), make_ca("Second")
    assert not issued_by(first.leaf(), second.certificate, now)
    refused(TrustBundle([second.trusted(B)]), first.leaf(), now)


def test_cas_with_one_name_are_told_apart_by_signature(make_ca, now):
    first, second = make_ca("Same"), make_ca("Same")
    bundle = TrustBundle([first.trusted(A), second.trusted(B)])
    assert bundle.identify(first.leaf(), now).tenant_uid == A
    assert bundle.identify(second.leaf(), now).tenant_uid == B
    assert not issued_by(first.leaf(), second.certificate, now)


def test_a_ca_that_copies_name_and_key_identifier_wins_nothing(make_ca, now):
    victim = make_ca("Same")
    identifier = read_key_identifier(victim)
    attacker = make_ca("Same", key_identifier=identifier)
    assert read_key_identifier(attacker) == identifier
    for order in ([victim.trusted(A), attacker.trusted(B)], [attacker.trusted(B), victim.trusted(A)]):
        bundle = TrustBundle(order)
        assert bundle.identify(victim.leaf(), now).tenant_uid == A
        assert bundle.identify(attacker.leaf(), now).tenant_uid == B


def read_key_identifier(authority) -> bytes:
    return authority.certificate.extensions.get_extension_for_class(SubjectKeyIdentifier).value.digest


def test_a_name_in_the_other_tenants_folder_does_not_change_the_tenant(make_ca, now):
    first, second = make_ca("First"), make_ca("Second")
    bundle = TrustBundle([first.trusted(A), second.trusted(B)])
    impostor = first.leaf(uris=["spiffe://pdvault/second/billing"])
    assert bundle.identify(impostor, now).tenant_uid == A


def test_a_leaf_that_two_registered_cas_could_have_issued_is_refused(make_ca, now):
    first = make_ca("Same")
    renewed = make_ca("Same", key=first.key)
    bundle = TrustBundle([first.trusted(A), renewed.trusted(B)])
    assert "several" in refused(bundle, first.leaf(), now)


@pytest.mark.parametrize(
    ("recipe", "help_text"),
    [
        ({"starts": timedelta(days=-2), "ends": timedelta(seconds=-1)}, "which is not now"),
        ({"starts": timedelta(minutes=1)}, "which is not now"),
        ({"is_ca": True}, "not as a CA"),
        ({"usages": [ExtendedKeyUsageOID.SERVER_AUTH]}, "client authentication"),
        ({"usages": [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]}, "client authentication"),
        ({"usages": []}, "client authentication"),
        ({"key": RSA_1024}, "RSA of at least 2048"),
        ({"key": ec.generate_private_key(ec.SECP256K1())}, "P-256"),
    ],
    ids=["expired", "not-yet-valid", "a-ca", "server-only", "any-usage", "no-usage", "rsa-1024", "secp256k1"],
)
def test_an_unfit_leaf_is_refused_with_help(ca, now, recipe, help_text):
    leaf = ca.leaf(**recipe)
    assert not issued_by(leaf, ca.certificate, now)
    assert help_text in refused(TrustBundle([ca.trusted(A)]), leaf, now)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["p256", "p384", "ed25519", "rsa-2048"],
)
def test_leaves_with_strong_keys_pass(ca, now, key):
    assert TrustBundle([ca.trusted(A)]).identify(ca.leaf(key=key), now).tenant_uid == A


def test_a_leaf_for_clients_and_servers_passes(ca, now):
    leaf = ca.leaf(usages=[ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    assert issued_by(leaf, ca.certificate, now)


def test_a_self_signed_leaf_is_refused(ca, make_ca, to_pem, now):
    own = make_ca("billing", is_ca=False, usages=[ExtendedKeyUsageOID.CLIENT_AUTH], uris=["spiffe://a/b"])
    leaf = read_leaf(to_pem(own.certificate))
    refused(TrustBundle([ca.trusted(A)]), leaf, now)
    # Not even where somebody registered it as a CA, which it is not.
    refused(TrustBundle([own.trusted(A)]), leaf, now)


def test_a_good_leaf_registered_as_a_ca_does_not_vouch_for_itself(ca, now):
    leaf = ca.leaf()
    as_ca = TrustedCa(B, leaf.sha256, leaf.certificate)
    assert not issued_by(leaf, leaf.certificate, now)
    assert TrustBundle([as_ca, ca.trusted(A)]).identify(leaf, now).tenant_uid == A


def test_a_leaf_under_an_intermediate_of_the_ca_is_refused(ca, make_ca, now):
    key = ec.generate_private_key(ec.SECP256R1())
    intermediate = make_ca("Intermediate", key=key)
    intermediate.certificate = ca.issue(subject="Intermediate", key=key, is_ca=True, uris=(), usages=())
    refused(TrustBundle([ca.trusted(A)]), intermediate.leaf(), now)
    assert TrustBundle([intermediate.trusted(A)]).identify(intermediate.leaf(), now).tenant_uid == A


@pytest.mark.parametrize(
    "recipe",
    [
        {"starts": timedelta(days=-2), "ends": timedelta(seconds=-1)},
        {"starts": timedelta(hours=1)},
        {"is_ca": False},
        {"key": RSA_1024},
        {"key": ec.generate_private_key(ec.SECP521R1())},
        {"key": ed25519.Ed25519PrivateKey.generate()},
    ],
    ids=["expired", "not-yet-valid", "not-a-ca", "rsa-1024", "p521", "ed25519"],
)
def test_an_unfit_ca_vouches_for_nobody(make_ca, now, recipe):
    authority = make_ca(**recipe)
    refused(TrustBundle([authority.trusted(A)]), authority.leaf(), now)


def test_a_leaf_that_expires_during_its_connection_is_refused_at_the_next_call(ca, now):
    bundle, leaf = TrustBundle([ca.trusted(A)]), ca.leaf(ends=timedelta(hours=1))
    assert bundle.identify(leaf, now).tenant_uid == A
    assert bundle.identify(leaf, now + timedelta(minutes=59)).tenant_uid == A
    assert "which is not now" in refused(bundle, leaf, now + timedelta(hours=2))


def test_a_leaf_whose_ca_expires_during_its_connection_is_refused_at_the_next_call(make_ca, now):
    authority = make_ca(ends=timedelta(hours=1))
    bundle, leaf = TrustBundle([authority.trusted(A)]), authority.leaf()
    assert bundle.identify(leaf, now).tenant_uid == A
    refused(bundle, leaf, now + timedelta(hours=2))


def test_a_bundle_without_the_ca_refuses_what_the_bundle_with_it_accepted(ca, make_ca, now):
    leaf = ca.leaf()
    assert TrustBundle([ca.trusted(A)]).identify(leaf, now).tenant_uid == A
    refused(TrustBundle([make_ca("Other").trusted(B)]), leaf, now)
    refused(TrustBundle([]), leaf, now)


def test_the_bundles_pem_holds_every_ca(make_ca):
    authorities = [make_ca("First"), make_ca("Second")]
    bundle = TrustBundle([authority.trusted(A) for authority in authorities])
    assert bundle.pem.count(b"BEGIN CERTIFICATE") == 2
    assert TrustBundle([]).pem == b""


def test_find_issuer_needs_exactly_one(make_ca, now):
    first, second = make_ca("Same"), make_ca("Same")
    assert find_issuer(first.leaf(), [second.trusted(B), first.trusted(A)], now) == first.trusted(A)
    with pytest.raises(VaultError):
        find_issuer(first.leaf(), [second.trusted(B)], now)
    with pytest.raises(VaultError):
        find_issuer(first.leaf(), [first.trusted(A), first.trusted(B)], now)
