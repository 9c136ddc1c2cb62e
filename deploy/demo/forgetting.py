"""What happens to somebody who asks to be forgotten, and to the keys that old copies of the database lie under."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from deploy.demo.auditing import STATE
from deploy.demo.calls import Callers, UnexpectedError
from deploy.demo.people import Person
from deploy.demo.story import Story
from pdvault_client import Operation, VaultError
from vault.audit import receipt_file
from vault.audit.policy_file import policy_of
from vault.audit.receipt import verify_receipt
from vault.audit.remembered import Memory
from vault.cli import receipt_words

RECEIPT = "receipt.json"
_PATIENCE_S = 60.0
_LOOK_S = 0.2

Found = TypeVar("Found")


def forget(story: Story, callers: Callers, person: Person, folder: Path) -> None:
    """Erase somebody, and check the receipt without the vault."""
    with callers.subjects() as officer, callers.client("support") as support:
        tokens = [item.token for item in support.search_by_subject(person.subject_id)]
        began = time.monotonic()
        receipt = officer.erase(person.subject_id, ground="withdrawal")
        story.note(f"{person.subject_id} asks to be forgotten: {receipt.tokens} values, gone in {time.monotonic() - began:.2f} s.")
        story.note("support asks for them once more:")
        try:
            support.reveal(tokens)
        except VaultError as refusal:
            story.note(f"  {refusal}", "yellow")
        else:
            raise UnexpectedError("somebody who was erased could be read")
        whole = _awaited(lambda: officer.erasure_receipt(receipt.erasure_uid, own=receipt.text), lambda found: found.is_proven)
    (folder / RECEIPT).write_text(whole.text)
    story.note(f"pdvault erasure verify {RECEIPT}")
    found = verify_receipt(receipt_file.decode(whole.text.encode()), policy_of([], [], 0), Memory(folder / STATE))
    for line in receipt_words.proven(found):
        story.note(line, "green" if line.startswith("proven") else "")


def rotate(story: Story, callers: Callers) -> None:
    """New keys for everybody who is left, while the vault serves."""
    with callers.keys() as officer, callers.operations() as operations:
        name = officer.rotate().name
        with story.progress("rows moved to new keys", 0) as bar:

            def look() -> Operation:
                operation = operations.get(name)
                bar.update(bar.task_ids[0], total=operation.total, completed=operation.done)
                return operation

            operation = _awaited(look, lambda seen: seen.is_ended)
    if operation.attestation is None or any(operation.attestation.left.values()):
        raise UnexpectedError(f"the rotation ended as {operation.state}")
    said = operation.attestation
    epochs, indexes = (", ".join(map(str, kept)) for kept in (said.retired_epochs, said.retired_index_keys))
    story.note(
        f"The log says: nothing is left under epoch {epochs} or index key {indexes}. KEK version {said.kek_version} wraps.", "green"
    )
    story.note("Once two people have destroyed the version before it, no backup of any age brings the erased back (docs/keys.md).")


def _awaited(look: Callable[[], Found], is_there: Callable[[Found], bool]) -> Found:
    """What there is to see, once it is as it must become. However many people there are: it only has to go on.

    Raises:
        UnexpectedError: it stands still.
    """
    seen = look()
    deadline = time.monotonic() + _PATIENCE_S
    while not is_there(seen):
        if time.monotonic() > deadline:
            raise UnexpectedError(f"what must come did not come: nothing has moved for {_PATIENCE_S:.0f} s")
        time.sleep(_LOOK_S)  # the vault tells nobody when a proof is there or work has ended: it is asked
        before, seen = seen, look()
        if seen != before:
            deadline = time.monotonic() + _PATIENCE_S
    return seen
