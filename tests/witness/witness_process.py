"""``pdvault witness`` as a process of its own, and requests to it."""

import http.client
import json
import signal
import ssl
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tests.forked import nursery

from vault.audit.note import Verifier, parse_vkey

NAME = "witness.example.org"


class Answer(NamedTuple):
    """What a request got."""

    status: int
    content_type: str
    text: str


class WitnessProcess:
    """One run of the command; ``kill`` ends it as a power cut would."""

    def __init__(self, folder: Path, logs: Iterable[Verifier], *more: str, prelude: str = "") -> None:
        """It is not started yet; ``prelude`` is Python run in the process first, to change bounds."""
        options = [option for log in logs for option in ("--log", log.vkey)]
        self._arguments = [
            *("witness", "--name", NAME, "--address", "127.0.0.1:0"),
            *("--key-file", str(folder / "witness.key"), "--state", str(folder / "state"), "-o", "json", *options, *more),
        ]
        self._prelude = prelude
        self._log_path = folder / "witness.log"
        self.vkey = ""
        self.port = 0

    def __enter__(self) -> Self:
        code = f"{self._prelude}\nfrom vault.cli import main; raise SystemExit(main.run({self._arguments!r}))"
        with self._log_path.open("a") as log:
            self._process = nursery().run(log.fileno(), code)
        line = self._process.stdout.readline()
        assert line, self.log
        ready = json.loads(line)
        self.vkey, self.port = ready["vkey"], int(ready["address"].rpartition(":")[2])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process.poll() is None:
            self.stop()

    @property
    def verifier(self) -> Verifier:
        """What its cosignatures are checked against."""
        return parse_vkey(self.vkey)

    @property
    def log(self) -> str:
        """What it has said on stderr."""
        return self._log_path.read_text("utf-8")

    def stop(self) -> int:
        """End it as its operator does; the exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        self._process.send_signal(number)
        code = self._process.wait()
        self._process.stdout.close()
        return code

    def post(self, body: bytes) -> Answer:
        """POST /add-checkpoint."""
        return self.request("POST", "/add-checkpoint", body)

    def get(self, path: str) -> Answer:
        """GET."""
        return self.request("GET", path)

    def request(self, method: str, path: str, body: bytes | None = None, tls: ssl.SSLContext | None = None) -> Answer:
        """Any request, on a connection of its own."""
        connection = http.client.HTTPSConnection if tls else http.client.HTTPConnection
        more = {"context": tls} if tls else {}
        client = connection("127.0.0.1", self.port, timeout=60, **more)  # type: ignore[arg-type]
        try:
            client.request(method, path, body)
            answer = client.getresponse()
            return Answer(answer.status, answer.headers.get("Content-Type", ""), answer.read().decode())
        finally:
            client.close()
