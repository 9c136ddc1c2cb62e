"""``pdvault serve`` and ``pdvault key-worker`` as processes of their own, with their logs in files."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

_PATIENCE_S = 60.0
_POLL_S = 0.02


class ServerError(RuntimeError):
    """The server did not do what it should; the message holds the end of its log."""


class ServerProcess:
    """A server that runs inside the ``with`` block.

    Args:
        config_file: its configuration.
        log: where its log is written, from the beginning.
    """

    _command, _ready = "serve", "serving"

    def __init__(self, config_file: Path, log: Path) -> None:
        self._config_file = config_file
        self._log = log
        self.address = ""

    def __enter__(self) -> "ServerProcess":
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program and arguments, no shell
                [sys.executable, "-m", "vault.cli.main", self._command, "--config", str(self._config_file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,  # Ctrl-C is for whoever holds this object, not for the server
            )
        try:
            self.address = self._await_address()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it in good order.

        Raises:
            ServerError: it takes too long, or fails.
        """
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise ServerError(f"the server does not end:\n{self._end_of_log()}") from None
        if code:
            raise ServerError(f"the server ended with code {code}:\n{self._end_of_log()}")

    def _await_address(self) -> str:
        deadline = time.monotonic() + _PATIENCE_S
        while self._process.poll() is None and time.monotonic() < deadline:
            for line in self._log.read_text().splitlines(keepends=True):
                if line.startswith("{") and line.endswith("\n") and json.loads(line)["event"] == self._ready:
                    return str(json.loads(line).get("address", ""))
            time.sleep(_POLL_S)
        raise ServerError(f"the server does not come up:\n{self._end_of_log()}")

    def _end_of_log(self) -> str:
        return self._log.read_text()[-2000:]


class KeyWorkerProcess(ServerProcess):
    """A key worker that runs inside the ``with`` block; it has no address."""

    _command, _ready = "key-worker", "working"
