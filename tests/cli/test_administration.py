"""Making a vault, its tenants and its principals: repeatable, exclusive, and clear about what is wrong."""

import secrets
import stat
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from deploy.demo.server_process import ServerProcess
from tests.cli.conftest import ANY_PORT, Draft, Result, Run

from vault.access.issuing import Issued, create_ca, issue_server, write_private
from vault.cli import options
from vault.cli.development import DevVault, make, write_certificates, write_config
from vault.server.config import load

LOCAL_KMS = '[kms]\nkind = "local"\nkeyring_file = "keyring"\nkey_file = "keyring.key"\n'


@pytest.fixture
def admin(pdvault: Run, draft: Draft) -> Run:
    """Runs a command with the draft's configuration."""
    return lambda *arguments, **more: pdvault(*arguments, "--config", draft.config, **more)


@pytest.fixture
def acme(initialised: Draft, admin: Run) -> Draft:
    """A vault with the tenant acme."""
    assert admin("tenant", "create", "acme", "--ca", initialised.path("tenant-ca.pem")).code == 0
    return initialised


def test_init_says_what_it_does_on_stderr_and_nothing_on_stdout(draft: Draft, admin: Run) -> None:
    done = admin("init")
    assert (done.code, done.out) == (0, "")
    assert "keyring" in done.err
    assert "tenant create" in done.err


def test_init_refuses_a_vault_that_exists_and_leaves_it_alone(initialised: Draft, admin: Run) -> None:
    before = {path: path.read_bytes() for path in initialised.folder.glob("*key*")}
    again = admin("init")
    assert again.code == 1
    assert "initialised already" in again.err
    assert {path: path.read_bytes() for path in initialised.folder.glob("*key*")} == before


