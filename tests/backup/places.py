"""A vault, its backups, and empty places to restore them into; commands are run as an operator runs them."""

import io
import json
import secrets
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyrage
import sqlalchemy as sa
from tests.harness import LOCAL_KMS, Vault, make_vault
from tests.log.kept import FreeForAll, Watcher
from tests.use_cases.inside import Inside, inside
from tests.use_cases.requests import new_email, new_subject, tokenize, tokens_of

from vault.cli import main
from vault.server.node import Node
from vault.store import tables as t
from vault.store.erasing import erase_subject
from vault.store.log.integrator import Integrator

IDENTITY = pyrage.x25519.Identity.generate()
RECIPIENT = str(IDENTITY.to_public())


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The objects that it printed."""
        return [json.loads(line) for line in self.out.splitlines()]


def pdvault(*arguments: object) -> Result:
    """Run a command line."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main.run([str(argument) for argument in arguments])
    return Result(code, out.getvalue(), err.getvalue())


def integrate(node: Node) -> None:
    """Make leaves of all that waits, and publish them."""
    watcher = Watcher()
    integrator = Integrator(node.log_engine, node.key_manager, FreeForAll(), watcher)  # type: ignore[arg-type]
    while integrator.round().has_more or _waits(node):
        assert not watcher.refusals, watcher.refusals
    integrator.end()


def _waits(node: Node) -> bool:
    with node.engine.connect() as connection:
        return connection.execute(sa.select(t.audit_pending.c.tenant_uid).limit(1)).first() is not None


@dataclass
class Site:
    """Where vaults are made, all with the keys and anchors of the first one.

    Attributes:
        folder: where all lies.
        database: gives the settings of an empty database.
        kms: the settings of the KMS.
        first: copies a vault into a folder, as the first one, which is quicker than making it.
        old: the vault that is backed up.
    """

    folder: Path
    database: Callable[[str], str]
    kms: str = LOCAL_KMS
    first: Callable[[Path], Vault] | None = None
    old: Vault = field(init=False)

    def __post_init__(self) -> None:
        self.identity = self.folder / "identity"
        self.identity.write_text(f"{IDENTITY}\n")
        folder = self._new_folder("old")
        self.old = self.first(folder) if self.first else make_vault(folder, database=self.database("old"), kms=self.kms)

    def store(self, number: int = 3, vault: Vault | None = None) -> list[str]:
        """Store values of as many people; their tokens."""
        with inside(vault or self.old) as opened:
            return stored(opened, number)

    def grow(self, vault: Vault | None = None) -> None:
        """Make leaves of all that waits."""
        with (vault or self.old).node() as node:
            integrate(node)

    def back_up(self, name: str = "backup.age", vault: Vault | None = None) -> Path:
        """A backup."""
        out = self.folder / name
        made = pdvault("backup", "create", "-o", out, "--recipient", RECIPIENT, "--config", config_of(vault or self.old))
        assert made.code == 0, made.err
        return out

    def empty(self, name: str = "new") -> Vault:
        """An empty place with the first vault's KMS."""
        folder, old = self._new_folder(name), self.old.folder
        settings = (old / "vault.toml").read_text()
        head, _, rest = settings.partition("[database]\n")
        _, _, kms = rest.partition("[kms]\n")
        for file in ("keyring", "keyring.key"):
            kms = kms.replace(f'"{file}"', f'"{old / file}"')
        for file in ("server.pem", "server.key"):
            head = head.replace(f'"{file}"', f'"{old / file}"')
        (folder / "vault.toml").write_text(f"{head}[database]\n{self.database(name)}\n[kms]\n{kms}")
        return Vault(folder, self.old.server_ca, self.old.tenants)

    def restore(self, backup: Path, vault: Vault, *more: object) -> Result:
        """Restore a backup into a place."""
        return pdvault("backup", "restore", backup, "--identity", self.identity, "--config", config_of(vault), *more)

    def restored(self, backup: Path, name: str = "new") -> Vault:
        """A new place with a backup in it."""
        vault = self.empty(name)
        done = self.restore(backup, vault)
        assert done.code == 0, done.err
        return vault

    def _new_folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir()
        return folder


def config_of(vault: Vault) -> Path:
    """The vault's configuration file."""
    return vault.folder / "vault.toml"


def reconcile(vault: Vault) -> Result:
    """Reconcile a restored vault."""
    return pdvault("restore", "reconcile", "--config", config_of(vault))


def stored(opened: Inside, number: int = 3, tenant: str = "acme") -> list[str]:
    """Store an address of as many new people; their tokens."""
    values = [(new_subject(), "email", new_email()) for _ in range(number)]
    return list(tokens_of(opened.ask(tokenize(*values), tenant=tenant)))


def head(vault: Vault, tenant: str = "acme") -> Any:
    """The head of a tenant's log."""
    with vault.node() as node, node.engine.connect() as connection:
        return connection.execute(sa.select(t.audit_log).where(t.audit_log.c.tenant_uid == vault.tenants[tenant].uid)).one()


def erase(vault: Vault, token: str, tenant: str = "acme") -> bytes:
    """Erase whoever a token belongs to, as an erasure does: noted in the KMS, then gone from the tables. The subject's uid."""
    with inside(vault) as opened:
        uid = opened.tenant(tenant).uid
        subject_uid: bytes = opened.row(t.token, tenant_uid=uid, text=token).subject_uid
        key_ids = [row.key_id.hex() for row in opened.rows(t.subject_key, tenant_uid=uid, subject_uid=subject_uid)]
        text = json.dumps({"time_us": 1, "subject_uid": subject_uid.hex(), "key_ids": key_ids})
        opened.node.key_manager.note_destroyed(uid, secrets.token_bytes(16), text)
        with opened.engine.begin() as connection:
            erase_subject(connection, uid, subject_uid)
    return subject_uid
