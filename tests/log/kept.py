"""Logs of an open vault and who writes to them: boots that leave events as calls do, and integrators that are run step by step."""

import random
import secrets
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from tests.log import naive

from vault.audit.chain import Chain, Commit, Leaf, announcement
from vault.audit.events import Caller, Draft
from vault.server.node import Node
from vault.store import tables as t
from vault.store.clock import now_us
from vault.store.log.chains import Trouble
from vault.store.log.integrator import Integrator
from vault.store.log.lease import Lease
from vault.store.log.rows import PendingRow
from vault.store.writes import insert
from vault.v1 import audit_pb2, common_pb2

CLASSES = ("phone", "email", "bank_account")


@dataclass
class Watcher:
    """Hears what integrators find wrong."""

    troubles: list[tuple[bytes, Trouble]] = field(default_factory=list)
    refusals: list[tuple[bytes, str]] = field(default_factory=list)
    moves: list[bytes] = field(default_factory=list)

    def broken(self, tenant_uid: bytes, trouble: Trouble) -> None:
        """See ``store.log.known.Watcher``."""
        self.troubles.append((tenant_uid, trouble))

    def refused(self, tenant_uid: bytes, reason: str) -> None:
        """See ``store.log.known.Watcher``."""
        self.refusals.append((tenant_uid, reason))

    def moved(self, tenant_uid: bytes) -> None:
        """See ``store.log.known.Watcher``."""
        self.moves.append(tenant_uid)


class FreeForAll:
    """A lease that everybody holds: what keeps integrators apart is then the head alone."""

    tenure = 1

    def hold(self) -> bool:
        """Always."""
        return True

    def was_kept(self) -> bool:
        """Never: others hold it too."""
        return False

    def release(self) -> None:
        """Nothing."""


class Writer:
    """One boot after the other that leaves events in logs, as the runner does; remembers which are certainly there."""

    def __init__(self, kept: "Kept", seed: int = 0) -> None:
        self._kept = kept
        self._random = random.Random(seed)  # noqa: S311  synthetic events
        self.chain = Chain("test-1")

    def commit(self, tenant_uids: Iterable[bytes], *, shift_us: int = 0, endorsed: bool = True) -> list[Leaf]:
        """One transaction with an event for each of these tenants; ``shift_us`` is how wrong the database's clock is.

        A boot that is not endorsed refuses whatever it is asked for.
        """
        drafts = [self.draft(uid) for uid in tenant_uids]
        if not endorsed:
            for draft in drafts:
                draft.decision = audit_pb2.DECISION_DENIED
        signatures = {uid: self._endorsement(uid) for uid in {draft.caller.tenant_uid for draft in drafts}} if endorsed else {}
        return self._write(lambda now: self.chain.extend(drafts, signatures, now + shift_us))

    def end(self) -> None:
        """End the boot, and begin another."""
        self._write(self.chain.finish)
        self.chain = Chain("test-1")

    def begin_new_boot(self) -> None:
        """As after a crash."""
        self.chain = Chain("test-1")

    def draft(self, tenant_uid: bytes) -> Draft:
        """An event of a call that used a few items."""
        caller = Caller(
            tenant_uid, f"spiffe://{self._random.randrange(3)}", certificate_sha256=bytes([self._random.randrange(3)]) * 32
        )
        context = common_pb2.CallContext(purpose=self._random.choice(("payout", "support")), request_id=str(uuid.uuid4()))
        draft = Draft(caller, self._random.choice(("Reveal", "Tokenize")), context, policy_ids={"allow", "also"})
        for _ in range(self._random.randrange(4)):
            draft.touch(self._random.choice(CLASSES), secrets.token_bytes(16), secrets.token_bytes(16))
        return draft

    def _write(self, make: Callable[[int], Commit]) -> list[Leaf]:
        with self._kept.engine.begin() as connection:
            commit = make(now_us(connection))
            if commit.leaves:
                insert(connection, t.audit_pending, [PendingRow(*leaf) for leaf in commit.leaves])
            self._kept.tell("may", commit.leaves)
        self._kept.tell("did", commit.leaves)
        self.chain.settle(commit)
        for leaf in commit.leaves:
            self._kept.committed.setdefault(leaf.tenant_uid, []).append(leaf.leaf)
        return commit.leaves

    def _endorsement(self, tenant_uid: bytes) -> bytes:
        text = announcement(tenant_uid, self.chain.boot_id, self.chain.public_key)
        return self._kept.node.key_manager.sign(tenant_uid, text)


