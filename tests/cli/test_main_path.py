"""From nothing to a value and back, as an operator and a caller type it: every step a process of its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from deploy.demo.server_process import ServerProcess

from vault.access.issuing import create_ca, issue_server, write_private

VALUE = "+447700900123"


class Shell:
    """Runs ``pdvault`` in a folder, piped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment: dict[str, str] = {}

    def __call__(self, *arguments: str, stdin: str = "") -> list[dict[str, Any]]:
        """Run it; the objects it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "vault.cli.main", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.environment,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert VALUE not in done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_vault_is_made_served_and_used_by_commands_alone(tmp_path: Path) -> None:
    server_ca, tenant_ca = create_ca("server CA", 30), create_ca("acme CA", 30)
    server = issue_server(server_ca, ["127.0.0.1"], 30)
    for name, issued in (("server-ca", server_ca), ("acme-ca", tenant_ca), ("server", server)):
        (tmp_path / f"{name}.pem").write_bytes(issued.certificate_pem)
        write_private(tmp_path / f"{name}.key", issued.key_pem)
    (tmp_path / "vault.toml").write_text(
        'node = "node-1"\n[server]\naddress = "127.0.0.1:0"\nmetrics_address = "127.0.0.1:0"\n'
        'certificate_file = "server.pem"\nkey_file = "server.key"\n[database]\nsqlite_file = "vault.db"\n'
        '[kms]\nkind = "local"\nkeyring_file = "keyring"\nkey_file = "keyring.key"\n'
    )
    shell = Shell(tmp_path)
    shell.environment = {"PYTHONPATH": ":".join(path for path in sys.path if path), "PATH": "/usr/bin:/bin"}

    assert shell("init") == []
    assert shell("tenant", "create", "acme", "--ca", "acme-ca.pem")[0]["cas"] == 1
    roles = ("--role", "tokenizer", "--role", "reader_plain")
    issue = ("--issue-with", "acme-ca.pem", "acme-ca.key", "--out", "certs")
    assert shell("principal", "add", "acme", "billing", *roles, *issue)[0]["principal"] == "spiffe://pdvault/acme/billing"

    with ServerProcess(tmp_path / "vault.toml", tmp_path / "server.log") as running:
        shell.environment |= {
            "PDVAULT_ADDRESS": running.address,
            "PDVAULT_CACERT": "server-ca.pem",
            "PDVAULT_CERT": "certs/billing.pem",
            "PDVAULT_KEY": "certs/billing.key",
            "PDVAULT_PURPOSE": "payout",
        }
        (stored,) = shell("tokenize", "--class", "phone", "--subject", "S1", stdin=f"{VALUE}\n")
        (masked,) = shell("reveal", stored["token"])
        (plain,) = shell("reveal", stored["token"], "--form", "plain")
        (found,) = shell("search", "--class", "phone", stdin="+44 7700 900123")
        running.stop()
    assert (masked["value"], plain["value"]) == ("****0123", VALUE)
    assert (found["token"], found["subject_id"]) == (stored["token"], "S1")
    assert VALUE not in (tmp_path / "server.log").read_text()
