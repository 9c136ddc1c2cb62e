"""Whom the edge's TLS trusts: every tenant's issuing CAs, read anew every few seconds, swapped as one unchanging snapshot.

TLS only asks for *some* tenant's CA. Which tenant a leaf belongs to is decided per call, against that tenant's CA alone, and
the CA's row is checked again, with its MAC, in the call's own transaction.
"""

import time
from pathlib import Path
from typing import Any

import grpc
import sqlalchemy as sa

from vault.access.identity import TrustBundle, TrustedCa
from vault.server.config import ConfigError, ServerSettings
from vault.store import tables as t

REFRESH_S = 5.0
_SWAP_PAUSE_S = 0.1


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
        self._files = self._read_files()
        self._current = self._given = self._configuration()

    def refresh(self) -> None:
        """Read CAs and certificate again; called from a worker thread."""
        before = (self.bundle.pem, self._files)
        self.bundle, self._files = self._read(), self._read_files()
        if (self.bundle.pem, self._files) != before:
            self._current = self._configuration()

    def credentials(self) -> grpc.ServerCredentials:
        """Mutual TLS; each handshake takes the newest snapshot."""
        changed: Any = self._changed  # the stubs don't know that nothing may have changed
        return grpc.dynamic_ssl_server_credentials(self._current, changed, require_client_authentication=True)

    def _changed(self) -> grpc.ServerCertificateConfiguration | None:
        """The newest snapshot, unless gRPC has it; called by each handshake on gRPC's threads, by one at a time.

        gRPC frees the snapshot before while other handshakes may just begin with it, and crashes (grpc/grpc#36693). So nothing
        is replaced by its like; and before a change, handshakes that have begun get time to go on, and new ones wait for it.
        """
        if self._given is self._current:
            return None
        time.sleep(_SWAP_PAUSE_S)  # what began before goes on; only a change of trust costs it
        self._given = self._current
        return self._given

    def _read(self) -> TrustBundle:
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(t.tenant_ca).order_by(t.tenant_ca.c.sha256)).all()
        return TrustBundle([TrustedCa.from_der(row.tenant_uid, row.certificate) for row in rows])

    def _read_files(self) -> tuple[bytes, bytes]:
        return _read(self._settings.key_file), _read(self._settings.certificate_file)

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([self._files], root_certificates=self.bundle.pem)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
