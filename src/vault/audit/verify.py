"""The whole verification of a bundle, without any part of the server: what an auditor runs.

In this order, and the first thing that is wrong ends it:

1. the bundle is complete and holds nothing else (``bundle``);
2. the checkpoint is signed by the log's key and cosigned as asked for, and is neither older than nor another one than those seen
   before (``verify_trust``);
3. the tiles have the checkpoint's root, and every full tile is what the level above says (``verify_tree``);
4. the tree begins with the tree seen last; it is remembered, whatever its entries are, since the log can't take it back
   (but a key that was only believed is not, until all is found good);
5. every entry is what was hashed, is an event of this log (``verify_leaves``), and stands in its boot's chain (``boots``);
6. the chains end as they must.
"""

from collections.abc import Callable, Generator, Sequence
from typing import NamedTuple

from vault.audit.boots import Boots, ChainCounts
from vault.audit.bundle import Bundle
from vault.audit.checkpoint import Checkpoint
from vault.audit.continuing import parse_name
from vault.audit.note import NoteError
from vault.audit.policy_file import Policy
from vault.audit.remembered import Memory, Remembered
from vault.audit.tiles import TILE_WIDTH, bundles
from vault.audit.verify_errors import UncheckedError, WrongError
from vault.audit.verify_leaves import check_leaves
from vault.audit.verify_tree import Tree, split
from vault.audit.verify_trust import FIRST_USE, Signed, check_newest, check_no_fork, check_seen, open_signed

Observer = Callable[[int, Sequence[bytes], Sequence[bytes]], None]
"""(index of the first, leaves, leaf hashes) of consecutive entries that were found good."""


class Report(NamedTuple):
    """What was found good.

    Args:
        signed: the checkpoint, its signers.
        start: the first index of the range whose entries were checked.
        end: one beyond the last.
        entries: how many entries were checked, also those beside the range that chains begin with.
        boots: how the chains stand.
        chains: the chains themselves, to be followed further.
        seen_size: of the newest checkpoint seen before, with which this one is consistent; None if there was none.
    """

    signed: Signed
    start: int
    end: int
    entries: int
    boots: ChainCounts
    chains: Boots
    seen_size: int | None


def verify(
    bundle: Bundle, policy: Policy, memory: Memory, now_us: int, *, older: bool = False, observe: Observer | None = None
) -> Generator[int, None, Report]:
    """Verify a bundle. Yields how many entries have been checked, again and again.

    Args:
        bundle: complete, and believed no further.
        policy: keys given, witnesses known, quorum asked for.
        memory: checkpoints seen before; this one is added, see above.
        now_us: the time, in microseconds since 1970.
        older: accept a checkpoint older than the newest, if it was verified here before.
        observe: is given every entry that was found good, in order.

    Raises:
        WrongError: something is wrong; the message names the first such thing.
        UncheckedError: it can't be checked.
        OSError: the memory can't be read or written.
    """
    manifest = bundle.manifest
    known = memory.recall(manifest.origin)
    signed = open_signed(bundle.checkpoint(), policy, known, manifest.log_key)
    checkpoint = signed.checkpoint
    _check_manifest(bundle, signed)
    _check_goes_on(bundle, signed, memory)
    check_no_fork(checkpoint, known)
    (check_seen if older else check_newest)(checkpoint, known)
    tree = Tree(bundle)
    tree.check_root(checkpoint)
    for _ in tree.check_upper_tiles():
        yield 0
    for index in bundle.lone_tiles():
        tree.check_tile(0, index, split(tree.tile(0, index)))
        yield 0
    _check_consistency(tree, checkpoint, known)
    if signed.source != FIRST_USE:
        memory.keep(signed.log_key, signed.note.encode(), checkpoint)
    boots = Boots(manifest.tenant_uid, signed.log_key, *_whole_bundles(manifest.start_index, manifest.end_index))
    entries = 0
    for index in bundle.bundle_indexes():
        first, leaves = index * TILE_WIDTH, bundle.entries(index)
        hashes = tree.check_entries(index, leaves)
        boots.follow(first, leaves, hashes, check_leaves(first, leaves, manifest.tenant_uid, now_us))
        if observe:
            observe(first, leaves, hashes)
        entries += len(leaves)
        yield entries
    census = boots.finish(manifest.size)
    memory.keep(signed.log_key, signed.note.encode(), checkpoint)
    seen_size = known.checkpoint.size if known else None
    return Report(signed, manifest.start_index, manifest.end_index, entries, census, boots, seen_size)


def _check_manifest(bundle: Bundle, signed: Signed) -> None:
    """Hold the manifest against the signed checkpoint."""
    manifest, checkpoint = bundle.manifest, signed.checkpoint
    if manifest.origin != checkpoint.origin:
        raise WrongError(f"manifest.json is of the log {manifest.origin!a}, the checkpoint of {checkpoint.origin!a}")
    if manifest.size != checkpoint.size:
        raise WrongError(f"manifest.json says size {manifest.size}, the checkpoint {checkpoint.size}")
    if manifest.log_key != signed.log_key.vkey:
        raise WrongError(f"manifest.json names the log's key {manifest.log_key!a}, but it is {signed.log_key.vkey}")
    try:
        parse_name(manifest.origin, manifest.tenant_uid)
    except NoteError:
        tenant = manifest.tenant_uid.hex()
        raise WrongError(f"manifest.json names tenant {tenant}, which is not that of {manifest.origin!a}") from None


def _check_goes_on(bundle: Bundle, signed: Signed, memory: Memory) -> None:
    """Refuse a log that says it goes on after a restore, with another key than it was seen to have under an earlier name."""
    name = parse_name(bundle.manifest.origin, bundle.manifest.tenant_uid)
    for number in range(name.number):
        earlier = str(name._replace(number=number))
        known = memory.recall(earlier)
        if known and known.log_key.public_key != signed.log_key.public_key:
            raise WrongError(
                f"the checkpoint is signed by {signed.log_key.vkey}, but those of {earlier!a}, which this log goes on from, "
                f"by {known.log_key.vkey}: a log keeps its key after a restore, so this is another one"
            )


def _check_consistency(tree: Tree, checkpoint: Checkpoint, known: Remembered | None) -> None:
    tree.check_own_proof()
    if known is None or checkpoint.size <= known.checkpoint.size:
        return
    size = known.checkpoint.size
    if not tree.check_begins_with(size, known.checkpoint.root):
        raise UncheckedError(
            f"whether this log begins with the {size} entries seen before can't be told from this bundle: "
            f"export it again with known size {size}"
        )


def _whole_bundles(start: int, end: int) -> tuple[int, int]:
    """The range, widened to whole entry bundles: chains are checked wherever entries of the range's bundles are."""
    whole = bundles(start, end)
    return whole.start * TILE_WIDTH, whole.stop * TILE_WIDTH if whole else start
