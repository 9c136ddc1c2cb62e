"""Configurations that can't be used: the message names file, setting and rule, and never what the setting was set to."""

from pathlib import Path

import pytest
from tests.harness import Vault

from vault.server.config import ConfigError, load
from vault.server.serve import serve

SECRET = "canary-secret-7f3a"
GOOD = """
node = "node-1"
[server]
certificate_file = "server.pem"
key_file = "server.key"
[database]
url = "postgresql+psycopg://vault@localhost/vault"
[kms]
kind = "local"
keyring_file = "keyring"
key_file = "keyring.key"
"""
TRANSIT = """kind = "transit"
address = "https://kms.example.org:8200"
ca_file = "ca.pem"
[kms.auth]
method = "approle"
role_id_file = "role"
secret_id_file = "secret"
"""
LOCAL = GOOD.split("[kms]\n")[1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.toml"


@pytest.mark.parametrize("kms", [LOCAL, TRANSIT], ids=["local", "transit"])
def test_a_good_configuration_is_read_with_paths_relative_to_it(path: Path, kms: str) -> None:
    path.write_text(GOOD.replace(LOCAL, kms))
    assert load(path).server.key_file == path.parent / "server.key"


BROKEN: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "no node": ('node = "node-1"', "", ("node", "required")),
    "a node in capitals": ('"node-1"', f'"{SECRET.upper()}"', ("node", "pattern")),
    "an unknown section": ("[server]", f"[{SECRET.replace('-', '_')}]\n[server]", ("not permitted",)),
    "an unknown setting": ("[server]", '[server]\nport = "canary-secret-7f3a"', ("server.port", "not permitted")),
    "no server": ("[server]", "[limits]", ("server", "required")),
    "no certificate": ('certificate_file = "server.pem"', "", ("server.certificate_file", "required")),
    "a certificate that is a number": ('"server.pem"', "4711081547110815", ("server.certificate_file", "path")),
    "an address without a port": ("[server]", f'[server]\naddress = "{SECRET}"', ("server.address", "HOST:PORT")),
    "an address that is a number": ("[server]", "[server]\naddress = 47110815", ("server.address", "string")),
    "a metrics address without a port": (
        "[server]",
        f'[server]\nmetrics_address = "{SECRET}"',
        ("server.metrics_address", "HOST:PORT"),
    ),
    "no database": ('url = "postgresql+psycopg://vault@localhost/vault"', "", ("database", "exactly one")),
    "two databases": ("[kms]", 'sqlite_file = "canary-secret-7f3a"\n[kms]', ("database", "exactly one")),
    "another driver": ("postgresql+psycopg://", f"mysql://{SECRET}:", ("database.url", "postgresql+psycopg://")),
    "a wrong url": ('"postgresql+psycopg://vault@localhost/vault"', f'"{SECRET}"', ("database.url", "postgresql+psycopg://")),
    "an unknown kind of kms": ('"local"', f'"{SECRET}"', ("kms.kind", "local", "transit")),
    "no kind of kms": ('kind = "local"', "", ("kms.kind", "local", "transit")),
    "two keys": ("keyring_file", 'key_variable = "canary-secret-7f3a"\nkeyring_file', ("kms", "exactly one")),
    "no key": ('key_file = "keyring.key"', "", ("kms", "exactly one")),
    "a transit setting for local": ("keyring_file", 'mount = "canary-secret-7f3a"\nkeyring_file', ("kms.mount", "not permitted")),
    "a time to live of a day": ("[kms]", "[limits]\nkey_cache_ttl_s = 47110815\n[kms]", ("limits.key_cache_ttl_s", "3600")),
    "a time to live of nothing": ("[kms]", "[limits]\nkey_cache_ttl_s = 0\n[kms]", ("limits.key_cache_ttl_s", "greater than 0")),
    "a limit that is a word": (
        "[kms]",
        f'[limits]\nmax_waiting_calls = "{SECRET}"\n[kms]',
        ("limits.max_waiting_calls", "integer"),
    ),
}
BROKEN_TRANSIT: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "plain http": ("https://kms.example.org", f"http://{SECRET}", ("kms.address", "https://")),
    "no ca": ('ca_file = "ca.pem"', "", ("kms.ca_file", "required")),
    "no login": (TRANSIT.split("[kms.auth]")[1], "", ("kms.auth.method", "approle")),
    "an unknown login": ('"approle"', f'"{SECRET}"', ("kms.auth.method", "approle", "token")),
    "a login that is a list": ('method = "approle"', f'method = ["{SECRET}"]', ("kms.auth.method", "approle")),
    "a login that lacks a file": ('role_id_file = "role"', "", ("kms.auth.role_id_file",)),
    "a secret in the file itself": ("role_id_file", f'secret_id = "{SECRET}"\nrole_id_file', ("kms.auth", "secret_id")),
    "a login that is text": (
        'ca_file = "ca.pem"\n[kms.auth]',
        f'ca_file = "ca.pem"\nauth = "{SECRET}"\n[limits]',
        ("kms.auth", "dict"),
    ),
    "a provisioner without a login": ("[kms.auth]", "[kms.provisioner]\n[kms.auth]", ("kms.provisioner.method", "approle")),
    "a key worker without a login": ("[kms.auth]", "[kms.key_worker]\n[kms.auth]", ("kms.key_worker.method", "approle")),
}


