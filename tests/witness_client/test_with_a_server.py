"""A served vault and ``pdvault witness``, each a process of its own: cosignatures are served, and a restored vault is found out."""

import base64
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tests.harness import Vault, context
from tests.log_http.checker import Reader, read_checkpoint
from tests.log_http.site import Site, site
from tests.witness.witness_process import NAME, WitnessProcess

from vault.audit.note import Verifier, verifier
from vault.v1 import audit_pb2, vault_service_pb2

Until = Callable[[Callable[[], object]], None]
QUICKLY = "from vault.server.witnessing import client; client.LOOK_EVERY_S = 0.2"


def logs_of(vault: Vault) -> list[Verifier]:
    with vault.node() as node:
        uids = [bytes(16), *(tenant.uid for tenant in vault.tenants.values())]
        return [verifier(f"{vault.config.log.origin}/{uid.hex()}", node.key_manager.log_public_key(uid)) for uid in uids]


def witnessed_by(witness: WitnessProcess) -> str:
    """The section ``log`` of a configuration."""
    return f'witness_interval_s = 0.1\n[[log.witness]]\nkey = "{witness.vkey}"\nurl = "http://127.0.0.1:{witness.port}/"'


def cosigned_size(found: Site, witness: WitnessProcess, tenant: str = "acme", reader: Reader | None = None) -> int:
    """The size of the newest cosigned checkpoint that is served, once both signatures are good; 0 if there is none."""
    answer = (reader or found.principal(tenant=tenant)).ask(f"/{found.uid(tenant).hex()}/cosigned-checkpoint")
    if answer.status == 404:
        return 0
    size, _ = read_checkpoint(answer.body, found.origin(tenant), found.keys[found.uid(tenant)])
    note = answer.body.decode()
    text = note[: note.rindex("\n\n") + 1]
    name, key_id, typed = witness.vkey.split("+", 2)
    (line,) = (line for line in note.splitlines() if line.startswith(f"— {NAME} "))
    signed = base64.b64decode(line.split(" ")[2])
    public_key = base64.b64decode(typed)[1:]
    assert signed[:4].hex() == key_id == hashlib.sha256(f"{name}\n".encode() + b"\x04" + public_key).hexdigest()[:8]
    time_s = int.from_bytes(signed[4:12], "big")
    Ed25519PublicKey.from_public_bytes(public_key).verify(signed[12:], f"cosignature/v1\ntime {time_s}\n{text}".encode())
    return size


def conflicts(found: Site) -> float:
    with urlopen(f"http://{found.server.metrics_address()}/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("vault_witness_conflicts_total{"))


def call(found: Site, times: int) -> None:
    caller = found.server.caller()
    for _ in range(times):
        caller.call(vault_service_pb2.ListDataClassesRequest(context=context()))


def test_every_log_is_cosigned_as_it_grows(vault: Vault, tmp_path: Path, until: Until) -> None:
    folder = tmp_path / "witness"
    folder.mkdir()
    with (
        WitnessProcess(folder, logs_of(vault)) as witness,
        site(vault, f"public = true\n{witnessed_by(witness)}", QUICKLY) as found,
    ):
        stranger = found.reader(None)
        for tenant in ("acme", "globex", "system"):
            until(lambda tenant=tenant: cosigned_size(found, witness, tenant, stranger))  # type: ignore[misc]
        for _ in range(3):
            before = cosigned_size(found, witness, reader=stranger)
            call(found, 5)
            until(lambda before=before: cosigned_size(found, witness, reader=stranger) >= before + 5)  # type: ignore[misc]
        until(lambda: b"witness.example.org" in stranger.file(f"/{found.uid().hex()}/checkpoint"))
        assert conflicts(found) == 0


def test_a_vault_that_was_restored_with_its_anchors_is_found_out_by_the_witness(mould: Vault, tmp_path: Path, until: Until) -> None:
    folder, kept = tmp_path / "vault", tmp_path / "kept"
    folder.mkdir()
    vault = mould.copy(folder)
    with WitnessProcess(tmp_path, logs_of(vault)) as witness:
        log = f"public = true\n{witnessed_by(witness)}"
        with site(vault, log, QUICKLY) as found:
            until(lambda: cosigned_size(found, witness))
            assert found.server.stop() == 0
        shutil.copytree(folder, kept)

        with site(vault, log, QUICKLY) as found:
            call(found, 20)
            until(lambda: cosigned_size(found, witness) >= 30)
            largest = cosigned_size(found, witness)

        restored = replace(vault, folder=kept)
        with site(restored, log, QUICKLY) as found:
            call(found, 3)
            events: list[audit_pb2.AuditEvent] = []

            def told() -> bool:
                events[:] = [event for event in found.events() if event.action == "WitnessConflict"]
                return bool(events)

            until(told)
            (event,) = events
            assert (event.decision, event.details["witness"]) == (audit_pb2.DECISION_FAILED, NAME)
            assert int(event.details["witness_size"]) >= largest > int(event.details["size"])
            assert conflicts(found) >= 1
            assert cosigned_size(found, witness) < largest
            lines = [json.loads(line) for line in found.server.log.read_text().splitlines() if line.startswith("{")]
            assert any(line["level"] == "error" and line.get("witness") == NAME for line in lines)


def test_without_its_witness_a_vault_serves_as_ever(sqlite_vault: Vault, tmp_path: Path, until: Until) -> None:
    folder = tmp_path / "witness"
    folder.mkdir()
    with WitnessProcess(folder, logs_of(sqlite_vault)) as witness:
        log = f"public = true\n{witnessed_by(witness)}"
    with site(sqlite_vault, log, QUICKLY) as found:
        call(found, 3)
        stranger = found.reader(None)
        until(lambda: found.published_size(reader=stranger) >= 10)
        assert stranger.ask(f"/{found.uid().hex()}/cosigned-checkpoint").status == 404
        assert found.server.stop() == 0
