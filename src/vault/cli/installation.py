"""Making a vault and its tenants from a configuration. A step that is done already is left alone, so all can be run again."""

import contextlib
import secrets
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import click
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from vault.access.authority import check_authority
from vault.access.identity import TrustedCa
from vault.access.issuing import principal_uri, write_private
from vault.audit.events import SYSTEM_TENANT
from vault.cli import opening, own_kek, registry
from vault.crypto.keys import KEY_BYTES, Key
from vault.kms.local.provisioner import LocalProvisioner
from vault.safe import new_uid
from vault.server.backends import create_database_key, database_key_path, postgres_engine, provisioner
from vault.server.config import Config, LocalKms
from vault.server.node import Node
from vault.store import schema
from vault.store.rows import TenantRow
from vault.trust_ca import TrustCa

_INITIALISED = (
    "this vault is initialised already. Go on with `pdvault tenant create`; `pdvault db upgrade` brings an older one up to date"
)


def initialise(config: Config, tell: Callable[[str], None] = lambda _: None) -> None:
    """Make keys, schema and system tenant.

    Args:
        config: the vault's configuration.
        tell: told each step that is done, in a sentence.

    Raises:
        ClickException: there is an initialised vault already, or a database whose keys are lost.
        VaultError: the KMS or the database refuses or does not answer.
        ConfigError: the configuration lacks what making a vault needs.
    """
    with opening.only_errors_logged():
        _refuse_if_made(config)
        _make_keys(config, tell)
    with opening.opened(config) as node:
        if opening.is_initialised(node.engine):
            raise click.ClickException(_INITIALISED)
        with opening.changing_schema():
            version = schema.upgrade(node.engine)
        tell(f"The database has schema {version}.")
        node.create_tenant(SYSTEM_TENANT, "system", [])
        tell("The system's own log has begun.")


def _refuse_if_made(config: Config) -> None:
    """Refuse before a key is made: new keys could open nothing of what is there."""
    sqlite_file = config.database.sqlite_file
    if sqlite_file is None:
        engine = postgres_engine(config.database)
        try:
            if opening.is_initialised(engine):
                raise click.ClickException(_INITIALISED)
        finally:
            engine.dispose()
        return
    key = database_key_path(sqlite_file)
    if sqlite_file.exists() and not key.exists():
        raise click.ClickException(f"{sqlite_file} exists, but its key {key} is missing: put it back from your backup")
    if key.exists() and isinstance(config.kms, LocalKms) and not config.kms.keyring_file.exists():
        raise click.ClickException(
            f"{key} exists, but the keyring {config.kms.keyring_file} is missing: put it back from your backup"
        )


def _make_keys(config: Config, tell: Callable[[str], None]) -> None:
    if isinstance(config.kms, LocalKms) and not config.kms.keyring_file.exists():
        key_file = config.kms.key_file
        if key_file and not key_file.exists():
            write_private(key_file, b64encode(secrets.token_bytes(KEY_BYTES)))
            tell(f"Made {key_file}, which opens the keyring: keep a copy elsewhere.")
    with contextlib.closing(provisioner(config)) as maker:
        if isinstance(maker, LocalProvisioner) and isinstance(config.kms, LocalKms) and not config.kms.keyring_file.exists():
            maker.create_keyring()
            tell(f"Made the keyring {config.kms.keyring_file}.")
        maker.create_tenant_keys(SYSTEM_TENANT)
    tell("The system's keys are in the KMS.")
    create_database_key(config)


def create_tenant(node: Node, name: str, cas: Sequence[x509.Certificate], kek: Key | None = None) -> bytes:
    """Make a tenant with its keys and issuing CAs; its uid (16 bytes).

    Args:
        node: the vault.
        name: what it is called.
        cas: who issues its clients' certificates.
        kek: its own KEK; the KMS makes one if it brings none.

    Raises:
        ClickException: there is a tenant of this name.
        VaultError: INVALID_FIELD, if the name or a CA does not keep the rules; or the KMS or the database refuses.
    """
    principal_uri(name, "anybody")  # the name becomes part of such URIs
    if name == "system" or any(row.name == name for row in registry.tenants(node)):
        raise click.ClickException(f"there is a tenant {name} already: choose another name")
    uid, known = new_uid(), registry.authorities(node)
    checked = _checked(uid, cas, known)
    if kek:
        own_kek.bring_first(node.config, uid, kek)
    node.create_tenant(uid, name, [(ca.sha256, _der(ca)) for ca in checked])
    return uid


def trust(node: Node, tenant: TenantRow, cas: Sequence[x509.Certificate]) -> None:
    """Add issuing CAs to a tenant.

    Raises:
        VaultError: INVALID_FIELD, if a CA does not keep the rules; or the KMS or the database refuses.
    """
    checked = _checked(tenant.uid, cas, registry.authorities(node))
    node.keys.put(node.loader.load(SYSTEM_TENANT))  # it is noted in the system's log too, in a chain that its key endorses
    for ca in checked:
        node.act(TrustCa(tenant.uid, tenant.name, ca.sha256, _der(ca)))


def _checked(tenant_uid: bytes, cas: Sequence[x509.Certificate], known: Sequence[TrustedCa]) -> list[TrustedCa]:
    """The CAs as a tenant's, each told apart from all that are known and from one another."""
    own: list[TrustedCa] = []
    for ca in cas:
        check_authority(ca, [*known, *own], datetime.now(UTC))
        own.append(TrustedCa(tenant_uid, ca.fingerprint(hashes.SHA256()), ca))
    return own


def _der(ca: TrustedCa) -> bytes:
    return ca.certificate.public_bytes(serialization.Encoding.DER)
