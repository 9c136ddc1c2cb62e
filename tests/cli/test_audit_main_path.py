"""The whole way of an auditor against a real server: see it, hear it, count it, prove it, take it home, check it offline."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Result, Served
from tests.harness import flipped

from pdvault_client import AuditClient, EventFilter

VALUE = b"+447700900123"


def auditor_client(served: Served) -> AuditClient:
    files = served.vault.environment("auditor", served.address)
    return AuditClient(
        served.address,
        ca_file=files["PDVAULT_CACERT"],
        certificate_file=files["PDVAULT_CERT"],
        key_file=files["PDVAULT_KEY"],
        purpose="audit",
    )


@pytest.fixture(scope="module")
def story(served: Served) -> dict[str, str]:
    """One subject, of whom a phone number was stored, shown, refused and revealed; all of it in the log."""
    subject = f"S-{uuid.uuid4()}"
    token = served("app", "tokenize", "--class", "phone", "--subject", subject, stdin=VALUE).rows[0]["token"]
    assert served("support", "reveal", token).code == 0
    assert served("support", "reveal", token, "--form", "plain").code == 2
    last = served("payout", "reveal", token, "--form", "plain", "--reference", "T-17", "--recipient", "bank-1")
    assert last.code == 0
    with auditor_client(served) as client, client.tail(EventFilter(recipient="bank-1"), start_index=0) as events:
        index = next(events).index
    return {"subject": subject, "token": token, "index": str(index)}


@pytest.fixture
def audit(served: Served, tmp_path: Path) -> Any:
    """Run ``pdvault audit`` as the auditor, in UTC."""

    def audit(*arguments: object, **more: Any) -> Result:
        environment = {"XDG_STATE_HOME": str(tmp_path / "state"), "TZ": "UTC"}
        return served("auditor", "audit", *arguments, environment=environment, **more)

    return audit


def test_each_filter_finds_the_call(audit: Any, story: dict[str, str]) -> None:
    (row,) = audit("query", "--recipient", "bank-1", "--subject-id", story["subject"]).rows
    assert (row["action"], row["decision"], row["reference"]) == ("Reveal", "ALLOWED", "T-17")
    (touched,) = row["touched"]
    for option, value in {
        "--principal": "payout",
        "--action": "reveal",
        "--decision": "allowed",
        "--class": "phone",
        "--purpose": "support",
        "--recipient": "bank-1",
        "--policy": row["policy_ids"][0],
        "--node": "dev",
        "--certificate": row["certificate_sha256"],
        "--subject-id": story["subject"],
        "--subject-uid": touched["subject_uids"][0],
        "--token": story["token"],
        "--token-uid": touched["token_uids"][0],
        "--request-id": row["request_id"],
        "--from": row["time"],
    }.items():
        found = audit("query", option, value, "--limit", "1000")
        assert found.code == 0, (option, found.err)
        assert row["index"] in [event["index"] for event in found.rows], option
    assert row["index"] not in [event["index"] for event in audit("query", "--to", row["time"], "--limit", "1000").rows]


def test_looking_is_in_the_log_itself(audit: Any, served: Served, story: dict[str, str]) -> None:
    case = f"C-{uuid.uuid4()}"
    assert audit("query", "--subject-id", story["subject"], "--reference", case, "--handed-to", "court").code == 0
    with auditor_client(served) as client, client.tail(EventFilter(recipient="court"), start_index=0) as events:
        event = next(found for found in events if found.reference == case)
    assert (event.action, event.principal, event.purpose) == ("Query", "spiffe://pdvault/dev/auditor", "audit")


def test_the_subjects_story_is_told(audit: Any, story: dict[str, str]) -> None:
    done = audit("timeline", "--subject-id", "-", "--class", "phone", "-o", "table", stdin=story["subject"].encode())
    told = [re.sub(r" \[#.*\]$", "", line[7:]) for line in done.out.splitlines() if re.match(r"\d\d:\d\d  ", line)]
    assert told == [
        "app stored the phone for support — allowed by tokenizer-stores",
        "support revealed the phone (masked) for support — allowed by reader-masked-reveals",
        "support tried to reveal the phone (PLAIN) for support — denied: POLICY_DENIED",
        "payout revealed the phone (PLAIN) for support, reference T-17, released to bank-1 — allowed by reader-plain-reveals",
    ]
    assert story["subject"] not in done.out


def test_what_happened_is_counted_and_drawn(audit: Any, story: dict[str, str]) -> None:
    counts = audit("stats", "--by", "action", "--by", "decision", "--bucket", "total").rows
    denied = [row for row in counts if (row["action"], row["decision"]) == ("Reveal", "DENIED")]
    assert denied[0]["events"] >= 1
    drawn = audit("stats", "--by", "action", terminal=True)
    assert "█" in drawn.out
    assert "Tokenize" in drawn.out


def test_a_breach_report_names_whom_a_principal_touched(audit: Any, story: dict[str, str]) -> None:
    summary, *rows = audit("breach", "--principal", "payout", "--from", "1d", "--with-subject-ids").rows
    assert summary["subjects"] == 1
    assert summary["checkpoint"].startswith("pdvault.invalid/")
    (row,) = rows
    assert (row["subject_id"], row["class"], row["purpose"], row["use"]) == (story["subject"], "phone", "support", "revealed")
    assert row["first_index"] == int(story["index"])
    _, refused = (audit("breach", "--principal", name, "--from", "1d").rows for name in ("payout", "support"))
    assert {row["use"] for row in refused[1:]} == {"masked", "refused"}


def test_the_log_is_taken_home_and_found_good_and_has_only_grown_since(audit: Any, story: dict[str, str], tmp_path: Path) -> None:
    key = audit("checkpoint").rows[0]["log_key"]
    for name in ("first.zip", "second.zip"):
        exported = audit("export", "-o", tmp_path / name)
        assert exported.code == 0, exported.err
        checked = audit("verify", tmp_path / name, "--log-key", key)
        assert checked.code == 0, checked.out + checked.err
        assert checked.out.startswith("OK pdvault.invalid/")
    assert exported.rows[0]["known_size"] > 0
    assert "seen before" in checked.out


def test_one_entry_is_proven(audit: Any, story: dict[str, str], tmp_path: Path) -> None:
    out, leaf = tmp_path / "one.tlog-proof", tmp_path / "one.leaf"
    done = audit("prove", story["index"], "--out", out, "--leaf", leaf)
    assert done.code == 0, done.err
    key = audit("checkpoint").rows[0]["log_key"]
    assert audit("verify", "--proof", out, "--leaf", leaf, "--log-key", key).code == 0
    leaf.write_bytes(flipped(leaf.read_bytes()))
    assert audit("verify", "--proof", out, "--leaf", leaf, "--log-key", key).code == 1


@pytest.mark.parametrize("principal", ["app", "support", "payout", "admin"])
def test_nobody_but_an_auditor_reads_the_log(served: Served, principal: str, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.zip"
    for command in (("query",), ("checkpoint",), ("tail", "--lines", "0"), ("stats",), ("export", "-o", bundle)):
        done = served(principal, "audit", *command)
        assert (done.code, done.out) == (2, "")
        assert "POLICY_DENIED" in done.err
    assert not bundle.exists()


def test_a_tail_shows_what_happens_while_it_runs_and_ends_with_ctrl_c(served: Served) -> None:
    command = [
        sys.executable,
        "-m",
        "vault.cli.main",
        "audit",
        "tail",
        "--action",
        "Tokenize",
        "--lines",
        "0",
        "--since-index",
        "0",
    ]
    environment = {**os.environ, **served.vault.environment("auditor", served.address), "PYTHONPATH": os.pathsep.join(sys.path)}
    subject = f"S-{uuid.uuid4()}"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        seen = events_of(process.stdout)
        assert served("app", "tokenize", "--class", "phone", "--subject", subject, "--reference", "now", stdin=VALUE).code == 0
        assert next(event for event in seen if event["reference"] == "now")["action"] == "Tokenize"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 0
    assert re.fullmatch(r"To go on: --since-index \d+\n", err)


def events_of(lines: Any) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in lines)


def test_a_client_closed_by_another_thread_ends_its_tail_at_a_real_server(served: Served, story: dict[str, str]) -> None:
    client = auditor_client(served)
    tail = client.tail(start_index=0)
    begun = threading.Event()

    def follow() -> None:
        for _ in tail:
            begun.set()

    thread = threading.Thread(target=follow)
    thread.start()
    assert begun.wait(60)
    client.close()
    thread.join(60)
    assert not thread.is_alive()
