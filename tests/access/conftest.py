"""Certificates of every kind, also those that nobody should accept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vault.access.identity import Leaf, TrustedCa, read_leaf

NAME = "spiffe://pdvault/acme/billing"


@dataclass
class Recipe:
    """What a certificate is made of; the defaults make a good client leaf."""

    subject: str = "billing"
    uris: Sequence[str] = (NAME,)
    usages: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.CLIENT_AUTH,)
    is_ca: bool = False
    starts: timedelta = timedelta(minutes=-5)
    ends: timedelta = timedelta(days=1)
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    key_identifier: bytes | None = None


@dataclass
class Authority:
    """A CA and its key."""

    certificate: x509.Certificate
    key: Any

    def trusted(self, tenant_uid: bytes) -> TrustedCa:
        """The CA as one of the tenant's."""
        return TrustedCa(tenant_uid, self.certificate.fingerprint(hashes.SHA256()), self.certificate)

    def issue(self, **recipe: Any) -> x509.Certificate:
        """A certificate signed by this CA."""
        return _sign(Recipe(**recipe), self.certificate.subject, self.key)

    def leaf(self, **recipe: Any) -> Leaf:
        """The same, as a client would present it."""
        return read_leaf(pem(self.issue(**recipe)))


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _sign(recipe: Recipe, issuer: x509.Name, issuer_key: Any) -> x509.Certificate:
    now = datetime.now(UTC)
    public = recipe.key.public_key()
    identifier = recipe.key_identifier or x509.SubjectKeyIdentifier.from_public_key(public).digest
    issuer_identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(recipe.subject))
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + recipe.starts)
        .not_valid_after(now + recipe.ends)
        .add_extension(x509.BasicConstraints(recipe.is_ca, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier(identifier), critical=False)
        .add_extension(issuer_identifier, critical=False)
        .add_extension(_key_usage(recipe.is_ca), critical=True)
    )
    if recipe.usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(recipe.usages), critical=False)
    if recipe.uris:
        names = [x509.UniformResourceIdentifier(uri) for uri in recipe.uris]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def _key_usage(is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(not is_ca, False, False, False, False, is_ca, is_ca, False, False)


def _make_ca(subject: str = "Issuing CA", **recipe: Any) -> Authority:
    plan = Recipe(**{"subject": subject, "is_ca": True, "usages": (), "uris": (), **recipe})
    return Authority(_sign(plan, _name(subject), plan.key), plan.key)


@pytest.fixture
def make_ca() -> Callable[..., Authority]:
    """Makes a CA from a Recipe's fields."""
    return _make_ca


@pytest.fixture
def ca() -> Authority:
    return _make_ca()


@pytest.fixture
def to_pem() -> Callable[[x509.Certificate], bytes]:
    return pem
