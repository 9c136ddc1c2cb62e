"""Real vaults whose database is compared with their log: tenants of their own, bundles of their logs, and an integrator."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import sqlalchemy as sa
from tests.audit_verify.checking import ANYBODY, drained
from tests.audit_verify.logs import Files, Log, Witness, zipped
from tests.harness import ROLES, Tenant, add_tenant
from tests.use_cases.inside import Inside
from tests.use_cases.requests import delete, new_email, new_subject, reveal, tokenize, tokens_of, update

from vault.audit.bundle import Bundle
from vault.audit.checkpoint import parse_checkpoint
from vault.audit.note import Note, Verifier, parse_note, verifier
from vault.audit.remembered import Memory
from vault.audit.verify import verify
from vault.cli.audit.database import Compared, Comparison
from vault.store import tables as t
from vault.store.clock import now_us
from vault.store.log.chains import Trouble
from vault.store.log.integrator import Integrator
from vault.store.log.lease import Lease


@dataclass
class ServedLog(Log):
    """A log as a database has it, of which the key is in the KMS."""

    signed: str = ""
    public_key: bytes = b""

    @property
    def origin(self) -> str:
        """Its name, as its checkpoint has it."""
        return parse_checkpoint(self.note().text).origin

    @property
    def verifier(self) -> Verifier:
        """Its key."""
        return verifier(self.origin, self.public_key)

    def note(self, size: int | None = None, witnesses: Sequence[Witness] = ()) -> Note:
        """The published checkpoint."""
        return parse_note(self.signed)


class _Watcher:
    def moved(self, tenant_uid: bytes) -> None:
        """A log that was edited."""

    def broken(self, tenant_uid: bytes, trouble: Trouble) -> None:
        """An edited pending row."""

    def refused(self, tenant_uid: bytes, reason: str) -> None:
        """None of these logs may be refused."""
        raise AssertionError(reason)


class Desk:
    """One tenant of an open vault, with these principals, and whoever compares its rows with its log."""

    def __init__(self, inside: Inside, who: Iterable[str] = ROLES) -> None:
        self.inside = inside
        self.name = f"t-{secrets.token_hex(6)}"
        self.tenant: Tenant = add_tenant(inside.node, self.name, who)
        inside.vault.tenants[self.name] = self.tenant
        self.integrate()

    def work(self) -> list[str]:
        """Calls of every kind that writes: the first token is as it was made, the second updated twice, the third deleted."""
        values = [(new_subject(), "email", new_email()) for _ in range(3)]
        tokens = tokens_of(self.inside.ask(tokenize(*values), tenant=self.name))
        for _ in range(2):
            self.inside.ask(update((tokens[1], new_email())), tenant=self.name)
        self.inside.ask(delete(tokens[2]), tenant=self.name)
        self.inside.ask(reveal(tokens[0]), tenant=self.name)
        return list(tokens)

    def integrate(self) -> None:
        """Put what waits into the logs, and publish them."""
        node = self.inside.node
        integrator = Integrator(node.log_engine, node.key_manager, Lease(node.log_engine, "t", secrets.token_hex(8)), _Watcher())
        while integrator.round().has_more:
            pass
        integrator.end()

    def bundle(self) -> Files:
        """The whole log, as the server would export it."""
        uid = self.tenant.uid
        with self.inside.engine.connect() as connection:
            head = connection.execute(sa.select(t.audit_log).where(t.audit_log.c.tenant_uid == uid)).one()
            c = t.audit_entry.c
            select = sa.select(c.leaf).where(c.tenant_uid == uid, c.leaf_index < head.checkpoint_size).order_by(c.leaf_index)
            leaves = list(map(bytes, connection.scalars(select)))
        public_key = self.inside.node.key_manager.log_public_key(uid)
        log = ServedLog(uid, signed=head.checkpoint, public_key=public_key)
        log.append(leaves)
        return log.bundle()

    def compared(self, files: Files, state: Path) -> tuple[list[str], Compared]:
        """What is wrong with the database, without the words that name the tenant, and how much was compared."""
        with TemporaryFile() as file, self.inside.engine.connect() as connection:
            file.write(zipped(files))
            file.flush()
            bundle = Bundle(file)
            now = now_us(connection)
            comparison = Comparison(connection, bundle)
            report = drained(verify(bundle, ANYBODY, Memory(state), now, observe=comparison.observe))
            counts: Compared = drained(comparison.finish(report, now))  # type: ignore[arg-type, assignment]
            assert comparison.findings.count == len(comparison.findings.named)
            return [found.replace(f" of tenant {self.tenant.uid.hex()}", "") for found in comparison.findings.named], counts

    def edit(self, statement: sa.Executable) -> None:
        """Do to the database what its administrator can do; it must hit something."""
        with self.inside.engine.begin() as connection:
            assert connection.execute(statement).rowcount
