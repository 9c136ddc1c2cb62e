"""Whole logs for tests: real chains of leaves, signed checkpoints, and bundles as a server would export them."""

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vault.audit.actions import BOOT_ENDORSED, BOOT_STARTED
from vault.audit.bundle_manifest import Manifest
from vault.audit.chain import Chain, announcement
from vault.audit.checkpoint import Checkpoint
from vault.audit.cosignature import cosign
from vault.audit.events import Caller, Draft
from vault.audit.merkle import CompactRange, consistency_proof, leaf_hash, root
from vault.audit.note import COSIGNATURE, Note, Verifier, encode_base64, sign_note, verifier
from vault.audit.tiles import TILE_WIDTH, encode_bundle, entries_path, tile_path, tiles
from vault.v1 import audit_pb2, common_pb2

TENANT = b"\x11" * 16
NOW_US = 1_750_000_000_000_000
"""2025-06-15: when all tests verify."""
BEGIN_US = NOW_US - 3600 * 1_000_000
Files = dict[str, bytes]


def key_of(number: int) -> Ed25519PrivateKey:
    """A key that is the same in every run."""
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


@dataclass
class Log:
    """A log as its server has it."""

    tenant_uid: bytes = TENANT
    key: Ed25519PrivateKey = field(default_factory=lambda: key_of(1))
    leaves: list[bytes] = field(default_factory=list)
    time_us: int = BEGIN_US
    _levels: list[list[bytes]] = field(default_factory=lambda: [[]])
    _tail: CompactRange = field(default_factory=CompactRange)

    @property
    def origin(self) -> str:
        """Its name."""
        return f"pdvault.invalid/{self.tenant_uid.hex()}"

    @property
    def verifier(self) -> Verifier:
        """Its key, as auditors know it."""
        return verifier(self.origin, self.key.public_key().public_bytes_raw())

    def endorse(self, chain: Chain) -> dict[bytes, bytes]:
        """What the KMS says of a boot."""
        return {self.tenant_uid: self.key.sign(announcement(self.tenant_uid, chain.boot_id, chain.public_key))}

    def draft(self, action: str = "Reveal", decision: int = audit_pb2.DECISION_ALLOWED) -> Draft:
        """A call's event."""
        draft = Draft(
            Caller(self.tenant_uid, "spiffe://pdvault/acme/billing", b"", b"\x44" * 32),
            action,
            common_pb2.CallContext(purpose="payout", request_id="88888888-8888-4888-8888-888888888888"),
            decision,
            principal_uid=b"\x66" * 16,
            policy_sha256=b"\x55" * 32,
        )
        draft.touch("email", b"\x22" * 16, b"\x33" * 16, reason=0 if decision == audit_pb2.DECISION_ALLOWED else 43)
        return draft

    def commit(self, chain: Chain, drafts: Sequence[Draft], *, endorsed: bool = True) -> None:
        """A transaction of a boot's, integrated at once."""
        self.time_us += 1_000
        made = chain.extend(list(drafts), self.endorse(chain) if endorsed else {}, self.time_us)
        chain.settle(made)
        self.append(leaf.leaf for leaf in made.leaves)

    def end(self, chain: Chain) -> None:
        """A boot's clean end."""
        self.time_us += 1_000
        self.append(leaf.leaf for leaf in chain.finish(self.time_us).leaves)

    def append(self, leaves: Iterable[bytes]) -> None:
        """Add leaves to the tree."""
        new = list(leaves)
        hashes = [leaf_hash(leaf) for leaf in new]
        self.leaves += new
        self._levels[0] += hashes
        for level, _, hash_ in self._tail.extend(hashes):
            while len(self._levels) <= level:
                self._levels.append([])
            self._levels[level].append(hash_)

    def grow(self, size: int, *, boots: int = 3, group: int = 3, end_after: int = 50) -> "Log":
        """Let several boots write by turns until there are so many leaves, at least 2; some end cleanly before that."""
        if size == 2:
            self.commit(Chain("node-0"), [self.draft(decision=audit_pb2.DECISION_FAILED)], endorsed=False)
        chains = [Chain(f"node-{number}") for number in range(boots)]
        turn = 0
        while (left := size - len(self.leaves)) > 0:
            if left <= 2:  # too few for a boot to begin
                chains = [chain for chain in chains if chain.is_endorsed(self.tenant_uid)]
            chain = chains[turn % len(chains)]
            opening = 0 if chain.is_endorsed(self.tenant_uid) else 2
            self.commit(chain, [self.draft()] * min(group, left - opening))
            turn += 1
            if turn % end_after == 0 and size - len(self.leaves) > 3:
                self.end(chain)
                chains[chains.index(chain)] = Chain("node-again")
        assert len(self.leaves) == size
        return self

    def hashes(self, level: int, start: int, end: int) -> Sequence[bytes]:
        """The tree's hashes, as ``merkle.HashSource``."""
        return self._levels[level][start:end]

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        """The tree at a size."""
        size = len(self.leaves) if size is None else size
        return Checkpoint(self.origin, size, root(self.hashes, size))

    def note(self, size: int | None = None, witnesses: Sequence["Witness"] = ()) -> Note:
        """The signed checkpoint."""
        return cosigned(sign_note(self.checkpoint(size).text(), self.verifier, self.key.sign), witnesses)

    def bundle(
        self,
        start: int = 0,
        end: int | None = None,
        size: int | None = None,
        known_size: int = 0,
        witnesses: Sequence["Witness"] = (),
    ) -> Files:
        """The files of an export."""
        size = len(self.leaves) if size is None else size
        end = size if end is None else end
        manifest = Manifest(self.origin, self.tenant_uid, self.verifier.vkey, size, start, end, known_size)
        files = {"manifest.json": manifest.encode(), "checkpoint": self.note(size, witnesses).encode().encode()}
        if known_size:
            proof = consistency_proof(self.hashes, known_size, size)
            files["consistency"] = "".join(f"{encode_base64(hash_)}\n" for hash_ in proof).encode()
        wanted = self._bundles_needed(start, end, size)
        for level, index, width in tiles(size):
            if level or width < TILE_WIDTH or index in wanted:
                first = index * TILE_WIDTH
                files[tile_path(level, index, width)] = b"".join(self._levels[level][first : first + width])
        for index in sorted(wanted):
            entries = self.leaves[index * TILE_WIDTH : min((index + 1) * TILE_WIDTH, size)]
            files[entries_path(index, len(entries))] = encode_bundle(entries)
        return files

    def _bundles_needed(self, start: int, end: int, size: int) -> set[int]:
        """Those of the range, and those with beginning and endorsement of every boot in them."""
        wanted = set(range(start // TILE_WIDTH, -(-end // TILE_WIDTH))) if end > start else set()
        if (start, end) == (0, size):
            return wanted
        events = [audit_pb2.AuditEvent.FromString(leaf) for leaf in self.leaves[:size]]
        boots = {event.boot_id for index, event in enumerate(events) if index // TILE_WIDTH in wanted}
        return wanted | {
            index // TILE_WIDTH
            for index, event in enumerate(events)
            if event.boot_id in boots and event.action in (BOOT_STARTED, BOOT_ENDORSED)
        }


@dataclass(frozen=True)
class Witness:
    """Somebody who cosigns."""

    name: str
    key: Ed25519PrivateKey

    @property
    def verifier(self) -> Verifier:
        """Its key, as auditors know it."""
        return verifier(self.name, self.key.public_key().public_bytes_raw(), COSIGNATURE)


def cosigned(note: Note, witnesses: Sequence[Witness]) -> Note:
    """The note with cosignatures."""
    lines = [cosign(note.text, witness.verifier, witness.key.sign, NOW_US // 1_000_000) for witness in witnesses]
    return Note(note.text, (*note.signatures, *lines))


@lru_cache
def grown(size: int) -> Log:
    """A log of so many leaves that no test changes."""
    return Log().grow(size)


@lru_cache
def vast() -> Log:
    """A log of 70,000 leaves, so beyond the second level of tiles, that no test changes."""
    return Log().grow(70_000, group=300, end_after=40)


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """The files in an archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def write(path: Path, files: Mapping[str, bytes]) -> Path:
    """The bundle as a file."""
    path.write_bytes(zipped(files))
    return path
