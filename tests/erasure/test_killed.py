"""Processes that are killed at any statement while they erase: nothing of it is half there, and it is finished.

Ten rounds; ``PDVAULT_TORTURE_ROUNDS`` says how many there are to be instead.
"""

import os
import re
import secrets
import signal
import subprocess
import sys
import uuid
from pathlib import Path

from tests.erasure.test_erase import stored, uid_of
from tests.erasure.test_receipt import log_key
from tests.erasure.working import Working, erase, statement_of, working
from tests.harness import Vault
from tests.use_cases.requests import new_subject, reveal

from vault.audit.policy_file import policy_of
from vault.audit.receipt import verify_receipt
from vault.audit.remembered import Memory
from vault.store import tables as t
from vault.v1.audit_pb2 import DECISION_ALLOWED, AuditEvent

ROUNDS = int(os.environ.get("PDVAULT_TORTURE_ROUNDS", "10")) // 2


class Victims:
    """Processes that erase, each until a point."""

    def __init__(self, vault: Vault) -> None:
        command = [sys.executable, "-m", "tests.erasure.victim", str(vault.folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> "Victims":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=120)

    def run(self, subject_id: str, request_id: str, point: int) -> tuple[int, int]:
        """By which signal one ended, and how many points it has passed if it came to its end."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{subject_id} {request_id} {point}\n")
        self._process.stdin.flush()
        while said := self._process.stdout.readline():  # the vault's own words go there too
            if re.fullmatch(r"\d+ \d+\n", said):
                signal_number, passed = map(int, said.split())
                return signal_number, passed
        raise AssertionError("the victims' process has ended")


def test_whatever_statement_was_the_last_who_is_to_be_erased_is(vault: Vault, tmp_path: Path) -> None:
    first, kept, others = new_subject(), new_subject(), [new_subject() for _ in range(ROUNDS)]
    with working(vault) as at_work:
        stored(at_work, first)
        tokens = {subject_id: stored(at_work, subject_id) for subject_id in (kept, *others)}
    with Victims(vault) as victims:
        ended, points = victims.run(first, str(uuid.uuid4()), 0)
        assert (ended, points > 50) == (0, True)
        for subject_id in others:
            request_id, point = str(uuid.uuid4()), 1 + secrets.randbelow(points - 1)
            assert victims.run(subject_id, request_id, point) == (signal.SIGKILL, 0)
            with working(vault) as at_work:
                _check(at_work, subject_id, request_id, tokens[subject_id], tmp_path, f"point {point} of {points}")
                assert len(at_work.ask(reveal(*tokens[kept]), "all").results) == len(tokens[kept])


def _check(at_work: Working, subject_id: str, request_id: str, tokens: list[str], state: Path, which: str) -> None:
    """What must hold after a kill, and once another node has looked after it."""
    begun = [row for row in at_work.inside.rows(t.erasure) if row.request_id == uuid.UUID(request_id).bytes]
    if not begun:
        assert len(at_work.ask(reveal(*tokens), "all").results) == len(tokens), which
    elif begun[0].state == "BEGUN":
        assert at_work.refused(reveal(*tokens), "all").reason_name == "SUBJECT_RESTRICTED", which
        uid = uid_of(at_work, tokens[0])
        at_work.resume()
        assert at_work.left(uid) == {}, which
    request = erase(subject_id)
    request.context.request_id = request_id
    receipt = at_work.ask(request).receipt
    said = statement_of(receipt)
    assert at_work.refused(reveal(*tokens), "all").reason_name == "TOKEN_NOT_FOUND", which
    found = at_work.verify(said.erasure_uid)
    assert (found.clean, found.anchored) == (True, True), which
    at_work.integrate()
    receipt.erased.CopyFrom(at_work.receipt(said.erasure_uid).erased)
    proven = verify_receipt(receipt, policy_of([log_key(at_work)], [], 0), Memory(state))
    assert proven.erased, which
    assert proven.is_named, which
    assert len(_done(at_work, said.erasure_uid)) == 1, which


def _done(at_work: Working, erasure_uid: bytes) -> list[AuditEvent]:
    """The leaves that say that an erasure is done."""
    tenant_uid = at_work.inside.tenant().uid
    events = [AuditEvent.FromString(row.leaf) for row in at_work.inside.rows(t.audit_entry, tenant_uid=tenant_uid)]
    return [
        event
        for event in events
        if (event.action, event.decision) == ("Erased", DECISION_ALLOWED) and event.details["erasure"] == erasure_uid.hex()
    ]
