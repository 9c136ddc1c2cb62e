"""TLS for the log's HTTP endpoint: the server's own certificate, and client certificates where a client has one.

gRPC cannot make a client's certificate optional; here it may stay away, since checkpoints may be public. One that is presented must
be of some tenant's CA, and whose it is is decided at each request, against that tenant's CA alone (access/identity.py).
"""

import ssl

from vault.server.config import ConfigError, ServerSettings
from vault.server.trust import Trust


class HttpsContext:
    """A context for the listener, and behind it the newest one, which every handshake takes."""

    def __init__(self, trust: Trust, settings: ServerSettings) -> None:
        """Load certificate and CAs.

        Raises:
            ConfigError: the server's certificate and key can't be loaded.
        """
        self._trust = trust
        self._settings = settings
        self.listening = self._newest = self._load()
        self.listening.sni_callback = self._take_newest

    def refresh(self) -> None:
        """Load what ``trust`` holds by now, and the certificate; called from a worker thread, after ``trust.refresh``."""
        self._newest = self._load()

    def _take_newest(self, connection: ssl.SSLObject, _name: str | None, _listening: ssl.SSLContext) -> None:
        # OpenSSL takes certificate, key and CAs from the new context; all else is the same in every context.
        connection.context = self._newest

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.num_tickets = 0  # no resumption: every connection's certificate is seen and verified
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an issuing CA need not be a root, as with gRPC
        try:
            context.load_cert_chain(self._settings.certificate_file, self._settings.key_file, password="")
            context.load_verify_locations(cadata=self._trust.bundle.pem.decode())
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(f"server.certificate_file and server.key_file can't be loaded: {error.strerror}") from None
        return context
