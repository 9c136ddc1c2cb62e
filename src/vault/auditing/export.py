"""Export: the files of a bundle (docs/formats-log.md), one after the other, in constant memory, each hash held against the root."""

from collections.abc import Iterator
from typing import Final

from vault.admission import Admitted
from vault.audit.bundle_manifest import Manifest
from vault.audit.merkle import leaf_hash
from vault.audit.note import encode_base64
from vault.audit.tiles import TILE_WIDTH, bundles, encode_bundle, entries_path, tile_path, tiles, width_of
from vault.auditing.export_boots import SeenBoots
from vault.auditing.export_range import range_of
from vault.auditing.filter import bounds, invalid
from vault.auditing.log import AuditLog, Snapshots
from vault.auditing.proofs import consistency_hashes, out_of_range
from vault.auditing.tree import CheckedTree
from vault.kms.tenant_keys import TenantKeys
from vault.store.log.queries import altered
from vault.store.reads import Reads
from vault.v1 import audit_service_pb2 as v1

ACTION = "Export"
PIECE: Final = 1024 * 1024
"""Bytes of a file in one message."""


class Export:
    """One Export request."""

    def __init__(self, request: v1.ExportRequest) -> None:
        by_time = request.HasField("start_time") or request.HasField("end_time")
        if by_time and (request.start_index or request.end_index):
            raise invalid("start_time", "must not be given together with indexes: both say which entries are wanted")
        if request.end_index and request.end_index <= request.start_index:
            raise invalid("end_index", "must be larger than start_index")
        bounds(request, "")
        self._request = request

    def reads(self, _keys: TenantKeys) -> Reads:
        """Nothing."""
        return Reads()

    def decide(self, admitted: Admitted) -> v1.ExportRequest:
        """The request, as it is."""
        request, details = self._request, admitted.draft.details
        for name in ("start_time", "end_time"):
            if request.HasField(name):
                details[name] = getattr(request, name).ToJsonString()
        for name in ("start_index", "end_index", "known_size"):
            if getattr(request, name):
                details[name] = str(getattr(request, name))
        admitted.permit(ACTION, "")
        return request


class Sending:
    """The files of one bundle, as messages."""

    def __init__(self, request: v1.ExportRequest, at: Snapshots) -> None:
        self._request = request
        self._at = at
        self._done = self._total = 0

    def messages(self) -> Iterator[v1.ExportResponse]:
        """All of them, in order.

        Raises:
            VaultError: LOG_RANGE; INTEGRITY, if an entry, a hash or a boot is not as the published root has it.
        """
        log, request = self._at.log, self._request
        tree, wanted = CheckedTree(log.published), range_of(log, request)
        numbers, boots = bundles(*wanted), SeenBoots()
        self._total = sum(width_of(0, number, tree.size) for number in numbers)
        manifest = Manifest(
            log.head.origin, log.head.tenant_uid, log.key.vkey, tree.size, wanted.start, wanted.end, request.known_size
        )
        checkpoint = log.published.cosigned(log.queries.cosignatures(), log.witnesses)
        consistency = self._consistency(log)
        yield from self._file("manifest.json", manifest.encode())
        yield from self._file("checkpoint", checkpoint.encode())
        if request.known_size:
            yield from self._file("consistency", consistency)
        yield from self._hash_tiles(tree)
        for number in numbers:
            yield from self._bundle(tree, number, boots)
        beside = boots.beginnings(self._at, tree.size, numbers)
        self._total += sum(width_of(0, number, tree.size) for number in beside)
        for number in beside:
            yield from self._bundle(tree, number, boots)
        boots.check(tree.size)

    def _consistency(self, log: AuditLog) -> bytes:
        known = self._request.known_size
        if known > log.published.size:
            raise out_of_range(f"no log of {known} entries that it could begin with", log)
        hashes = consistency_hashes(log, known, log.published.size) if known else []
        return "".join(f"{encode_base64(each)}\n" for each in hashes).encode()

    def _hash_tiles(self, tree: CheckedTree) -> Iterator[v1.ExportResponse]:
        """All tiles of level 1 and above, and the last one of level 0 where it is partial."""
        if tree.size % TILE_WIDTH:
            yield from self._tile(tree, 0, tree.size // TILE_WIDTH)
        for level, number, _ in tiles(tree.size, 1):
            yield from self._tile(tree, level, number)

    def _bundle(self, tree: CheckedTree, number: int, boots: SeenBoots) -> Iterator[v1.ExportResponse]:
        """The entries of a tile of level 0, and the tile, if it is full."""
        log, start, width = self._at.log, number * TILE_WIDTH, width_of(0, number, tree.size)
        log.check_deadline()
        hashes, entries = tree.tile(log, 0, number), log.queries.entries(start, start + width)
        for row, expected in zip(entries, hashes, strict=True):
            if not leaf_hash(row.leaf) == row.leaf_hash == expected:
                raise altered("audit_entry", f"entry {row.leaf_index}")
            boots.see(row)
        data = encode_bundle([row.leaf for row in entries])
        if width == TILE_WIDTH:
            yield from self._tile(tree, 0, number)
        self._done += width
        yield from self._file(entries_path(number, width), data)

    def _tile(self, tree: CheckedTree, level: int, number: int) -> Iterator[v1.ExportResponse]:
        hashes = tree.tile(self._at.log, level, number)
        yield from self._file(tile_path(level, number, len(hashes)), b"".join(hashes))

    def _file(self, path: str, data: bytes) -> Iterator[v1.ExportResponse]:
        """A file in pieces; an empty one is one empty piece."""
        for begin in range(0, max(1, len(data)), PIECE):
            yield v1.ExportResponse(path=path, data=data[begin : begin + PIECE], entries_done=self._done, entries_total=self._total)