@pytest.mark.parametrize("name", [*BROKEN, *BROKEN_TRANSIT])
def test_a_broken_setting_is_named_with_its_rule_and_without_its_value(path: Path, name: str) -> None:
    old, new, mentions = (BROKEN | BROKEN_TRANSIT)[name]
    text = GOOD if name in BROKEN else GOOD.replace(LOCAL, TRANSIT)
    assert old in text
    path.write_text(text.replace(old, new, 1))
    _check_refused(path, *mentions)


def _check_refused(path: Path, *mentions: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") or message.startswith(f"{path} ")
    for mention in mentions:
        assert mention in message
    assert SECRET not in message
    assert "4711" not in message
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_file_that_is_no_toml_is_refused_where_it_stops_being_one(path: Path) -> None:
    path.write_text(GOOD + f'password = "{SECRET}\n')
    _check_refused(path, "no TOML", "line 12")
    path.write_bytes(GOOD.encode() + b"\xff\xfe" + SECRET.encode())
    _check_refused(path, "no TOML")


def test_a_file_that_is_not_there_is_refused(path: Path) -> None:
    _check_refused(path, "No such file")
    path.mkdir()
    _check_refused(path, "Is a directory")


SERVER_FILES = {
    "no certificate": ("server.pem", None, "server.certificate_file"),
    "no key": ("server.key", None, "server.key_file"),
    "a certificate that is none": ("server.pem", SECRET, "server.certificate_file"),
    "a key that is none": ("server.key", SECRET, "server.key_file"),
    "a keyring key that is none": ("keyring.key", SECRET, "base64"),
    "no keyring key": ("keyring.key", None, "missing"),
    "no page key": ("vault.db.key", None, "vault.db.key is missing"),
    "a page key that is none": ("vault.db.key", SECRET, "wrapped key"),
    "no keyring": ("keyring", None, "keyring"),
    "a keyring that is none": ("keyring", SECRET, "keyring"),
}


@pytest.mark.parametrize("name", SERVER_FILES)
def test_a_server_does_not_start_with_a_file_that_is_missing_or_broken(sqlite_vault: Vault, tmp_path: Path, name: str) -> None:
    file, content, mention = SERVER_FILES[name]
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_text(content)
    with pytest.raises(Exception, match=mention) as caught:
        serve(sqlite_vault.config)
    assert type(caught.value).__module__.startswith("vault.")
    assert SECRET not in str(caught.value)
