"""A vault opened in this process and called without a network: request bytes in, through intake, call and runner, and back."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from tests.harness import Tenant, Vault

from vault.access.policy import PolicyEngine
from vault.audit.events import Caller
from vault.call import Call
from vault.classes.taxonomy import BUILT_IN
from vault.errors import VaultError
from vault.kms.tenant_keys import KeysMissingError, TenantKeys
from vault.server.intake import Intake
from vault.server.methods import SERVICES
from vault.server.node import Node
from vault.store import tables as t
from vault.store import writes
from vault.store.rows import TABLES, SealedRow
from vault.store.runner import Answer, Runner
from vault.store.runner import Call as AnyCall
from vault.store.sealing import sealed
from vault.store.writes import insert
from vault.v1 import audit_pb2

PATIENCE_S = 60.0
_KEY_FETCHES = 3
_METHODS = {method.name: method for methods in SERVICES.values() for method in methods}
_KINDS = {table: kind for kind, table in TABLES.items()}


def _alert(text: str) -> None:
    raise AssertionError(f"a policy could not be evaluated: {text}")


class Inside:
    """A vault and one open node of it."""

    def __init__(self, vault: Vault, node: Node) -> None:
        self.vault = vault
        self.node = node
        self._intake = Intake(BUILT_IN, PolicyEngine.built_in(on_error=_alert))
        self._callers: dict[tuple[str, str], Caller] = {}

    @property
    def engine(self) -> sa.Engine:
        """The node's engine."""
        return self.node.engine

    @property
    def is_postgres(self) -> bool:
        """Which of the two databases it is."""
        return self.engine.dialect.name == "postgresql"

    def tenant(self, name: str = "acme") -> Tenant:
        """A tenant of the vault."""
        return self.vault.tenants[name]

    def caller(self, who: str = "all", tenant: str = "acme") -> Caller:
        """A principal, as the edge makes it of a certificate."""
        if (who, tenant) not in self._callers:
            ca, leaf = (
                x509.load_pem_x509_certificate(issued.certificate_pem)
                for issued in (self.tenant(tenant).ca, self.tenant(tenant).clients[who])
            )
            names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            (name,) = names.get_values_for_type(x509.UniformResourceIdentifier)
            self._callers[who, tenant] = Caller(self.tenant(tenant).uid, name, _sha256(ca), _sha256(leaf))
        return self._callers[who, tenant]

    def call(
        self, request: Message, who: str = "all", tenant: str = "acme", *, seconds: float = PATIENCE_S, caller: Caller | None = None
    ) -> Call:
        """A call as the edge makes it of a request."""
        method = _METHODS[request.DESCRIPTOR.name.removesuffix("Request")]
        raw = request.SerializeToString()
        call, _ = self._intake.call(caller or self.caller(who, tenant), method, raw, seconds, time.monotonic())
        return call

    def answers(self, calls: Sequence[AnyCall], runner: Runner | None = None) -> list[Answer]:
        """The answers to calls that are run together; keys are fetched in between, as the dispatcher does."""
        runner = runner or self.node.runner
        answers = runner.run(calls)
        for _ in range(_KEY_FETCHES - 1):
            waiting = {i: answer for i, answer in enumerate(answers) if isinstance(answer, KeysMissingError)}
            if not waiting:
                break
            again = [self._with_keys(calls[i], missing) for i, missing in waiting.items()]
            for i, answer in zip(waiting, runner.run(again), strict=True):
                answers[i] = answer
        return answers

    def ask(self, request: Message, who: str = "all", tenant: str = "acme", **options: Any) -> Any:
        """The response to one request.

        Raises:
            VaultError: the refusal.
        """
        (answer,) = self.answers([self.call(request, who, tenant, **options)])
        if not isinstance(answer, bytes):
            raise answer
        response = request.DESCRIPTOR.file.message_types_by_name[request.DESCRIPTOR.name.replace("Request", "Response")]
        return GetMessageClass(response).FromString(answer)

    def refused(self, request: Message, who: str = "all", tenant: str = "acme", **options: Any) -> str:
        """The reason for which a request is refused."""
        with pytest.raises(VaultError) as refusal:
            self.ask(request, who, tenant, **options)
        return refusal.value.reason_name

    def keys(self, tenant: str = "acme") -> TenantKeys:
        """A tenant's keys, fetched if they are not in memory."""
        uid = self.tenant(tenant).uid
        try:
            return self.node.keys.get(uid)
        except KeysMissingError:
            self.node.keys.put(self.node.loader.load(uid))
            return self.node.keys.get(uid)

    def rows(self, table: sa.Table, **where: Any) -> list[Any]:
        """The rows of a table, as the named tuples that the vault uses."""
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(table).where(*_conditions(table, where))).all()
        return [_KINDS[table](*row) for row in found]

    def row(self, table: sa.Table, **where: Any) -> Any:
        """The one row that fits."""
        (row,) = self.rows(table, **where)
        return row

    def edit(self, table: sa.Table, where: Mapping[str, Any], **values: Any) -> None:
        """Change rows behind the vault's back."""
        with self.engine.begin() as connection:
            assert connection.execute(table.update().where(*_conditions(table, where)).values(**values)).rowcount

    def reseal(self, table: sa.Table, where: Mapping[str, Any], tenant: str = "acme", **values: Any) -> SealedRow:
        """Change one row as the vault itself could have: with a MAC that fits."""
        row: SealedRow = sealed(self.keys(tenant).authority, self.row(table, **where)._replace(**values))
        self.edit(table, where, **row._asdict())
        return row

    def remove(self, table: sa.Table, **where: Any) -> None:
        """Delete rows behind the vault's back."""
        with self.engine.begin() as connection:
            assert connection.execute(table.delete().where(*_conditions(table, where))).rowcount

    def count(self) -> dict[str, int]:
        """How many rows each table has."""
        with self.engine.connect() as connection:
            return {
                table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
                for table in t.metadata.sorted_tables
            }

    def leaves(self, tenant: str = "acme") -> list[Any]:
        """The pending leaves of a tenant's log, boot by boot in their order."""
        rows = self.rows(t.audit_pending, tenant_uid=self.tenant(tenant).uid)
        return sorted(rows, key=lambda row: (row.boot_id, row.boot_sequence))

    @contextmanager
    def events(self, tenant: str = "acme") -> Iterator[list[audit_pb2.AuditEvent]]:
        """Fills in, at the end of the block, the events of calls that it left in the log, without those of the boot itself."""
        known = {row[:3] for row in self.leaves(tenant)}
        found: list[audit_pb2.AuditEvent] = []
        yield found
        new = [audit_pb2.AuditEvent.FromString(row.leaf) for row in self.leaves(tenant) if row[:3] not in known]
        found += [event for event in new if not event.action.startswith("Boot")]

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """Fills in the statements that are run in the block, COPY and COMMIT among them."""
        seen: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            seen.append(statement)

        def note_commit(_connection: Any) -> None:
            seen.append("COMMIT")

        def copy(connection: sa.Connection, table: sa.Table, rows: Sequence[Any]) -> None:
            if self.is_postgres:
                seen.append(f"COPY {table.name}")
            insert(connection, table, rows)

        sa.event.listen(self.engine, "before_cursor_execute", note)
        sa.event.listen(self.engine, "commit", note_commit)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(writes, "insert", copy)
            yield seen
        sa.event.remove(self.engine, "before_cursor_execute", note)
        sa.event.remove(self.engine, "commit", note_commit)

    def _with_keys(self, call: AnyCall, missing: KeysMissingError) -> AnyCall:
        try:
            self.node.keys.put(self.node.loader.load(missing.tenant_uid))
        except VaultError as error:
            if isinstance(call, Call):
                return replace(call, without_keys=error)
            raise
        return call


@contextmanager
def inside(vault: Vault) -> Iterator[Inside]:
    """A vault opened for the time of the block."""
    with vault.node() as node:
        yield Inside(vault, node)


def _conditions(table: sa.Table, where: Mapping[str, Any]) -> list[sa.ColumnElement[bool]]:
    return [table.c[name].is_not_distinct_from(value) for name, value in where.items()]


def _sha256(certificate: x509.Certificate) -> bytes:
    return certificate.fingerprint(hashes.SHA256())
