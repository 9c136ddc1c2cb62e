"""Whom the edge's TLS trusts: every tenant's issuing CAs, read anew every few seconds, swapped as one unchanging snapshot.

TLS only asks for *some* tenant's CA. Which tenant a leaf belongs to is decided per call, against that tenant's CA alone, and
the CA's row is checked again, with its MAC, in the call's own transaction.
"""

from pathlib import Path

import grpc
import sqlalchemy as sa

from vault.access.identity import TrustBundle, TrustedCa
from vault.server.config import ConfigError, ServerSettings
from vault.store import tables as t

REFRESH_S = 5.0


class Trust:
    """The current snapshot, and server credentials that follow it without a restart."""

    def __init__(self, engine: sa.Engine, settings: ServerSettings) -> None:
        """Read the CAs and the server's own certificate.

        Raises:
            ConfigError: no tenant has a CA yet, or the server's certificate can't be read.
        """
        self._engine = engine
        self._settings = settings
        self.bundle = self._read()
        if not self.bundle.pem:
            raise ConfigError("no tenant has an issuing CA, so nobody could call: run `pdvault tenant create` first")
        self._current = self._configuration()

    def refresh(self) -> None:
        """Read CAs and certificate again; called from a worker thread."""
        self.bundle = self._read()
        self._current = self._configuration()

    def credentials(self) -> grpc.ServerCredentials:
        """Mutual TLS; each handshake takes the newest snapshot, on gRPC's own threads."""
        return grpc.dynamic_ssl_server_credentials(self._current, lambda: self._current, require_client_authentication=True)

    def _read(self) -> TrustBundle:
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(t.tenant_ca)).all()
        return TrustBundle([TrustedCa.from_der(row.tenant_uid, row.certificate) for row in rows])

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        chain = (_read(self._settings.key_file), _read(self._settings.certificate_file))
        return grpc.ssl_server_certificate_configuration([chain], root_certificates=self.bundle.pem)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
