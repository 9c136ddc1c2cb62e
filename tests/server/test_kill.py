"""A server that is killed at any moment, again and again: what was answered stays, what was not is done once or not at all."""

import hashlib
import secrets
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import grpc
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tests.harness import Caller, Server, Vault, reveal_request, tokenize_request
from tests.server.ledger import all_leaves

from vault.audit.chain import announcement
from vault.audit.merkle import leaf_hash
from vault.kms.key_manager import KeyManager
from vault.store import tables as t
from vault.v1 import audit_pb2
from vault.v1 import vault_service_pb2 as v1

ROUNDS = 3
PATIENCE_S = 120.0
THREADS = 8


RETRYABLE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.ABORTED}
"""How a call may end that is to be made again: a busy machine gives such answers too, not only a server that is gone."""


class Load:
    """Threads that store values until they are told that the server is gone."""

    def __init__(self) -> None:
        self.answered: list[tuple[v1.TokenizeRequest, list[str]]] = []
        self.unanswered: list[v1.TokenizeRequest] = []
        self.refusals: list[str] = []

    def await_answers(self, count: int, gone: Event) -> None:
        """Wait until so many got an answer; a machine with much else to do takes its time to get over a kill."""
        deadline = time.monotonic() + PATIENCE_S
        while len(self.answered) <= count:
            assert time.monotonic() < deadline, Counter(self.refusals)
            gone.wait(0.05)

    def run(self, server: Server, gone: Event) -> None:
        """Store until then; what got no answer is not asked again before the next server is there."""
        caller = server.caller("all")
        while not gone.is_set():
            subject = f"person {secrets.randbelow(50)}"
            request = tokenize_request(
                (subject, "phone", f"+4477009{secrets.randbelow(100_000):05}"), ("other", "free_text", subject)
            )
            try:
                self.answered.append((request, _tokens(caller, request)))
            except grpc.RpcError as error:
                if error.code() not in RETRYABLE:
                    raise
                self.unanswered.append(request)
                self.refusals.append(f"{error.code()}: {error.details()}")
                gone.wait(0.1)


def _tokens(caller: Caller, request: v1.TokenizeRequest) -> list[str]:
    return [result.token for result in caller.call(request).results]


def test_what_was_answered_stays_and_what_was_not_is_done_once_or_not_at_all(vault: Vault) -> None:
    load, checked = Load(), 0
    for _ in range(ROUNDS):
        with Server(vault) as server, ThreadPoolExecutor(THREADS) as pool:
            _check_answers(server.caller("all"), load, checked)
            checked = len(load.answered)
            gone = Event()
            threads = [pool.submit(load.run, server, gone) for _ in range(THREADS)]
            enough = checked + 30 + secrets.randbelow(60)
            try:
                load.await_answers(enough, gone)
            finally:
                server.kill()
                gone.set()
            for thread in threads:
                thread.result(PATIENCE_S)
    with Server(vault) as server:
        _check_answers(server.caller("all"), load, checked)
        assert server.stop() == 0
    with vault.node() as node, node.engine.connect() as connection:
        _check_rows(connection, 2 * len(load.answered))
        _check_log(connection, node.key_manager)


def _check_answers(caller: Caller, load: Load, since: int) -> None:
    """Every token answered since reveals its value; what was not answered is asked again, and then done exactly once."""
    retried = [(request, _tokens(caller, request)) for request in load.unanswered]
    assert [_tokens(caller, request) for request in load.unanswered] == [tokens for _, tokens in retried]
    load.answered += retried
    load.unanswered.clear()
    pairs = [(token, item) for request, tokens in load.answered[since:] for token, item in zip(tokens, request.items, strict=True)]
    for start in range(0, len(pairs), 500):
        some = pairs[start : start + 500]
        results = caller.call(reveal_request(*(token for token, _ in some))).results
        assert [result.value for result in results] == [item.value for _, item in some]


def _check_rows(connection: sa.Connection, expected: int) -> None:
    """Each item has one token and each token one item; each subject has a key and each key a subject; nothing is there twice."""

    def keys(table: sa.Table, *columns: str) -> list[tuple[Any, ...]]:
        return sorted(tuple(row) for row in connection.execute(sa.select(*(table.c[name] for name in columns))))

    assert keys(t.token, "tenant_uid", "subject_uid", "item_uid") == keys(t.item, "tenant_uid", "subject_uid", "uid")
    assert keys(t.subject, "tenant_uid", "uid") == keys(t.subject_key, "tenant_uid", "subject_uid")
    assert {key[:2] for key in keys(t.item, "tenant_uid", "subject_uid")} == set(keys(t.subject, "tenant_uid", "uid"))
    assert len(keys(t.token, "uid")) == expected


def _check_log(connection: sa.Connection, key_manager: KeyManager) -> None:
    """Each boot's events follow one another and end signed, and what they say was written is what is there."""
    boots = defaultdict[tuple[bytes, bytes], list[bytes]](list)
    events = [(audit_pb2.AuditEvent.FromString(leaf), leaf) for leaf in all_leaves(connection)]
    for event, leaf in sorted(events, key=lambda pair: pair[0].boot_sequence):
        boots[event.tenant_uid, event.boot_id].append(leaf)
    created = dict[bytes, bytes]()
    for (tenant_uid, boot_id), leaves in boots.items():
        created |= _check_boot(tenant_uid, boot_id, leaves, key_manager)
    where = (t.token.c.item_uid == t.item.c.uid) & (t.token.c.tenant_uid == t.item.c.tenant_uid)
    stored = connection.execute(sa.select(t.token.c.uid, t.item.c.envelope).where(where))
    assert created == {row.uid: hashlib.sha256(row.envelope).digest() for row in stored}


def _check_boot(tenant_uid: bytes, boot_id: bytes, leaves: list[bytes], key_manager: KeyManager) -> dict[bytes, bytes]:
    """What a boot says it created: the hash of each token's envelope."""
    events = [audit_pb2.AuditEvent.FromString(leaf) for leaf in leaves]
    assert [event.boot_sequence for event in events] == list(range(len(events)))
    assert [event.previous_hash for event in events] == [bytes(32), *map(leaf_hash, leaves[:-1])]
    public_key = events[0].boot_public_key
    endorsements = [event.boot_endorsement for event in events if event.boot_endorsement]
    log_key = Ed25519PublicKey.from_public_bytes(key_manager.log_public_key(tenant_uid))
    for endorsement in endorsements:
        log_key.verify(endorsement, announcement(tenant_uid, boot_id, public_key))
    assert len(endorsements) == 1
    assert events[-1].boot_signature
    for event, leaf in zip(events, leaves, strict=True):
        if event.boot_signature:
            event.ClearField("boot_signature")
            signed = event.SerializeToString(deterministic=True)
            assert leaf.startswith(signed)
            Ed25519PublicKey.from_public_bytes(public_key).verify(leaf[-64:], signed)
    touches = [touch for event in events for touch in event.touched if touch.change == audit_pb2.CHANGE_CREATED]
    pairs = [pair for touch in touches for pair in zip(_cut(touch.token_uids, 16), _cut(touch.envelope_hashes, 32), strict=True)]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def _cut(together: bytes, size: int) -> list[bytes]:
    return [together[start : start + size] for start in range(0, len(together), size)]
