"""What an auditor does at the demo's end: hear one person's history, take the log home, check it without the vault."""

import time
import zipfile
from contextlib import closing
from datetime import UTC
from pathlib import Path

from deploy.demo.calls import Callers, UnexpectedError
from deploy.demo.people import Person
from deploy.demo.story import Story
from pdvault_client import AuditClient
from vault.audit.bundle import Bundle
from vault.audit.note import encode_base64
from vault.audit.policy_file import policy_of
from vault.audit.remembered import Memory
from vault.audit.tiles import TILE_WIDTH, entries_path
from vault.audit.verify import Report, verify
from vault.audit.verify_errors import WrongError
from vault.cli.audit.bundle_file import write_bundle
from vault.cli.audit.story import tell
from vault.cli.audit.times import Zone

BUNDLE, STATE = "bundle.zip", "auditor"
_LAST = "TOKEN_USED_UP"
"""How the last call that is of interest ended."""


def hear(story: Story, callers: Callers, person: Person) -> None:
    """Tell one person's history, as soon as the last of it is in the log."""
    with callers.auditor() as auditor:
        with auditor.tail(start_index=0) as events:
            next(event for event in events if event.reason == _LAST)
        page = auditor.timeline_page(subject_id=person.subject_id, page_size=1000)
    story.note(f"pdvault audit timeline --subject-id {person.subject_id}")
    for text, style in tell(page.events, page.subject_uid, Zone(UTC, "UTC"), story.width):
        story.note(text, style)


def take_home(story: Story, callers: Callers, folder: Path) -> None:
    """Export the log and verify the bundle, then one of which a byte was changed."""
    path = folder / BUNDLE
    with callers.auditor() as auditor:
        _export(auditor, path)
    story.note(f"pdvault audit export -o {BUNDLE}; pdvault audit verify {BUNDLE}")
    report = _verified(path, folder)
    checkpoint = report.signed.checkpoint
    story.note(f"OK {checkpoint.origin} {checkpoint.size} {encode_base64(checkpoint.root)}", "green")
    story.note(f"{report.entries:,} entries of {report.boots.boots} boots, each where it was written, all under one signature.")
    forged = _with_a_changed_byte(path, folder / f"forged-{BUNDLE}", checkpoint.size)
    try:
        _verified(forged, folder)
    except WrongError as error:
        story.note("Somebody changes one byte of it:")
        story.note(f"BAD {error}", "yellow")
    else:
        raise UnexpectedError("a changed bundle was found good")
    forged.unlink()


def _export(auditor: AuditClient, path: Path) -> None:
    with closing(auditor.export()) as pieces:
        write_bundle(path, ((piece.path, piece.data) for piece in pieces))


def _verified(path: Path, folder: Path) -> Report:
    with path.open("rb") as file:
        steps = verify(Bundle(file), policy_of([], [], 0), Memory(folder / STATE), time.time_ns() // 1000)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                report: Report = end.value
                return report


def _with_a_changed_byte(path: Path, copy: Path, size: int) -> Path:
    """A copy of the bundle in which somebody changed a letter in the middle of the newest entries."""
    last = (size - 1) // TILE_WIDTH
    changed = entries_path(last, size - last * TILE_WIDTH)
    with zipfile.ZipFile(path) as bundle, zipfile.ZipFile(copy, "w") as forged:
        for name in bundle.namelist():
            data = bytearray(bundle.read(name))
            if name == changed:
                data[len(data) // 2] ^= 1
            forged.writestr(name, bytes(data))
    return copy
