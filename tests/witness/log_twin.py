"""A log as a witness sees one: signed checkpoints and proofs, honest or forked."""

import base64
import hashlib
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vault.audit import merkle
from vault.audit import note as notes
from vault.audit.checkpoint import Checkpoint


class LogTwin:
    """A log of up to 200 entries; ``branch`` names another history that begins at ``fork_at``."""

    def __init__(self, origin: str, key: Ed25519PrivateKey | None = None, *, branch: str = "", fork_at: int = 0) -> None:
        self.origin = origin
        self.key = key or Ed25519PrivateKey.generate()
        self.verifier = notes.verifier(origin, self.key.public_key().public_bytes_raw())
        self.origin_hash = hashlib.sha256(origin.encode()).hexdigest()
        self._leaves = [merkle.leaf_hash(f"{branch if number >= fork_at else ''} entry {number}".encode()) for number in range(200)]

    def source(self, level: int, start: int, end: int) -> list[bytes]:
        """The log's hashes."""
        assert level == 0
        return self._leaves[start:end]

    def root(self, size: int) -> bytes:
        """The root at a size."""
        return merkle.root(self.source, size)

    def checkpoint(self, size: int) -> str:
        """The signed note of a size."""
        return self.sign(Checkpoint(self.origin, size, self.root(size)).text())

    def sign(self, text: str) -> str:
        """Any text signed by the log."""
        return notes.sign_note(text, self.verifier, self.key.sign).encode()

    def proof(self, old: int, size: int) -> list[bytes]:
        """From one size to another; empty from 0."""
        return merkle.consistency_proof(self.source, old, size) if old else []

    def submission(self, old: int, size: int) -> bytes:
        """What an honest log posts."""
        return body(old, self.proof(old, size), self.checkpoint(size))


def body(old: int | str, proof: Sequence[bytes], checkpoint: str) -> bytes:
    """A request to add-checkpoint."""
    lines = [f"old {old}", *(base64.b64encode(hash_).decode() for hash_ in proof), ""]
    return ("\n".join(lines) + "\n" + checkpoint).encode()
