"""An auditor's desk: a vault opened in this process, a log that tests write what they like into, and requests about it.

Requests take the way they take in a server, without the network: intake, call, runner; then what is read outside of the lane.
"""

import asyncio
import secrets
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.message import Message
from tests.harness import Tenant, add_tenant
from tests.use_cases.inside import PATIENCE_S, Inside

from vault.access.policy import PolicyEngine
from vault.audit.chain import Chain
from vault.audit.cosignature import cosign
from vault.audit.events import Draft
from vault.audit.note import COSIGNATURE, parse_note, verifier
from vault.call import Call
from vault.classes.taxonomy import BUILT_IN
from vault.errors import VaultError
from vault.server.audit_methods import METHODS, STREAMS
from vault.server.audit_service import AuditService
from vault.server.dispatcher import Dispatcher
from vault.server.intake import Intake
from vault.server.lane import Lane
from vault.server.metrics import Metrics
from vault.server.streams.running import Streams
from vault.server.unheard import Unheard
from vault.store import tables as t
from vault.store.log.integrator import Integrator
from vault.store.log.lease import Lease
from vault.store.log.rows import EntryRow, PendingRow
from vault.store.writes import insert
from vault.v1 import audit_pb2, audit_service_pb2

_METHODS = {method.name: method for method in (*METHODS, *STREAMS)}
_STREAMED = {method.name for method in STREAMS}


class _Watcher:
    """Chains that tests break are none of the integrator's tests' business."""

    def broken(self, *_: object) -> None:
        """Nothing."""

    def moved(self, *_: object) -> None:
        """Nothing."""

    def refused(self, _tenant_uid: bytes, reason: str) -> None:
        """A log that does not grow fails its test at once."""
        raise AssertionError(f"a log does not grow: {reason}")


def _alert(text: str) -> None:
    raise AssertionError(f"a policy could not be evaluated: {text}")


class TestWitness:
    """A witness that cosigns whatever it is given."""

    __test__ = False

    def __init__(self, name: str) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.key = verifier(name, self._key.public_key().public_bytes_raw(), COSIGNATURE)

    def cosign(self, signed: str, time_s: int) -> str:
        """A signed checkpoint with this witness's cosignature added."""
        note = parse_note(signed)
        return signed + cosign(note.text, self.key, self._key.sign, time_s).line()