class Kept:
    """An open node, with tenants of its own for each test, and what was certainly committed to their logs."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.engine = node.engine
        self.watcher = Watcher()
        self.now = 1000.0
        self.committed: dict[bytes, list[bytes]] = {}
        self.tell: Callable[[str, Sequence[Leaf]], None] = lambda _word, _leaves: None
        """Told ``may`` before leaves are committed, and ``did`` after that."""

    def new_tenant(self) -> bytes:
        """A tenant whose log holds what its creation left there, integrated."""
        uid = secrets.token_bytes(16)
        self.node.create_tenant(uid, f"tenant-{uid.hex()}", [])
        self.node.end_boot()
        with self.engine.connect() as connection:
            leaves = connection.scalars(sa.select(t.audit_pending.c.leaf).where(t.audit_pending.c.tenant_uid == uid))
            self.committed[uid] = list(map(bytes, leaves))
        integrator = self.integrator()
        self.run(integrator)
        integrator.end()
        return uid

    def integrator(self, *, lease: Any = None, max_batch: int = 4000, key_manager: Any = None) -> Integrator:
        """An integrator that knows nothing yet."""
        return Integrator(
            self.node.log_engine,
            key_manager or self.node.key_manager,
            lease or FreeForAll(),
            self.watcher,
            clock=lambda: self.now,
            max_batch=max_batch,
        )

    def lease(self, name: str) -> Lease:
        """A hold on the lease row."""
        return Lease(self.node.log_engine, name, secrets.token_hex(4), lambda: self.now)

    def run(self, integrator: Integrator) -> int:
        """Rounds until nothing is left to do, and publish; how many entries were added."""
        entries = idle = 0
        while (
            idle < 2 or integrator._take_overs._under_way
        ):  # one idle round may have been spent on finding out that memory is stale
            self.now += 10.0  # so that what was refused is looked at again
            round_ = integrator.round()
            entries += round_.entries
            idle = 0 if round_.entries else idle + 1
        integrator.publisher.publish(every_s=0.0)
        return entries

    def check(self, tenant_uid: bytes, *, is_complete: bool = True) -> naive.Found:
        """Check the log against the naive reference; nothing that was committed is missing or there twice."""
        with self.engine.connect() as connection:
            found = naive.check(connection, tenant_uid, self.public_key(tenant_uid))
        assert sorted(found.leaves + found.pending) == sorted(self.committed[tenant_uid])
        naive.check_chains(found.leaves)
        anchored = self.anchored(tenant_uid)
        assert found.published[0] <= anchored[0] <= len(found.leaves)
        assert anchored[1] == naive.root([naive.leaf_hash(leaf) for leaf in found.leaves[: anchored[0]]])
        if is_complete:
            assert not found.pending
            assert found.published[0] == anchored[0] == len(found.leaves)
        return found

    def anchored(self, tenant_uid: bytes) -> tuple[int, bytes]:
        """Size and root in the anchor."""
        anchor = self.node.key_manager.read_anchor(tenant_uid)
        assert anchor is not None
        origin = f"{self.node.config.log.origin}/{tenant_uid.hex()}"
        return naive.check_note(anchor.text, origin, self.public_key(tenant_uid))

    def public_key(self, tenant_uid: bytes) -> bytes:
        """The log's."""
        return self.node.key_manager.log_public_key(tenant_uid)

    def rows(self, table: sa.Table, tenant_uid: bytes) -> Sequence[Any]:
        """The rows of one tenant."""
        with self.engine.connect() as connection:
            select = sa.select(table).where(table.c.tenant_uid == tenant_uid).order_by(*table.primary_key.columns)
            return connection.execute(select).all()

    def execute(self, statement: sa.Executable) -> None:
        """Do to the database what its administrator can do; it must hit something."""
        with self.engine.begin() as connection:
            assert connection.execute(statement).rowcount
