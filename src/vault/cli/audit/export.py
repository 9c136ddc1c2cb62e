"""A bundle for auditors: what of the log is wanted, and its files as they come, with how far it is."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vault.cli.audit.times import FORMS, When, WhenType, Zone

if TYPE_CHECKING:
    from pdvault_client import ExportPiece
    from vault.audit.bundle_manifest import Manifest

_MAX_INDEX = 2**63 - 1
_RECIPIENTS = ("age1", "ssh-")


class PlaceType(click.ParamType["When | int"]):
    """A time, or an index of the log."""

    name = "place"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "When | int":
        """The time or the index."""
        if isinstance(value, When | int):
            return value
        if value.isascii() and value.isdigit():
            if int(value) > _MAX_INDEX:
                self.fail("is no index of a log", param, ctx)
            return int(value)
        try:
            return WhenType().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"must be an index of the log, or a time: {FORMS}", param, ctx)


@dataclass(frozen=True)
class Range:
    """From where to where, as it was typed."""

    start: When | int | None
    end: When | int | None

    def options(self, zone: Zone) -> dict[str, Any]:
        """The same for ``AuditClient.export``.

        Raises:
            UsageError: one is a time, the other an index; or they are in the wrong order.
        """
        if {type(self.start), type(self.end)} == {When, int}:
            raise click.UsageError("--from and --to must both be times, or both indexes")
        now = datetime.now(UTC)
        if isinstance(self.start, When) or isinstance(self.end, When):
            chosen: dict[str, Any] = {
                "start_time": self.start.begin(zone, now) if isinstance(self.start, When) else None,
                "end_time": self.end.end(zone, now) if isinstance(self.end, When) else None,
            }
        else:
            chosen = {"start_index": self.start or 0, "end_index": self.end or 0}
        first, last = chosen.values()
        if first and last and first >= last:
            raise click.UsageError("--from must be before --to")
        return chosen


def recipients(given: Iterable[str]) -> list[str]:
    """Age recipients and SSH public keys: those given, and those in files.

    Raises:
        ClickException: a file holds none.
        OSError: a file can't be read.
    """
    found: list[str] = []
    for text in given:
        if text.startswith(_RECIPIENTS):
            found.append(text)
            continue
        lines = [line.strip() for line in Path(text).read_text("utf-8", "replace").splitlines()]
        kept = [line for line in lines if line and not line.startswith("#")]
        if not kept or not all(line.startswith(_RECIPIENTS) for line in kept):
            raise click.ClickException(f"{text} must hold recipients alone, one a line: age1..., ssh-ed25519 ... or ssh-rsa ...")
        found.extend(kept)
    return found


class Watched:
    """The pieces of an export on their way into a file, with a progress bar on stderr; keeps the manifest."""

    manifest: "Manifest"
    """What the bundle says about itself; there once all pieces have come."""

    def __init__(self, pieces: Iterable["ExportPiece"]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Path and data of each piece.

        Raises:
            ClickException: at the end, if there was no manifest that can be read.
        """
        from rich.console import Console
        from rich.progress import Progress

        from vault.audit.bundle import MANIFEST
        from vault.audit.bundle_manifest import parse_manifest
        from vault.audit.verify_errors import WrongError

        manifest = bytearray()
        with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
            task = bar.add_task("Exporting", total=None)
            for piece in self._pieces:
                if piece.path == MANIFEST:
                    manifest += piece.data
                bar.update(task, completed=piece.entries_done, total=piece.entries_total)
                yield piece.path, piece.data
        try:
            self.manifest = parse_manifest(bytes(manifest))
        except WrongError as error:
            raise click.ClickException(f"the server sent no bundle: {error}") from None
