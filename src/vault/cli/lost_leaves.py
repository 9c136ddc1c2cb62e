"""What leaves said that a restore lost, as far as somebody exported them in time: what has to be done again."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click
import sqlalchemy as sa

from vault.audit.actions import ERASED
from vault.audit.bundle import Bundle
from vault.audit.details import Detail
from vault.audit.note import NoteError, verifier
from vault.audit.policy_file import policy_of
from vault.audit.remembered import Memory
from vault.audit.verify_errors import UncheckedError, WrongError
from vault.cli.audit.bundle_file import opened_bundle
from vault.cli.audit.verify import run_verification
from vault.cli.lost_acts import is_lost, is_told_by_items
from vault.cli.output import Fields, iso
from vault.server.node import Node
from vault.store import tables as t
from vault.v1.audit_pb2 import (
    CHANGE_CREATED,
    CHANGE_DELETED,
    CHANGE_UPDATED,
    DECISION_ALLOWED,
    DECISION_PARTIAL,
    AuditEvent,
    Change,
)

_UID_BYTES = 16
_DONE = (DECISION_ALLOWED, DECISION_PARTIAL)
_CHANGES = {CHANGE_DELETED: "deleted", CHANGE_UPDATED: "updated"}


class _Change(NamedTuple):
    """A token that was deleted, or of which the value was replaced."""

    entry: int
    event: AuditEvent
    data_class: str
    change: Change
    token_uid: bytes


class LostLeaves:
    """What a bundle of the log under its old name says from the first lost leaf on. Used once.

    Attributes:
        created: how many tokens were made, all of which are unknown now.
    """

    def __init__(self, start: int) -> None:
        """Begin; ``start`` is the index of the first lost leaf."""
        self.created = 0
        self._start = start
        self._found: list[_Change | tuple[int, AuditEvent]] = []
        self._erased: set[str] = set()

    def read(self, node: Node, path: Path, identities: Sequence[Path]) -> None:
        """Verify the bundle with the log's key as the restored vault's KMS has it.

        Raises:
            ClickException: it is not good, or of a log that the KMS does not know.
            VaultError: of the KMS.
            OSError: a file can't be read.
        """
        try:
            with opened_bundle(path, identities) as file, TemporaryDirectory() as folder:
                bundle = Bundle(file)
                self._tenant_uid = bundle.manifest.tenant_uid
                key = verifier(bundle.manifest.origin, node.key_manager.log_public_key(self._tenant_uid))
                run_verification(bundle, policy_of([key], [], 0), Memory(Path(folder)), older=False, observe=self._observe)
        except (WrongError, UncheckedError, NoteError) as error:
            raise click.ClickException(f"{path}: {error}") from None

    def rows(self, node: Node) -> Iterator[Fields]:
        """What to do again, in the order of the log: tokens by their text, if the restored vault has them."""
        texts = self._texts(node)
        for found in self._found:
            if isinstance(found, _Change):
                about = {"class": found.data_class, "token": texts.get(found.token_uid), "subject_uids": None}
                yield {**_who(found.entry, found.event), "what": _CHANGES[found.change], **about, "details": None}
            elif found[1].details.get(Detail.ERASURE) not in self._erased:
                details = ", ".join(f"{name}: {value}" for name, value in sorted(found[1].details.items()))
                about = {"class": None, "token": None}
                named = {"subject_uids": _subjects(found[1]), "details": details}
                yield {**_who(*found), "what": found[1].action, **about, **named}

    def _observe(self, first: int, leaves: Sequence[bytes], _hashes: Sequence[bytes]) -> None:
        for index, leaf in enumerate(leaves, first):
            if index >= self._start:
                self._note(index, AuditEvent.FromString(leaf))

    def _note(self, index: int, event: AuditEvent) -> None:
        if event.decision not in _DONE:
            return
        if event.action == ERASED:  # the KMS remembers them
            self._erased.add(event.details[Detail.ERASURE])
        if is_lost(event):
            self._found.append((index, event))
        for touched in event.touched if is_told_by_items(event) else ():
            uids = _uids(touched.token_uids)
            if touched.change == CHANGE_CREATED and not touched.reason:
                self.created += len(uids)
            elif touched.change in _CHANGES and not touched.reason:
                self._found += [_Change(index, event, touched.data_class, touched.change, uid) for uid in uids]

    def _texts(self, node: Node) -> dict[bytes, str]:
        wanted = [found.token_uid for found in self._found if isinstance(found, _Change)]
        c, texts = t.token.c, dict[bytes, str]()
        with node.engine.connect() as connection:
            for start in range(0, len(wanted), 500):
                own = (c.tenant_uid == self._tenant_uid) & c.uid.in_(wanted[start : start + 500])
                texts |= {uid: text for uid, text in connection.execute(sa.select(c.uid, c.text).where(own))}
        return texts


def _subjects(event: AuditEvent) -> list[str]:
    """Whom an act was about, as `pdvault subject list` names them."""
    return sorted({uid.hex() for touched in event.touched for uid in _uids(touched.subject_uids)})


def _uids(joined: bytes) -> list[bytes]:
    return [joined[at : at + _UID_BYTES] for at in range(0, len(joined), _UID_BYTES)]


def _who(index: int, event: AuditEvent) -> Fields:
    time = iso(datetime.fromtimestamp(event.time_us / 1e6, UTC))
    return {"index": index, "time": time, "principal": event.principal}
