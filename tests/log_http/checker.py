"""An auditor's own checker: downloads a log and verifies all of it with the standard library and Ed25519 only."""

import base64
import hashlib
import http.client
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tests.log_http import rfc6962

WIDTH = 256


@dataclass(frozen=True)
class Answer:
    """What the server answered."""

    status: int
    headers: dict[str, str]
    body: bytes


class Reader:
    """Somebody who reads logs over HTTPS, with a certificate or without."""

    def __init__(self, address: str, server_ca: bytes, certificate: bytes = b"", key: bytes = b"") -> None:
        self.address = address
        self.tls = ssl.create_default_context(cadata=server_ca.decode())
        if certificate:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "client.pem"
                file.touch(0o600)
                file.write_bytes(certificate + key)
                self.tls.load_cert_chain(file)
        self._connection = http.client.HTTPSConnection(address, context=self.tls, timeout=60)

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        """One request on a connection that is kept."""
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
        except (http.client.RemoteDisconnected, http.client.CannotSendRequest, ConnectionError):  # it was idle for too long
            self._connection.close()
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())

    def file(self, path: str) -> bytes:
        """A file that must be there."""
        answer = self.ask(path)
        assert answer.status == 200, (path, answer)
        return answer.body

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


@dataclass(frozen=True)
class Checked:
    """A log, all of it verified against its checkpoint."""

    size: int
    root: bytes
    entries: list[bytes]


def number(index: int) -> str:
    """A tile's index as C2SP tlog-tiles writes it."""
    groups = []
    while True:
        index, group = divmod(index, 1000)
        groups.insert(0, f"{group:03}")
        if not index:
            return "/".join(["x" + group for group in groups[:-1]] + groups[-1:])


def tile(level: int | str, index: int, width: int) -> str:
    """A tile's path."""
    return f"tile/{level}/{number(index)}" + ("" if width == WIDTH else f".p/{width}")


def open_note(note: str, name: str, public_key: bytes) -> str:
    """The text of a note, once its signature by this key is good (C2SP signed-note)."""
    at = note.rindex("\n\n")
    text, lines = note[: at + 1], note[at + 2 :].splitlines()
    key_id = hashlib.sha256(name.encode() + b"\n\x01" + public_key).digest()[:4]
    own = [line for line in lines if line.startswith(f"— {name} ") and base64.b64decode(line.split(" ")[2])[:4] == key_id]
    assert own, "not signed by the log"
    for line in own:
        Ed25519PublicKey.from_public_bytes(public_key).verify(base64.b64decode(line.split(" ")[2])[4:], text.encode())
    return text


def read_checkpoint(note: bytes, origin: str, public_key: bytes) -> tuple[int, bytes]:
    """Size and root of a signed checkpoint (C2SP tlog-checkpoint)."""
    first, size, root = open_note(note.decode(), origin, public_key).removesuffix("\n").split("\n")
    assert first == origin
    assert str(int(size)) == size
    return int(size), base64.b64decode(root, validate=True)


def check_log(reader: Reader, uid: bytes, origin: str, public_key: bytes) -> Checked:
    """Download a log's newest checkpoint, and all tiles and entries that it covers; verify each against the others."""
    prefix = f"/{uid.hex()}"
    size, root = read_checkpoint(reader.file(f"{prefix}/checkpoint"), origin, public_key)
    entries = []
    for index, width in tiles_of(size):
        entries += split_bundle(reader.file(f"{prefix}/{tile('entries', index, width)}"), width)
    below = [rfc6962.leaf_hash(entry) for entry in entries]
    assert rfc6962.root(below) == root
    level = 0
    while below:
        for index, width in tiles_of(len(below)):
            data = reader.file(f"{prefix}/{tile(level, index, width)}")
            assert data == b"".join(below[index * WIDTH : index * WIDTH + width])
        below = [rfc6962.root(below[at : at + WIDTH]) for at in range(0, len(below) // WIDTH * WIDTH, WIDTH)]
        level += 1
    return Checked(size, root, entries)


def tiles_of(size: int) -> list[tuple[int, int]]:
    """(index, width) of the tiles of one level with so many hashes."""
    full, partial = divmod(size, WIDTH)
    return [(index, WIDTH) for index in range(full)] + ([(full, partial)] if partial else [])


def split_bundle(data: bytes, count: int) -> list[bytes]:
    """The entries of a bundle."""
    entries = []
    while data:
        length = int.from_bytes(data[:2], "big")
        assert len(data) >= 2 + length
        entries.append(data[2 : 2 + length])
        data = data[2 + length :]
    assert len(entries) == count
    return entries
