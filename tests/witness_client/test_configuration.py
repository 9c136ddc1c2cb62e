"""What the configuration says of witnesses: only their keys, only protected ways to them, each once; no message holds a value."""

from pathlib import Path

import pytest
from tests.harness import Vault
from tests.witness_client.double import Double

from vault.server.config import Config, ConfigError, load

KEY = Double().vkey
LOG_KEY = "pdvault.invalid/1111+3ee48ee5+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"


def config(vault: Vault, log: str) -> Config:
    file = vault.folder / "witnessed.toml"
    file.write_text(f"{(vault.folder / 'vault.toml').read_text()}\n[log]\n{log}\n")
    return load(file)


def witness(key: str = KEY, url: str = "https://witness.example.org", more: str = "") -> str:
    return f'[[log.witness]]\nkey = "{key}"\nurl = "{url}"\n{more}\n'


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("https://witness.example.org", "https://witness.example.org"),
        ("https://witness.example.org:7380/prefix/", "https://witness.example.org:7380/prefix"),
        ("http://localhost:7380", "http://localhost:7380"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("http://[::1]:7380/", "http://[::1]:7380"),
    ],
)
def test_a_witness_has_a_key_and_a_url(url: str, stored: str, sqlite_vault: Vault) -> None:
    (found,) = config(sqlite_vault, witness(url=url)).log.witness
    assert (found.key, found.url, found.ca_file) == (KEY, stored, None)


def test_the_file_of_its_ca_is_beside_the_configuration(sqlite_vault: Vault) -> None:
    (found,) = config(sqlite_vault, witness(more='ca_file = "ca.pem"')).log.witness
    assert found.ca_file == sqlite_vault.folder / "ca.pem"


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://witness.example.org",
            "http://10.0.0.1",
            "http://localhost.example.org",
            "ftp://witness.example.org",
            "localhost",
        ),
        *(
            "https://",
            "https://user@witness.example.org",
            "https://user:secret@witness.example.org",
            "https://witness.example.org?x",
        ),
        *(
            "https://witness.example.org#x",
            "https://witness.example.org:port",
            "https://[witness",
            "https://w\u00fctness.example.org",
        ),
        "",
    ],
)
def test_what_is_no_protected_url_is_refused_and_not_repeated(url: str, sqlite_vault: Vault) -> None:
    with pytest.raises(ConfigError, match=r"log\.witness\.0\.url: must be like https://") as refused:
        config(sqlite_vault, witness(url=url))
    assert url in ("", "https://") or url not in str(refused.value)


@pytest.mark.parametrize(
    "key",
    ["", "witness.example.org", LOG_KEY, f"{KEY}A", KEY.replace("witness", "wilness")],
    ids=["none", "a name only", "a log's key", "too long", "another name"],  # keys are random: every worker must name tests alike
)
def test_what_is_no_witness_key_is_refused(key: str, sqlite_vault: Vault) -> None:
    with pytest.raises(ConfigError, match=r"log\.witness\.0\.key: must be a witness's verifier key"):
        config(sqlite_vault, witness(key))


def test_two_witnesses_of_one_name_are_refused(sqlite_vault: Vault) -> None:
    with pytest.raises(ConfigError, match="each witness must have a name of its own"):
        config(sqlite_vault, witness() + witness(Double().vkey))
    assert len(config(sqlite_vault, witness() + witness(Double("second.example.org").vkey)).log.witness) == 2


def test_a_ca_that_does_not_load_is_said_at_the_start(sqlite_vault: Vault, tmp_path: Path) -> None:
    from vault.server.witnessing.running import _witness

    (sqlite_vault.folder / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "absent.pem"):
        (found,) = config(sqlite_vault, witness(more=f'ca_file = "{name}"')).log.witness
        with pytest.raises(ConfigError, match=r"log\.witness\.0\.ca_file"):
            _witness(0, found)
