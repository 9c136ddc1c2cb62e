"""Who calls: from the certificate a client presented to the one tenant whose CA issued it.

gRPC verifies a client against the CAs of all tenants at once, so its verdict says nothing about *which* tenant. Here the leaf
is verified again, against each tenant's CA alone (RFC 5280, by ``cryptography.x509.verification``). Names never decide: CAs
may share a subject and a key identifier, but not a signature.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import NoReturn

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store, VerificationError

from vault.errors import VaultError
from vault.v1 import common_pb2

MAX_NAME_LENGTH = 255
"""The most characters of a principal's name."""
MAX_PEM_BYTES = 16 * 1024
"""The most bytes of a leaf in PEM: bounds what the cache of read leaves can hold."""
MIN_RSA_BITS = 2048

_LEAVES_REMEMBERED = 1024
_ISSUERS_REMEMBERED = 4096
_CURVES = (ec.SECP256R1, ec.SECP384R1)
# SPIFFE-ID, sections 2.1 to 2.3, and X509-SVID, section 5.2: a trust domain, then a path without empty or dot segments.
_SPIFFE_ID = re.compile(r"spiffe://[a-z0-9._-]+(/(?!\.{1,2}(/|\Z))[A-Za-z0-9._-]+)+")


@dataclass(frozen=True)
class Leaf:
    """A certificate that a client presented: read, not yet trusted.

    Attributes:
        certificate: the certificate.
        sha256: SHA-256 of its DER form (32 bytes), as ``openssl x509 -fingerprint -sha256`` prints it.
        name: its only URI SAN.
    """

    certificate: x509.Certificate = field(repr=False)
    sha256: bytes
    name: str


@dataclass(frozen=True)
class TrustedCa:
    """A CA certificate whose leaves are one tenant's principals.

    Attributes:
        tenant_uid: the tenant, 16 bytes.
        sha256: SHA-256 of the certificate's DER form (32 bytes).
        certificate: the certificate.
    """

    tenant_uid: bytes
    sha256: bytes
    certificate: x509.Certificate = field(repr=False)

    @classmethod
    def from_der(cls, tenant_uid: bytes, der: bytes) -> "TrustedCa":
        """The CA in ``der``, named by its own hash, whatever else a row may say; raises ValueError if that is no certificate."""
        certificate = x509.load_der_x509_certificate(der)
        return cls(tenant_uid, certificate.fingerprint(hashes.SHA256()), certificate)


def is_principal_name(text: str) -> bool:
    """Whether ``text`` can name a principal: a SPIFFE ID with a path, ASCII, at most 255 characters."""
    return len(text) <= MAX_NAME_LENGTH and _SPIFFE_ID.fullmatch(text) is not None


@lru_cache(maxsize=_LEAVES_REMEMBERED)
def read_leaf(pem: bytes) -> Leaf:
    """The certificate in ``pem`` as gRPC gives it (``x509_pem_cert``), with its name. Says nothing about trust or time.

    Remembered by the exact bytes: a connection presents the same leaf at each call.

    Raises:
        VaultError: CERTIFICATE_REFUSED, if it is not one certificate of at most 16 KiB with exactly one URI SAN that is
            a SPIFFE ID with a path.
    """
    if len(pem) > MAX_PEM_BYTES:
        _refuse(f"it is larger than {MAX_PEM_BYTES} bytes")
    try:
        (certificate,) = x509.load_pem_x509_certificates(pem)
        uris = _uris(certificate)
        certificate.issuer.public_bytes()  # parsed when first asked for: a damaged one must fail here
    except (ValueError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        _refuse("it cannot be read as one X.509 certificate in PEM")
    if len(uris) != 1:
        _refuse(f"it has {len(uris)} URI subject alternative names, where exactly one must name the principal")
    if not is_principal_name(uris[0]):
        _refuse(
            "its URI subject alternative name is no SPIFFE ID with a path (spiffe://<trust domain>/<path>, "
            f"ASCII, at most {MAX_NAME_LENGTH} characters)"
        )
    return Leaf(certificate, certificate.fingerprint(hashes.SHA256()), uris[0])


def issued_by(leaf: Leaf, ca: x509.Certificate, now: datetime) -> bool:
    """Whether ``ca`` itself, and no other certificate, issued ``leaf`` for client authentication, both valid at ``now``.

    Checks (RFC 5280, with the CA/Browser profile's extensions): the signature; both validity periods; that the CA may sign
    certificates; that the leaf has authority key identifier and extended key usage clientAuth and is no CA; that both
    keys are strong enough. ``now`` has a time zone.
    """
    if _weak_key(leaf.certificate) or _weak_key(ca):
        return False
    # The verifier trusts a certificate that is in its store without asking who signed it, even if it is no CA.
    if leaf.certificate == ca:
        return False
    verifier = (
        PolicyBuilder()
        .store(Store([ca]))
        .time(now)
        .max_chain_depth(0)
        .extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=_LEAF_EXTENSIONS)
        .build_client_verifier()
    )
    try:
        verifier.verify(leaf.certificate, [])
    except VerificationError:
        return False
    return True


