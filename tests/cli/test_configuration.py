"""A configuration that can't be used ends the command with the setting's name and what must hold, never with the value."""

import re

import pytest
from tests.cli.conftest import Draft, Run

SECRET = "s3cr3t-value"

TRANSIT = """
[kms]
kind = "transit"
address = "https://127.0.0.1:8200"
ca_file = "server-ca.pem"
[kms.auth]
method = "token"
token_file = "token"
"""


def replaced(pattern: str, by: str, text: str) -> str:
    changed, count = re.subn(pattern, by, text, count=1, flags=re.MULTILINE | re.DOTALL)
    assert count == 1
    return changed


@pytest.mark.parametrize(
    ("pattern", "by", "named"),
    [
        (r"^node = .*?$", "", "node"),
        (r'"dev"', f'"{SECRET} !"', "node"),
        (r"^address = .*?$", "address = 8443", "server.address"),
        (r"^address = .*?$", 'address = "127.0.0.1:99999"', "server.address: must be HOST:PORT"),
        (r"^metrics_address = .*?$", 'metrics_address = "nowhere"', "server.metrics_address: must be HOST:PORT"),
        (r"^certificate_file = .*?$", "", "server.certificate_file"),
        (r"\[server\]", f'[server]\nworkers = "{SECRET}"', "server.workers"),
        (r"\[server\]", f'[extra]\nx = "{SECRET}"\n[server]', "extra"),
        (r"^sqlite_file = .*?$", "", "database: give exactly one"),
        (r"^sqlite_file = ", f'url = "postgresql+psycopg://u:{SECRET}@h/d"\nsqlite_file = ', "database: give exactly one"),
        (r"^sqlite_file = .*?$", f'url = "mysql://u:{SECRET}@h/d"', "database.url: must begin with postgresql+psycopg://"),
        (r'kind = "local"', f'kind = "{SECRET}"', "kms.kind: must be"),
        (r'kind = "local"', "", "kms"),
        (r"^keyring_file = .*?$", "", "kms.keyring_file"),
        (r"^key_file = \"keyring.key\"$", "", "kms: give exactly one of key_file, key_variable and passphrase_file"),
        (r"\Z", "\n[limits]\nkey_cache_ttl_s = -1\n", "limits.key_cache_ttl_s"),
        (r"\Z", f'\n[limits]\ndrain_s = "{SECRET}"\n', "limits.drain_s"),
        (r"\[kms\].*", TRANSIT.replace("https", "http"), "kms.address: the KMS address must begin with https"),
        (r"\[kms\].*", TRANSIT.replace('"token"', f'"{SECRET}"', 1), "kms.auth.method: must be one of"),
        (r"\[kms\].*", TRANSIT + f'password = "{SECRET}"\n', "kms.auth: has unknown settings: password"),
        (r"\[kms\].*", TRANSIT.replace('token_file = "token"', ""), "kms.auth.token_file"),
        (r"\[kms\].*", TRANSIT + '[kms.provisioner]\nmethod = "approle"\n', "kms.provisioner.role_id_file"),
        (r"\[kms\].*", "[kms", "is no TOML"),
    ],
)
def test_a_broken_setting_is_named(pattern: str, by: str, named: str, draft: Draft, pdvault: Run) -> None:
    draft.config.write_text(replaced(pattern, by, draft.config.read_text()))
    done = pdvault("serve", "--config", draft.config)
    assert (done.code, done.out) == (1, "")
    assert named in done.err
    assert str(draft.config) in done.err
    assert SECRET not in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("pattern", "by", "named"),
    [
        (r"^certificate_file = .*?$", 'certificate_file = "missing.pem"', "server.certificate_file"),
        (r'^key_file = "server.key"$', 'key_file = "missing.key"', "server.key_file"),
        (r'^key_file = "server.key"$', 'key_file = "tenant-ca.key"', "server.certificate_file and server.key_file"),
        (r"^address = .*?$", 'address = "256.0.0.1:8443"', "server.address"),
        (r"^metrics_address = .*?$", 'metrics_address = "256.0.0.1:9464"', "server.metrics_address"),
    ],
)
def test_what_is_found_wrong_only_when_serving_is_named_too(
    pattern: str, by: str, named: str, initialised: Draft, pdvault: Run
) -> None:
    assert pdvault("tenant", "create", "a", "--ca", initialised.path("tenant-ca.pem"), "--config", initialised.config).code == 0
    initialised.config.write_text(replaced(pattern, by, initialised.config.read_text()))
    done = pdvault("serve", "--config", initialised.config)
    assert done.code == 1
    assert named in done.err


def test_without_a_tenant_there_is_nothing_to_serve(initialised: Draft, pdvault: Run) -> None:
    done = pdvault("serve", "--config", initialised.config)
    assert done.code == 1
    assert "pdvault tenant create" in done.err


def test_an_unreachable_database_is_an_error_here_without_the_drivers_words(draft: Draft, pdvault: Run) -> None:
    url = f"postgresql+psycopg://u:{SECRET}@127.0.0.1:1/d"
    draft.config.write_text(replaced(r"^sqlite_file = .*?$", f'url = "{url}"', draft.config.read_text()))
    done = pdvault("init", "--config", draft.config)
    assert done.code == 1
    assert "DATABASE_UNAVAILABLE" in done.err
    assert SECRET not in done.err


def test_a_url_file_without_a_url_is_named(draft: Draft, pdvault: Run) -> None:
    draft.path("url").write_text(f"postgres://{SECRET}")
    draft.config.write_text(replaced(r"^sqlite_file = .*?$", 'url_file = "url"', draft.config.read_text()))
    done = pdvault("init", "--config", draft.config)
    assert done.code == 1
    assert "database.url_file" in done.err
    assert SECRET not in done.err
