"""Whether a CA may be registered for a tenant: found out once, with help, instead of at every client's handshake."""

from collections.abc import Iterable
from datetime import datetime
from typing import NoReturn

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from vault.access.identity import MIN_RSA_BITS, TrustedCa
from vault.errors import FieldViolation, VaultError
from vault.v1 import common_pb2


def check_authority(ca: x509.Certificate, registered: Iterable[TrustedCa], now: datetime) -> None:
    """Checks that ``ca`` can issue clients and cannot be confused with any CA that is ``registered`` already.

    Two CAs with one key would be indistinguishable. Two CAs with one subject *and* one key identifier are told apart here
    by their signatures, but not by the TLS library, which picks an issuer by these two and would lock one tenant out.
    ``now`` has a time zone.

    Raises:
        VaultError: INVALID_FIELD, saying what the CA lacks.
    """
    _check_key(ca)
    if ca.not_valid_after_utc <= now:
        _refuse("has expired")
    _check_extensions(ca)
    for other in registered:
        if _spki(other.certificate) == _spki(ca):
            _refuse("has the key of a CA that is registered already; each CA needs its own key")
        if other.certificate.subject == ca.subject and _key_identifier(other.certificate) == _key_identifier(ca):
            _refuse("has the subject and the key identifier of a CA that is registered already")


def _check_key(ca: x509.Certificate) -> None:
    key = ca.public_key()
    strong = isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS
    strong = strong or (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1))
    if not strong:
        _refuse(f"has a key that is none of P-256, P-384 and RSA of at least {MIN_RSA_BITS} bits")


def _check_extensions(ca: x509.Certificate) -> None:
    try:
        constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
        usage = ca.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        _refuse("lacks basicConstraints or keyUsage")
    if not (constraints.critical and constraints.value.ca and usage.key_cert_sign):
        _refuse("may not sign certificates: critical basicConstraints CA:TRUE and keyUsage keyCertSign are needed")
    if _key_identifier(ca) is None:
        _refuse("lacks subjectKeyIdentifier")


def _key_identifier(ca: x509.Certificate) -> bytes | None:
    try:
        return ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return None


def _spki(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _refuse(rule: str) -> NoReturn:
    raise VaultError(
        common_pb2.ERROR_REASON_INVALID_FIELD,
        f"The CA certificate {rule} (docs/access.md says what a tenant's CA must be).",
        violations=[FieldViolation("ca", rule)],
    ) from None