class Desk:
    """A vault's logs, and those who read them."""

    def __init__(self, inside: Inside) -> None:
        self.inside = inside
        self.witnesses = [TestWitness("witness-a.example.org"), TestWitness("witness-b.example.org/2")]
        self.audit = AuditService(
            inside.engine, inside.node.log_engine, inside.node.gate.public_key, [witness.key for witness in self.witnesses]
        )
        self._loop = asyncio.Runner()
        self.lane = Lane(inside.node.runner, 100, lambda _: None)
        self.dispatcher = Dispatcher(self.lane, inside.node.loader, inside.node.keys, Metrics(), Unheard())
        self._policy = PolicyEngine.built_in(on_error=_alert)
        self._intake = Intake(BUILT_IN, self._policy)

    def new_tenant(self) -> str:
        """The name of a new tenant, with ``auditor`` and ``all`` only, whose log no other test touches."""
        name = f"t-{secrets.token_hex(6)}"
        self.inside.vault.tenants[name] = add_tenant(self.inside.node, name, ["auditor", "all"])
        self.integrate()
        return name

    def tenant(self, name: str) -> Tenant:
        """A tenant."""
        return self.inside.tenant(name)

    def write(self, drafts: Sequence[Draft], time_us: int, node: str = "node-9") -> None:
        """Have a node of this name leave events in one commit at that time. They are not in the log yet."""
        leaves = Chain(node).extend(list(drafts), {}, time_us).leaves
        with self.inside.engine.begin() as connection:
            insert(connection, t.audit_pending, [PendingRow(*leaf) for leaf in leaves])

    def integrate(self) -> None:
        """Put all events that wait into their logs, and publish these."""
        node = self.inside.node
        integrator = Integrator(
            node.log_engine, node.key_manager, Lease(node.log_engine, node.config.node, secrets.token_hex(8)), _Watcher()
        )
        while integrator.round().has_more:
            pass
        integrator.end()

    def entries(self, tenant: str) -> list[EntryRow]:
        """All entries of a log, as they are stored."""
        return sorted(self.inside.rows(t.audit_entry, tenant_uid=self.tenant(tenant).uid), key=lambda row: row.leaf_index)

    def last_event(self, tenant: str) -> audit_pb2.AuditEvent:
        """The newest event of a log that is no boot's."""
        return self.last_events(tenant, 1)[0]

    def last_events(self, tenant: str, count: int) -> list[audit_pb2.AuditEvent]:
        """The newest events of a log that are no boot's, in their order."""
        self.integrate()
        newest_first = (event_of(row) for row in reversed(self.entries(tenant)))
        return list(islice((event for event in newest_first if not event.action.startswith("Boot")), count))[::-1]

    def call(self, request: Message, who: str, tenant: str) -> Call:
        """The call that a request begins with."""
        method = _METHODS[request.DESCRIPTOR.name.removesuffix("Request")]
        caller = self.inside.caller(who, tenant)
        call, _ = self._intake.call(caller, method, request.SerializeToString(), PATIENCE_S, time.monotonic())
        return call

    def resolved(self, request: Message, who: str = "auditor", tenant: str = "acme") -> bytes:
        """What the lane answers to a request.

        Raises:
            VaultError: the refusal.
        """
        (answer,) = self.inside.answers([self.call(request, who, tenant)])
        if not isinstance(answer, bytes):
            raise answer
        return answer

    def ask(self, request: Message, who: str = "auditor", tenant: str = "acme") -> Any:
        """The response to a request.

        Raises:
            VaultError: the refusal.
        """
        resolved, action = self.resolved(request, who, tenant), request.DESCRIPTOR.name.removesuffix("Request")

        deadline = time.monotonic() + PATIENCE_S
        raw = self._loop.run(self.audit.answer(action, self.tenant(tenant).uid, resolved, deadline))
        return getattr(audit_service_pb2, f"{action}Response").FromString(raw)

    def stream(self, request: Message, who: str = "auditor", tenant: str = "acme") -> list[Any]:
        """All messages of a stream that ends by itself.

        Raises:
            VaultError: why it ended early.
        """
        action = request.DESCRIPTOR.name.removesuffix("Request")
        response = getattr(audit_service_pb2, f"{action}Response")
        found: list[Any] = []

        async def send(raw: bytes) -> None:
            found.append(response.FromString(raw))

        async def run() -> None:
            call = self.call(request, who, tenant)
            resolved = await self.dispatcher.run(call, 1)
            streams = Streams(self.audit, self.dispatcher, self.inside.node.keys, self.lane.submit)
            await streams.by_method[action].run(call, resolved, time.monotonic() + PATIENCE_S, send)

        self._loop.run(run())
        return found

    def run(self, story: Coroutine[Any, Any, None]) -> None:
        """Run what must be on the event loop."""
        self._loop.run(story)

    def refused(self, request: Message, who: str = "auditor", tenant: str = "acme") -> VaultError:
        """The refusal of a request."""
        ask = self.stream if request.DESCRIPTOR.name.removesuffix("Request") in _STREAMED else self.ask
        with pytest.raises(VaultError) as refusal:
            ask(request, who, tenant)
        return refusal.value

    def close(self) -> None:
        """Let go of threads and connections."""
        self._loop.close()
        self.audit.close()
        self.lane.close()
        self.dispatcher.close()

    @contextmanager
    def behind_its_back(self, table: sa.Table, where: dict[str, Any], **values: Any) -> Iterator[None]:
        """One row changed behind the vault's back for the time of the block."""
        (row,) = self.inside.rows(table, **where)
        before = {name: getattr(row, name) for name in values}
        self.inside.edit(table, where, **values)
        try:
            yield
        finally:
            self.inside.edit(table, where | {name: value for name, value in values.items() if name in where}, **before)


def event_of(entry: audit_service_pb2.LogEntry | EntryRow) -> audit_pb2.AuditEvent:
    """What an entry says."""
    return audit_pb2.AuditEvent.FromString(entry.leaf)
