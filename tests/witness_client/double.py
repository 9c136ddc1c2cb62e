"""A witness as c2sp.org/tlog-witness describes it, made of the standard library; and one that answers whatever a test wants."""

import base64
import hashlib
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from tests.log_http import rfc6962

TIME_S = 1_790_000_000


@dataclass
class Answer:
    """What is sent."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain"
    headers: dict[str, str] = field(default_factory=dict)


class Double:
    """An honest witness of the logs it is told of, unless ``script`` answers first; keeps every request it got."""

    def __init__(self, name: str = "witness.example.org") -> None:
        self.name = name
        self.key = Ed25519PrivateKey.generate()
        typed = b"\x04" + self.key.public_key().public_bytes_raw()
        self.key_id = hashlib.sha256(name.encode() + b"\n" + typed).digest()[:4]
        self.vkey = f"{name}+{self.key_id.hex()}+{base64.b64encode(typed).decode()}"
        self.logs: dict[str, str] = {}
        self.seen: dict[str, tuple[int, bytes]] = {}
        self.requests: list[str] = []
        self.script: Callable[[str], Answer | None] = lambda _: None
        self.url = ""
        self.time_s = TIME_S

    def trust(self, origin: str, vkey: str) -> None:
        """Witness a log."""
        self.logs[origin] = vkey

    def line(self, text: str, key: Ed25519PrivateKey | None = None, time_s: int | None = None) -> str:
        """The cosignature line of a checkpoint's text."""
        at = self.time_s if time_s is None else time_s
        signature = (key or self.key).sign(f"cosignature/v1\ntime {at}\n{text}".encode())
        return f"— {self.name} {base64.b64encode(self.key_id + at.to_bytes(8, 'big') + signature).decode()}\n"

    def answer(self, path: str, body: str) -> Answer:
        """To one request."""
        self.requests.append(body)
        scripted = self.script(body)
        if scripted is not None:
            return scripted
        if path != "/witness/add-checkpoint":
            return Answer(404)
        head, _, note = body.partition("\n\n")
        first, *proof = head.split("\n")
        old = int(first.removeprefix("old "))
        text = note[: note.rfind("\n\n") + 1]
        origin, size_line, root_line = text.split("\n")[:3]
        size, root = int(size_line), base64.b64decode(root_line)
        if origin not in self.logs:
            return Answer(404)
        if not _is_signed(note, text, self.logs[origin]):
            return Answer(403)
        if old > size:
            return Answer(400)
        known, known_root = self.seen.get(origin, (0, rfc6962.root([])))
        if old != known:
            return Answer(409, f"{known}\n".encode(), "text/x.tlog.size")
        hashes = [base64.b64decode(line) for line in proof]
        fits = not hashes if old == 0 else rfc6962.verify_consistency(old, size, known_root, root, hashes)
        if not fits:
            return Answer(422)
        self.seen[origin] = size, root
        return Answer(200, self.line(text).encode())


@contextmanager
def served(double: Double, tls: ssl.SSLContext | None = None) -> Iterator[Double]:
    """The witness at a loopback address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            answer = double.answer(self.path, body)
            self.send_response(answer.status)
            for name, value in {"Content-Type": answer.content_type, **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    double.url = f"{'https' if tls else 'http'}://localhost:{server.server_port}/witness"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _is_signed(note: str, text: str, vkey: str) -> bool:
    name, key_id, typed = vkey.split("+", 2)
    for line in note[len(text) + 1 :].splitlines():
        dash, signer, encoded = line.split(" ")
        data = base64.b64decode(encoded)
        if (dash, signer, data[:4].hex()) == ("—", name, key_id):
            try:
                Ed25519PublicKey.from_public_bytes(base64.b64decode(typed)[1:]).verify(data[4:], text.encode())
            except InvalidSignature:
                return False
            return True
    return False