def find_issuer(leaf: Leaf, authorities: Iterable[TrustedCa], now: datetime) -> TrustedCa:
    """The one CA among ``authorities`` that issued ``leaf`` (see ``issued_by``).

    Raises:
        VaultError: CERTIFICATE_REFUSED, if none did, or more than one.
    """
    if not _valid_at(leaf.certificate, now):
        _refuse(
            f"it is valid from {leaf.certificate.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ} "
            f"to {leaf.certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}, which is not now"
        )
    if _weak_key(leaf.certificate):
        _refuse(f"its key is none of P-256, P-384, Ed25519 and RSA of at least {MIN_RSA_BITS} bits")
    issuers = [authority for authority in authorities if issued_by(leaf, authority.certificate, now)]
    if not issuers:
        _refuse("no tenant's CA that is valid now issued it for client authentication (and not as a CA)")
    if len(issuers) > 1:
        _refuse("several registered CAs have the key that issued it, so it names no single tenant")
    return issuers[0]


class TrustBundle:
    """An unchanging snapshot of every tenant's CAs. Thread-safe; when a CA comes or goes, make a new one."""

    def __init__(self, authorities: Sequence[TrustedCa]) -> None:
        self._by_subject: dict[bytes, list[TrustedCa]] = {}
        for authority in authorities:
            self._by_subject.setdefault(authority.certificate.subject.public_bytes(), []).append(authority)
        self._pem = b"".join(a.certificate.public_bytes(serialization.Encoding.PEM) for a in authorities)
        self._issuers: dict[x509.Certificate, TrustedCa] = {}

    @property
    def pem(self) -> bytes:
        """All CAs, concatenated, as gRPC's server credentials take them."""
        return self._pem

    def identify(self, leaf: Leaf, now: datetime) -> TrustedCa:
        """The CA that issued ``leaf``; ``now`` has a time zone.

        The signature, which cannot change, is verified once a leaf; both validity periods at every call, so that a
        certificate that expires during its connection's life is refused.

        Raises:
            VaultError: CERTIFICATE_REFUSED.
        """
        known = self._issuers.get(leaf.certificate)
        if known is not None and _valid_at(leaf.certificate, now) and _valid_at(known.certificate, now):
            return known
        issuer = find_issuer(leaf, self._by_subject.get(leaf.certificate.issuer.public_bytes(), ()), now)
        if len(self._issuers) >= _ISSUERS_REMEMBERED:
            self._issuers.clear()
        self._issuers[leaf.certificate] = issuer
        return issuer


def _uris(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def _valid_at(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _weak_key(certificate: x509.Certificate) -> bool:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return True
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size < MIN_RSA_BITS
    if isinstance(key, ec.EllipticCurvePublicKey):
        return not isinstance(key.curve, _CURVES)
    return not isinstance(key, ed25519.Ed25519PublicKey)


def _require_client_auth(_policy: Policy, _certificate: x509.Certificate, usage: x509.ExtendedKeyUsage) -> None:
    if ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        raise ValueError("clientAuth is required")


# The library's default lets a leaf without the extension pass; a custom rule replaces its check, so this one checks too.
_LEAF_EXTENSIONS = ExtensionPolicy.webpki_defaults_ee().require_present(
    x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _require_client_auth
)


def _refuse(why: str) -> NoReturn:
    raise VaultError(
        common_pb2.ERROR_REASON_CERTIFICATE_REFUSED,
        f"The client certificate is refused: {why}. Present a certificate issued by your tenant's CA (docs/access.md).",
    ) from None
