"""Makes certificates for development, for operators without a PKI of their own, and for tests (RFC 5280).

Keys are P-256 and unencrypted; whoever has a certificate authority already should keep using it.
"""

import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vault.access.identity import MAX_NAME_LENGTH, is_principal_name
from vault.errors import FieldViolation, VaultError
from vault.v1 import common_pb2

CLOCK_SKEW = timedelta(minutes=5)
"""How far back certificates begin, for clocks that are behind."""

MAX_DAYS = 36_500

_NAME = re.compile(r"[a-z0-9-]{1,63}")


@dataclass(frozen=True)
class Issued:
    """A certificate and its private key (PKCS #8, unencrypted), both in PEM."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)


def principal_uri(tenant_name: str, principal_name: str) -> str:
    """The URI SAN of a principal: ``spiffe://pdvault/<tenant>/<principal>``.

    Raises:
        VaultError: INVALID_FIELD, if a name is not 1 to 63 of ``a-z``, ``0-9`` and ``-``.
    """
    for name_of, name in (("tenant_name", tenant_name), ("principal_name", principal_name)):
        if not _NAME.fullmatch(name):
            _refuse(name_of, "must be 1 to 63 characters of a-z, 0-9 and -")
    return f"spiffe://pdvault/{tenant_name}/{principal_name}"


def create_ca(common_name: str, days: int) -> Issued:
    """A self-signed CA that issues leaves only (path length 0), valid for ``days`` from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    usage = _key_usage(key_cert_sign=True, crl_sign=True)
    builder = (
        _builder(subject, subject, key, _end(days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    return _sign(builder, key, key)


def issue_client(ca: Issued, uri: str, days: int) -> Issued:
    """A client certificate whose only name is ``uri``; it ends with the CA if that is sooner.

    Raises:
        VaultError: INVALID_FIELD, if ``uri`` could not name a principal.
    """
    if not is_principal_name(uri):
        _refuse("uri", f"must be a SPIFFE ID with a path, at most {MAX_NAME_LENGTH} characters")
    return _issue(ca, [x509.UniformResourceIdentifier(uri)], ExtendedKeyUsageOID.CLIENT_AUTH, days)


def issue_server(ca: Issued, names: Sequence[str], days: int) -> Issued:
    """A server certificate for ``names``: DNS names or IP addresses, at least one; it ends with the CA if that is sooner."""
    if not names:
        _refuse("names", "must hold at least one DNS name or IP address")
    return _issue(ca, [_general_name(name) for name in names], ExtendedKeyUsageOID.SERVER_AUTH, days)


def write_private(path: Path, data: bytes) -> None:
    """Writes ``data`` to a new file that only its owner may read (mode 0600), and to disk.

    Raises:
        VaultError: INVALID_FIELD, if there is anything at ``path`` already, a dangling link included.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        _refuse("path", f"{path} exists and is not overwritten: move it away or choose another place")
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _issue(ca: Issued, names: Sequence[x509.GeneralName], usage: x509.ObjectIdentifier, days: int) -> Issued:
    issuer = x509.load_pem_x509_certificate(ca.certificate_pem)
    issuer_key = serialization.load_pem_private_key(ca.key_pem, password=None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the CA was not made here: its key is not on an elliptic curve")
    key = ec.generate_private_key(ec.SECP256R1())
    end = min(_end(days), issuer.not_valid_after_utc)
    # The subject is empty, so the alternative name is critical (RFC 5280, section 4.2.1.6).
    builder = (
        _builder(x509.Name([]), issuer.subject, key, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    return _sign(builder, key, issuer_key)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, end: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - CLOCK_SKEW)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _sign(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, issuer_key: ec.EllipticCurvePrivateKey) -> Issued:
    certificate = builder.sign(issuer_key, hashes.SHA256())
    pkcs8 = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Issued(certificate.public_bytes(serialization.Encoding.PEM), pkcs8)


def _end(days: int) -> datetime:
    if not 1 <= days <= MAX_DAYS:
        _refuse("days", f"must be 1 to {MAX_DAYS}")
    return datetime.now(UTC) + timedelta(days=days)


def _key_usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _refuse(field_name: str, rule: str) -> NoReturn:
    raise VaultError(
        common_pb2.ERROR_REASON_INVALID_FIELD,
        f"Nothing was issued or written: {field_name} {rule}.",
        violations=[FieldViolation(field_name, rule)],
    ) from None