@pytest.mark.parametrize(
    "step",
    [
        "vault.kms.local.provisioner.LocalProvisioner.create_keyring",
        "vault.kms.local.provisioner.LocalProvisioner.create_tenant_keys",
        "vault.cli.installation.create_database_key",
        "vault.server.node.os.replace",
        "vault.store.schema.upgrade",
        "vault.server.node.Node.create_tenant",
    ],
)
def test_init_goes_on_where_it_was_interrupted(step: str, draft: Draft, admin: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(step, power_cut)
        assert admin("init").code == 1
    assert admin("tenant", "list").code == 1
    assert admin("init").code == 0
    assert admin("tenant", "create", "acme", "--ca", draft.path("tenant-ca.pem")).code == 0


@pytest.mark.parametrize(("lost", "named"), [("keyring", "keyring"), ("vault.db.key", "vault.db.key")])
def test_init_makes_no_new_keys_for_a_database_whose_keys_are_lost(lost: str, named: str, initialised: Draft, admin: Run) -> None:
    initialised.path(lost).unlink()
    done = admin("init")
    assert done.code == 1
    assert named in done.err
    assert "backup" in done.err
    assert not initialised.path(lost).exists()


def test_keys_and_database_are_readable_by_their_owner_only(initialised: Draft) -> None:
    for name in ("keyring", "keyring.key", "vault.db", "vault.db.key"):
        assert stat.S_IMODE(initialised.path(name).stat().st_mode) == 0o600


def test_without_a_configuration_one_is_shown_that_holds(pdvault: Run, tmp_path: Path) -> None:
    done = pdvault("init", "--config", tmp_path / "vault.toml")
    assert done.code == 1
    example = done.err.partition("\n\n")[2]
    assert tomllib.loads(example) == tomllib.loads(options._EXAMPLE)
    (tmp_path / "vault.toml").write_text(example)
    assert load(tmp_path / "vault.toml").node == "node-1"


@pytest.mark.parametrize(
    "command",
    [
        ("tenant", "list"),
        ("tenant", "create", "acme", "--ca", "tenant-ca.pem"),
        ("principal", "list", "a"),
        ("serve",),
        ("db", "upgrade"),
    ],
)
def test_a_vault_that_was_never_initialised_says_so(
    command: tuple[str, ...], draft: Draft, admin: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(draft.folder)
    done = admin(*command)
    assert done.code == 1
    assert "pdvault init" in done.err


def test_an_operator_gets_the_log_s_key_that_auditors_get_of_the_server(draft: Draft, pdvault: Run) -> None:
    vault = make(draft.folder / "dev", ANY_PORT, ANY_PORT)
    config = ("--config", vault.config_file)
    own, system = (pdvault("tenant", "log-key", name, *config).out.strip() for name in ("dev", "system"))
    with ServerProcess(vault.config_file, draft.path("server.log")) as server:
        environment = {**vault.environment("auditor", server.address), "XDG_STATE_HOME": str(draft.folder)}
        asked = pdvault("audit", "checkpoint", "-o", "json", environment=environment)
    assert asked.rows[0]["log_key"] == own
    assert system.startswith(f"pdvault.invalid/{'0' * 32}+")
    assert "no tenant nobody" in pdvault("tenant", "log-key", "nobody", *config).err


def test_tenants_are_listed_with_their_cas(acme: Draft, admin: Run) -> None:
    (row,) = admin("tenant", "list").rows
    assert (row["tenant"], row["state"], row["cas"], len(row["uid"])) == ("acme", "ACTIVE", 1, 32)


@pytest.mark.parametrize("name", ["acme", "system"])
def test_a_tenants_name_is_taken_once(name: str, acme: Draft, admin: Run) -> None:
    acme.path("new.pem").write_bytes(create_ca("new CA", 30).certificate_pem)
    done = admin("tenant", "create", name, "--ca", acme.path("new.pem"))
    assert done.code == 1
    assert f"a tenant {name} already" in done.err
    assert len(admin("tenant", "list").rows) == 1


@pytest.mark.parametrize("name", ["Acme", "a_b", "a" * 64, "", "a/b"])
def test_a_tenants_name_keeps_its_rule(name: str, initialised: Draft, admin: Run) -> None:
    done = admin("tenant", "create", name, "--ca", initialised.path("tenant-ca.pem"))
    assert done.code == 1
    assert "1 to 63 characters" in done.err


def _server(ca: Issued) -> bytes:
    return issue_server(ca, ["localhost"], 30).certificate_pem


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (_server, "may not sign"),
        (lambda _: b"no certificate", "no PEM certificate"),
        (lambda ca: ca.certificate_pem * 2, "has the key"),
    ],
    ids=["no CA", "no certificate", "twice the same"],
)
def test_a_ca_that_could_not_serve_is_refused(
    content: Callable[[Issued], bytes], problem: str, initialised: Draft, admin: Run
) -> None:
    initialised.path("new.pem").write_bytes(content(create_ca("new CA", 30)))
    done = admin("tenant", "create", "other", "--ca", initialised.path("new.pem"))
    assert done.code == 1
    assert problem in done.err
    assert admin("tenant", "list").rows == []


def test_a_ca_belongs_to_one_tenant(acme: Draft, admin: Run) -> None:
    done = admin("tenant", "create", "other", "--ca", acme.path("tenant-ca.pem"))
    assert done.code == 1
    assert "registered already" in done.err


def test_principals_are_added_suspended_and_let_back(acme: Draft, admin: Run) -> None:
    assert admin("principal", "add", "acme", "billing", "--role", "tokenizer", "--role", "admin").code == 0
    own = "spiffe://example.org/ns/shop/sa/crm"
    assert admin("principal", "add", "acme", own, "--role", "reader_masked", "--kind", "human").code == 0
    assert admin("principal", "suspend", "acme", "billing").rows[0]["state"] == "SUSPENDED"
    first, second = admin("principal", "list", "acme").rows
    assert first == {"principal": own, "kind": "human", "state": "ACTIVE", "roles": ["reader_masked"]}
    assert second["state"] == "SUSPENDED"
    assert second["roles"] == ["admin", "tokenizer"]
    assert admin("principal", "resume", "acme", "spiffe://pdvault/acme/billing").code == 0
    assert {row["state"] for row in admin("principal", "list", "acme").rows} == {"ACTIVE"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("add", "nobody", "billing", "--role", "admin"), "no tenant nobody"),
        (("add", "acme", "Billing", "--role", "admin"), "1 to 63 characters"),
        (("add", "acme", "https://example.org/x", "--role", "admin"), "SPIFFE"),
        (("add", "acme", "billing", "--role", "root"), "--role"),
        (("add", "acme", "billing"), "--role"),
        (("suspend", "acme", "billing"), "PRINCIPAL_UNKNOWN"),
        (("list", "nobody"), "no tenant nobody"),
    ],
)
def test_principals_that_cannot_be_are_refused(arguments: tuple[str, ...], problem: str, acme: Draft, admin: Run) -> None:
    done = admin("principal", *arguments)
    assert (done.code, done.out) == (1, "")
    assert problem in done.err


