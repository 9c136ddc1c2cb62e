"""Certificates for those without a PKI of their own, issued next to what they are for."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes

from vault.access.identity import TrustedCa
from vault.access.issuing import Issued, issue_client, write_private


def check_registered(ca_file: Path, registered: Sequence[TrustedCa], tenant_uid: bytes) -> None:
    """Refuse a CA whose certificates the tenant would not take.

    Raises:
        ClickException: it is not one of the tenant's, or no certificate.
    """
    try:
        sha256 = x509.load_pem_x509_certificate(ca_file.read_bytes()).fingerprint(hashes.SHA256())
    except ValueError:
        raise click.ClickException(f"{ca_file} holds no PEM certificate") from None
    if (tenant_uid, sha256) not in [(ca.tenant_uid, ca.sha256) for ca in registered]:
        raise click.ClickException(f"{ca_file} is no issuing CA of this tenant, so its certificates would be refused")


@contextmanager
def issued(ca_files: tuple[Path, Path], uri: str, folder: Path, days: int) -> Iterator[Path]:
    """A client certificate in ``folder``, named after the URI's last part, with its key (0600); gone again if the block fails.

    Raises:
        ClickException: the CA's key does not load.
        VaultError: INVALID_FIELD, if a file is there already.
    """
    certificate, key = (path.read_bytes() for path in ca_files)
    try:
        client = issue_client(Issued(certificate, key), uri, days)
        x509.load_pem_x509_certificate(client.certificate_pem).verify_directly_issued_by(
            x509.load_pem_x509_certificate(certificate)
        )
    except (ValueError, TypeError, InvalidSignature):
        raise click.ClickException(
            f"{ca_files[1]} is not {ca_files[0]}'s key: an unencrypted PEM key on an elliptic curve"
        ) from None
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{uri.rsplit('/', 1)[-1]}.pem"
    written: list[Path] = []
    try:
        for target, content in ((path.with_suffix(".key"), client.key_pem), (path, client.certificate_pem)):
            write_private(target, content)
            written.append(target)
        yield path
    except BaseException:
        for target in written:
            target.unlink()
        raise
