"""The manifest of a bundle: which log it is of, and which of its entries it holds (docs/formats-log.md).

Nobody has signed it. A reader takes from it what to look for, and believes only what the checkpoint confirms.
"""

import json
from typing import Any, NamedTuple

from vault.audit.verify_errors import WrongError

FORMAT = "pdvault-audit-bundle/1"

_MAX_SIZE = 2**63 - 1
_UID_DIGITS = 32


class Manifest(NamedTuple):
    """What a bundle says about itself.

    Args:
        origin: of the log.
        tenant_uid: 16 bytes.
        log_key: the log's verifier key (C2SP signed-note), for those who know it by no better way.
        size: of the tree that the bundle's checkpoint is about.
        start_index: the first entry that was asked for.
        end_index: one beyond the last.
        known_size: of the smaller tree that the file ``consistency`` begins with; 0 without that file.
    """

    origin: str
    tenant_uid: bytes
    log_key: str
    size: int
    start_index: int
    end_index: int
    known_size: int = 0

    def encode(self) -> bytes:
        """The file: one line of JSON without spaces, its members in this order, then a newline."""
        members = {"format": FORMAT, **self._asdict(), "tenant_uid": self.tenant_uid.hex()}
        return json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest. Only the one spelling that ``encode`` writes is accepted.

    Raises:
        WrongError: it is anything else, or its numbers contradict each other.
    """
    try:
        members = json.loads(data)
        manifest = _manifest(members)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise WrongError(f"manifest.json is not a manifest of format {FORMAT}") from None
    if manifest.encode() != data:
        raise WrongError("manifest.json is not written as the format says: members missing, added or in another order")
    if not 0 <= manifest.start_index <= manifest.end_index <= manifest.size:
        raise WrongError(
            f"manifest.json: entries {manifest.start_index} to {manifest.end_index} are no range of a log of {manifest.size}"
        )
    if not 0 <= manifest.known_size <= manifest.size:
        raise WrongError(f"manifest.json: a log of {manifest.size} can't begin with one of {manifest.known_size}")
    return manifest


def _manifest(members: Any) -> Manifest:
    if members["format"] != FORMAT or len(members["tenant_uid"]) != _UID_DIGITS:
        raise ValueError
    numbers = [members[name] for name in ("size", "start_index", "end_index", "known_size")]
    if any(type(number) is not int or not 0 <= number <= _MAX_SIZE for number in numbers):
        raise ValueError
    if not isinstance(members["origin"], str) or not isinstance(members["log_key"], str):
        raise TypeError
    return Manifest(members["origin"], bytes.fromhex(members["tenant_uid"]), members["log_key"], *numbers)
