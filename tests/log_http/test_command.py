"""``pdvault serve --log-address``."""

import json
import signal
import subprocess
import sys

import pytest
from tests.harness import Vault
from tests.log_http.checker import Reader


def command(vault: Vault, address: str) -> list[str]:
    options = ["--config", str(vault.folder / "vault.toml"), "--log-address", address]
    return [sys.executable, "-m", "vault.cli.main", "serve", *options]


def test_the_option_serves_the_logs(sqlite_vault: Vault) -> None:
    process = subprocess.Popen(command(sqlite_vault, "127.0.0.1:0"), stderr=subprocess.PIPE)
    assert process.stderr
    try:
        lines = (json.loads(line) for line in process.stderr)
        address = next(line["address"] for line in lines if line["event"] == "serving logs")
        auditor = sqlite_vault.tenants["acme"].clients["auditor"]
        reader = Reader(address, sqlite_vault.server_ca.certificate_pem, auditor.certificate_pem, auditor.key_pem)
        assert reader.ask(f"/{sqlite_vault.tenants['acme'].uid.hex()}/checkpoint").status == 200
        reader.close()
    finally:
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        process.stderr.close()
        assert process.wait() == 0


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1:99999", ":8444", "127.0.0.1:"])
def test_what_is_no_address_is_refused(address: str, sqlite_vault: Vault) -> None:
    ended = subprocess.run(command(sqlite_vault, address), capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert "must be HOST:PORT" in ended.stderr