@pytest.fixture
def issue(acme: Draft, admin: Run) -> Run:
    """Adds a principal with a certificate of a CA and its key."""
    more = ("--role", "tokenizer", "--out", acme.path("certs"))
    return lambda name, ca, key: admin("principal", "add", "acme", name, "--issue-with", acme.path(ca), acme.path(key), *more)


def test_a_certificate_is_issued_with_a_private_key_for_its_owner_only(acme: Draft, issue: Run) -> None:
    assert issue("billing", "tenant-ca.pem", "tenant-ca.key").code == 0
    assert stat.S_IMODE((acme.path("certs") / "billing.key").stat().st_mode) == 0o600
    assert (acme.path("certs") / "billing.pem").read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")


def test_neither_certificate_nor_principal_remains_where_the_other_is_refused(acme: Draft, admin: Run, issue: Run) -> None:
    assert admin("principal", "add", "acme", "billing", "--role", "tokenizer").code == 0
    assert "exists" in issue("billing", "tenant-ca.pem", "tenant-ca.key").err
    assert list(acme.path("certs").iterdir()) == []
    acme.path("certs").joinpath("crm.pem").touch()
    assert "exists" in issue("crm", "tenant-ca.pem", "tenant-ca.key").err
    assert [path.name for path in acme.path("certs").iterdir()] == ["crm.pem"]
    assert len(admin("principal", "list", "acme").rows) == 1


@pytest.mark.parametrize(
    ("ca", "key", "problem"),
    [
        ("server-ca.pem", "tenant-ca.key", "no issuing CA of this tenant"),
        ("tenant-ca.pem", "server.key", "is not"),
        ("tenant-ca.pem", "tenant-ca.pem", "is not"),
        ("tenant-ca.key", "tenant-ca.key", "no PEM certificate"),
    ],
)
def test_a_certificate_that_would_be_refused_is_not_issued(
    ca: str, key: str, problem: str, acme: Draft, admin: Run, issue: Run
) -> None:
    done = issue("billing", ca, key)
    assert done.code == 1
    assert problem in done.err
    assert admin("principal", "list", "acme").rows == []


def test_a_second_process_on_one_sqlite_file_is_refused(acme: Draft, admin: Run) -> None:
    with ServerProcess(acme.config, acme.path("server.log")):
        done = admin("tenant", "list")
        assert done.code == 1
        assert "another process has this SQLite vault open; stop it first" in done.err
        served = admin("serve")
        assert served.code == 1
        assert "another process" in served.err
    assert admin("tenant", "list").code == 0


def test_db_upgrade_says_which_schema_there_is(initialised: Draft, admin: Run) -> None:
    done = admin("db", "upgrade")
    assert done.code == 0
    assert done.rows[0]["schema"]
    refused = admin("db", "upgrade", "--grant-to", "vault_server")
    assert refused.code == 1
    assert "PostgreSQL" in refused.err


