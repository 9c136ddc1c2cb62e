"""A log's checkpoint as people and programs read it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vault.audit.note import encode_base64
from vault.cli.audit.times import Zone
from vault.cli.output import Fields

if TYPE_CHECKING:
    from pdvault_client import LogCheckpoint
    from vault.audit.verify_trust import Signed

SOURCES = {
    "given": "the key you gave",
    "remembered": "the key remembered of this log",
    "first use": "a key the server names: compare it once with what you were given by another way",
}
"""How a log's key is known, in words."""


def lines(found: "LogCheckpoint", signed: "Signed", zone: Zone) -> Iterator[str]:
    """What it says, whose it is and who has witnessed it, for people."""
    yield f"Log      {signed.checkpoint.origin}"
    yield f"Size     {signed.checkpoint.size:,}"
    yield f"Root     {encode_base64(signed.checkpoint.root)}"
    yield f"Signed   by {signed.log_key.vkey}, {SOURCES[signed.source]}"
    for witness in found.witnesses:
        when = f", {zone.here(witness.cosign_time):%a %d %b %Y %H:%M:%S}" if witness.cosign_time else ""
        said = f"cosigned size {witness.size:,}{when}" if witness.size else "has cosigned nothing"
        yield f"Witness  {witness.name} {said}" + (f"  {witness.problem}" if witness.problem else "")
    if not found.witnesses:
        yield "Witness  none: nobody else would notice if the log showed you another history than others"


def fields(found: "LogCheckpoint", signed: "Signed", zone: Zone) -> Fields:
    """The same for programs, with the signed note."""
    return {
        "origin": signed.checkpoint.origin,
        "size": signed.checkpoint.size,
        "root": encode_base64(signed.checkpoint.root),
        "log_key": signed.log_key.vkey,
        "key_is": signed.source,
        "checkpoint": found.checkpoint,
        "cosigned_checkpoint": found.cosigned_checkpoint,
        "witnesses": [
            {
                "name": witness.name,
                "size": witness.size,
                "time": zone.here(witness.cosign_time).isoformat() if witness.cosign_time else None,
                "problem": witness.problem,
            }
            for witness in found.witnesses
        ],
    }