@pytest.fixture
def on_postgres(tmp_path: Path, new_postgres_url: Callable[[], str], pdvault: Run) -> Iterator["OnPostgres"]:
    """An initialised vault on PostgreSQL, with a configuration for the owner of its tables and one for its server."""
    vault = DevVault(tmp_path / "vault")
    write_certificates(vault, ANY_PORT)
    url = sa.make_url(new_postgres_url())
    suffix = secrets.token_hex(4)
    made = OnPostgres(vault, vault.folder / "owner.toml", f"server_{suffix}", f"log_{suffix}", pdvault)
    for file, user in (("owner-url", url.username), ("server-url", made.role), ("log-url", made.log_role)):
        address = url.set(username=user).render_as_string(hide_password=False)
        write_private(vault.folder / file, address.encode())
    write_config(made.owner, ANY_PORT, ANY_PORT, f'[database]\nurl_file = "owner-url"\n{LOCAL_KMS}')
    served = f'[database]\nurl_file = "server-url"\nlog_url_file = "log-url"\n{LOCAL_KMS}'
    write_config(vault.config_file, ANY_PORT, ANY_PORT, served)
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for role in (made.role, made.log_role):
            connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN")
        made.admin("init")
        made.admin("db", "upgrade", "--grant-to", made.role, "--grant-log-to", made.log_role)
        made.admin("tenant", "create", "dev", "--ca", vault.folder / "tenant-ca.pem")
        yield made
        for role in (made.role, made.log_role):
            connection.exec_driver_sql(f"DROP OWNED BY {role}")
            connection.exec_driver_sql(f"DROP ROLE {role}")
    engine.dispose()


@dataclass(frozen=True)
class OnPostgres:
    """See the fixture."""

    vault: DevVault
    owner: Path
    role: str
    log_role: str
    pdvault: Run

    def admin(self, *arguments: object) -> None:
        """A command of the owner's that must succeed."""
        done = self.pdvault(*arguments, "--config", self.owner)
        assert done.code == 0, done.err


def test_on_postgresql_a_suspended_principal_is_refused_on_its_next_call_without_a_restart(
    on_postgres: OnPostgres, pdvault: Run, tmp_path: Path
) -> None:
    on_postgres.admin("principal", "add", "dev", "app", "--role", "tokenizer")
    with ServerProcess(on_postgres.vault.config_file, tmp_path / "server.log") as server:
        environment = on_postgres.vault.environment("app", server.address)

        def tokenize() -> Result:
            call = ("tokenize", "--class", "phone", "--subject", "S1", "--purpose", "payout")
            return pdvault(*call, stdin=b"+447700900123", environment=environment)

        assert tokenize().code == 0
        on_postgres.admin("principal", "suspend", "dev", "app")
        refused = tokenize()
        assert refused.code == 2
        assert "PRINCIPAL_SUSPENDED" in refused.err
        on_postgres.admin("principal", "resume", "dev", "app")
        assert tokenize().code == 0


def test_on_postgresql_the_servers_role_may_look_but_not_administer(on_postgres: OnPostgres, pdvault: Run) -> None:
    config = ("--config", on_postgres.vault.config_file)
    assert [row["tenant"] for row in pdvault("tenant", "list", *config).rows] == ["dev"]
    assert pdvault("principal", "list", "dev", *config).code == 0
    for command in (
        ("principal", "add", "dev", "app", "--role", "tokenizer"),
        ("principal", "suspend", "dev", "app"),
        ("tenant", "create", "other", "--ca", on_postgres.vault.folder / "server-ca.pem"),
    ):
        done = pdvault(*command, *config)
        assert done.code == 1
        assert "use the one that owns the tables" in done.err
    assert "initialised already" in pdvault("init", *config).err


def test_on_postgresql_rights_are_given_to_roles_that_exist(on_postgres: OnPostgres, pdvault: Run) -> None:
    for role, problem in (("nobody_here", "no such role"), ('x"; --', "lower-case letters")):
        done = pdvault("db", "upgrade", "--grant-to", role, "--config", on_postgres.owner)
        assert done.code == 1
        assert problem in done.err


def test_on_postgresql_init_needs_the_owner(on_postgres: OnPostgres, new_postgres_url: Callable[[], str]) -> None:
    url = sa.make_url(new_postgres_url()).set(username=on_postgres.role).render_as_string(hide_password=False)
    on_postgres.vault.folder.joinpath("server-url").write_text(url)
    done = on_postgres.pdvault("init", "--config", on_postgres.vault.config_file)
    assert done.code == 1
    assert "the one that owns the tables" in done.err
