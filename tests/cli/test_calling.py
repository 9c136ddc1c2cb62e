"""tokenize, reveal and search against a real server: values by stdin only, refusals explained, nothing shown unasked."""

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
import uuid
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.cli.conftest import Result, Served

VALUE = b"+447700900123"


@pytest.fixture
def subject() -> str:
    """A subject that nothing is known of yet."""
    return f"S-{uuid.uuid4()}"


def stored(served: Served, subject: str, *more: str, value: bytes = VALUE, data_class: str = "phone") -> str:
    done = served("app", "tokenize", "--class", data_class, "--subject", subject, *more, stdin=value)
    assert done.code == 0, done.err
    return str(done.rows[0]["token"])


def test_a_value_comes_back_masked_in_part_and_plain(served: Served, subject: str) -> None:
    token = stored(served, subject)

    def revealed(principal: str, *form: str) -> object:
        return served(principal, "reveal", token, *form).rows[0]

    assert revealed("support") == {"token": token, "data_class": "phone", "form": "masked", "value": "****0123"}
    assert revealed("support", "--form", "partial:last4") == {
        "token": token,
        "data_class": "phone",
        "form": "partial:last4",
        "value": "0123",
    }
    assert revealed("payout", "--form", "plain") == {
        "token": token,
        "data_class": "phone",
        "form": "plain",
        "value": VALUE.decode(),
    }


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_one_newline_at_the_end_is_not_part_of_a_text(ending: bytes, served: Served, subject: str) -> None:
    token = stored(served, subject, value=b"a note\n" + ending, data_class="free_text")
    (row,) = served("payout", "reveal", token, "--form", "plain").rows
    assert row["value"] == ("a note\n" if ending else "a note")


def test_a_value_can_come_from_a_file_and_be_bytes(served: Served, subject: str, tmp_path: Path) -> None:
    face = bytes(2046) + b"\x80?"
    (tmp_path / "face.bin").write_bytes(face)
    options = ("--class", "face_template", "--subject", subject, "--value-file", tmp_path / "face.bin")
    token = served("app", "tokenize", "--bytes", *options).rows[0]["token"]
    (row,) = served("payout", "reveal", token, "--form", "plain").rows
    assert b64decode(row["value_base64"]) == face
    as_text = served("app", "tokenize", *options)
    assert as_text.code == 1
    assert "not UTF-8" in as_text.err


def test_tokens_can_be_limited_expire_and_be_the_same_again(served: Served, subject: str) -> None:
    once = stored(served, subject, "--max-reveals", "1")
    assert served("support", "reveal", once).code == 0
    again = served("support", "reveal", once)
    assert again.code == 2
    assert "TOKEN_USED_UP" in again.err
    (row,) = served("app", "tokenize", "--class", "phone", "--subject", subject, "--ttl", "30d", stdin=VALUE).rows
    assert row["expire_time"].endswith("+00:00")
    assert stored(served, subject, "--deterministic") == stored(served, subject, "--deterministic")
    assert stored(served, subject) != stored(served, subject)


def test_a_call_can_be_repeated_under_its_request_id(served: Served, subject: str) -> None:
    request_id = str(uuid.uuid4())
    assert stored(served, subject, "--request-id", request_id) == stored(served, subject, "--request-id", request_id)
    assert len(served("support", "search", "--subject", subject).rows) == 1


def test_search_finds_by_normalised_value_and_by_subject(served: Served, subject: str) -> None:
    value = b"+4930231253%02d" % (uuid.uuid4().int % 100)
    phone = stored(served, subject, value=value)
    email = stored(served, subject, value=b"li@example.org", data_class="email")
    spaced = value[:3] + b" " + value[3:]
    assert phone in {row["token"] for row in served("support", "search", "--class", "phone", stdin=spaced).rows}
    assert {row["token"] for row in served("support", "search", "--subject", subject).rows} == {phone, email}
    (row,) = served("support", "search", "--subject", subject, "--class", "email").rows
    assert (row["token"], row["subject_id"], row["purposes"], row["revision"]) == (email, subject, ["support"], 1)
    assert len(served("support", "search", "--subject", subject, "--limit", "1").rows) == 1


def test_finding_nothing_is_no_error(served: Served) -> None:
    found = served("support", "search", "--subject", "nobody")
    assert (found.code, found.out) == (0, "")
    table = served("support", "search", "--subject", "nobody", "-o", "table")
    assert (table.code, table.out, table.err) == (0, "", "Nothing found.\n")


def test_any_number_of_tokens_can_be_piped_in(served: Served, subject: str) -> None:
    tokens = [stored(served, subject) for _ in range(3)] * 40
    lines = "".join(f"{token}\n\n" for token in tokens).encode()
    assert [row["token"] for row in served("support", "reveal", stdin=lines).rows] == tokens


@pytest.fixture
def refused(served: Served, subject: str) -> dict[str, Result]:
    """Calls that the server refuses, by reason."""
    token = stored(served, subject)
    return {
        "POLICY_DENIED": served("support", "reveal", token, "--form", "plain"),
        "PURPOSE_NOT_COLLECTED": served("payout", "reveal", token, "--purpose", "marketing"),
        "TOKEN_NOT_FOUND": served("support", "reveal", "pho_00000000000000000000000000"),
        "UNKNOWN_DATA_CLASS": served("app", "tokenize", "--class", "shoe_size", "--subject", subject, stdin=VALUE),
        "INVALID_VALUE": served("app", "tokenize", "--class", "email", "--subject", subject, stdin=VALUE),
        "INVALID_FIELD": served("app", "tokenize", "--class", "phone", "--subject", "S" * 129, stdin=VALUE),
        "REFERENCE_LOOKS_PERSONAL": served("support", "reveal", token, "--reference", "4111111111111111"),
        "UNAVAILABLE": served("support", "reveal", token, environment={"PDVAULT_ADDRESS": "127.0.0.1:1"}),
    }


def test_what_the_server_refuses_is_code_2_with_reason_and_request_id_and_without_the_value(refused: dict[str, Result]) -> None:
    for reason, done in refused.items():
        assert (done.code, done.out) == (2, ""), reason
        assert re.search(rf"\[{reason}, request [0-9a-f-]{{36}}\]", done.err), done.err
        assert VALUE.decode() not in done.err
        assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("tokenize", VALUE, "--class", "phone", "--subject", "S1"),
        ("tokenize", "--class", "phone", "--subject", "S1", "--value", VALUE),
        ("search", "--class", "phone", VALUE),
        ("search", "--subject", "S1", VALUE),
        ("tokenize", "--class", "phone", "--subject", "S1", "--ttl", VALUE),
        ("tokenize", "--class", "phone", "--subject", "S1", "--request-id", VALUE),
        ("tokenize", "--class", "phone", "--subject", "S1", "--column", VALUE),
        ("reveal", "pho_X", "--form", VALUE),
    ],
)
def test_a_value_given_as_an_argument_is_refused_and_not_repeated(arguments: tuple[bytes | str, ...], served: Served) -> None:
    done = served("app", *(part.decode() if isinstance(part, bytes) else part for part in arguments))
    assert (done.code, done.out) == (1, "")
    assert VALUE.decode() not in done.err


@pytest.mark.parametrize(
    ("value", "problem"),
    [(b"", "no value"), (b"\n", "no value"), (b"\xff\xfe", "not UTF-8"), (b"x" * (2**20 + 3), "more than 1048576 bytes")],
    ids=["nothing", "a newline", "no text", "too long"],
)
def test_what_is_no_value_is_refused_before_a_call(value: bytes, problem: str, served: Served) -> None:
    done = served("app", "tokenize", "--class", "phone", "--subject", "S1", stdin=value)
    assert done.code == 1
    assert problem in done.err
    assert "xff" not in done.err


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"PDVAULT_CERT": "", "PDVAULT_KEY": ""}, "PDVAULT_CERT, PDVAULT_KEY not set"),
        ({"PDVAULT_KEY": "/nowhere.key"}, "/nowhere.key"),
        ({"PDVAULT_PURPOSE": ""}, "--purpose"),
    ],
)
def test_what_is_missing_to_call_is_named(changes: dict[str, str], problem: str, served: Served) -> None:
    done = served("support", "reveal", "pho_X", environment=changes)
    assert done.code == 1
    assert problem in done.err


def test_a_key_that_is_not_the_certificates_is_explained(served: Served) -> None:
    other = served.vault.environment("app", served.address)["PDVAULT_KEY"]
    done = served("support", "reveal", "pho_X", environment={"PDVAULT_KEY": other})
    assert done.code == 1
    assert "belong together" in done.err


@pytest.mark.parametrize(
    "arguments", [("tokenize", "--class", "phone"), ("tokenize", "--subject", "S1"), ("tokenize",), ("search",), ("reveal",)]
)
def test_half_a_command_is_a_usage_error_here(arguments: tuple[str, ...], served: Served) -> None:
    done = served("app", *arguments)
    assert done.code == 1
    assert "Usage:" in done.err


def test_on_a_terminal_a_table_is_printed_and_in_a_pipe_json(served: Served, subject: str) -> None:
    token = stored(served, subject)
    assert json.loads(served("support", "reveal", token).out)["token"] == token
    for table in (served("support", "reveal", token, terminal=True), served("support", "reveal", token, "-o", "table")):
        assert token in table.out
        assert "data_class" in table.out
        assert not table.out.startswith("{")


def rows_with_escapes(served: Served, token: str) -> Iterator[str]:
    for output in ("table", "json"):
        yield served("payout", "reveal", token, "--form", "plain", "-o", output).out


def test_a_stored_value_cannot_command_the_terminal_it_is_shown_on(served: Served, subject: str) -> None:
    evil = "\x1b]0;owned\x07\x1b[31m[bold red]x[/]\u202e\x9b31m"
    token = stored(served, subject, value=evil.encode(), data_class="free_text")
    table, line = rows_with_escapes(served, token)
    for out in (table, line):
        assert not set("\x1b\x07\x9b\u202e") & set(out)
        assert "[bold red]x[/]" in out
    assert json.loads(line)["value"] == evil


def test_on_a_terminal_a_value_is_asked_for_and_not_shown(served: Served, subject: str) -> None:
    arguments = ["tokenize", "--class", "phone", "--subject", subject, "--purpose", "support"]
    path = os.pathsep.join(part for part in sys.path if part)
    environment = {**os.environ, **served.vault.environment("app", served.address), "PYTHONPATH": path, "COLUMNS": "200"}
    terminal, end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "vault.cli.main", *arguments],
        stdin=end,
        stdout=end,
        stderr=end,
        env=environment,
        start_new_session=True,
    ) as process:
        os.close(end)
        shown = b""
        while b"Value: " not in shown:
            shown += os.read(terminal, 1000)
        os.write(terminal, VALUE + b"\n")
        with contextlib.suppress(OSError):  # how a terminal says that nobody is left on its other end
            while more := os.read(terminal, 1000):
                shown += more
    os.close(terminal)
    assert process.returncode == 0, shown
    assert re.search(rb"pho_[0-9A-Z]{27}", shown)
    assert b"data_class" in shown
    assert VALUE not in shown


def test_data_classes_are_listed_for_everybody(served: Served) -> None:
    for principal in ("app", "auditor"):
        found = {row["data_class"]: row for row in served(principal, "classes").rows}
        assert (found["phone"]["searchable"], found["phone"]["partial_forms"]) == (True, ["country", "last4"])
        assert found["face_template"]["kind"] == "bytes"


def test_an_address_without_a_port_is_refused_and_no_port_is_guessed(served: Served) -> None:
    refused = served("app", "classes", "--address", "localhost")
    assert refused.code == 1
    assert "localhost has no port" in refused.err


def test_a_key_that_everybody_can_read_is_warned_of_in_one_line(served: Served, tmp_path: Path) -> None:
    key = tmp_path / "app.key"
    key.write_bytes(Path(served.vault.environment("app", served.address)["PDVAULT_KEY"]).read_bytes())
    key.chmod(0o644)
    done = served("app", "classes", "--key", key)
    assert done.code == 0
    assert done.err == f"Warning: every user of this machine can read key_file {key}: chmod 600 it\n"


def test_a_certificate_that_has_expired_is_told_apart_from_others_that_are_refused(served: Served, tmp_path: Path) -> None:
    old = tmp_path / "old.pem"
    old.write_bytes(_expired(served.vault.folder))
    refused = served("app", "classes", "--cert", old)
    assert refused.code == 2
    assert f"{old} expired on " in refused.err
    assert "[UNAVAILABLE, request " in refused.err


def _expired(vault: Path) -> bytes:
    """The certificate of the principal app, as it was until yesterday."""
    ca = x509.load_pem_x509_certificate((vault / "tenant-ca.pem").read_bytes())
    key = serialization.load_pem_private_key((vault / "tenant-ca.key").read_bytes(), None)
    app = x509.load_pem_x509_certificate((vault / "clients" / "app.pem").read_bytes())
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    end = datetime.now(UTC) - timedelta(days=1)
    made = x509.CertificateBuilder().issuer_name(ca.subject).subject_name(app.subject).public_key(app.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(end - timedelta(days=1)).not_valid_after(end)
    for extension in app.extensions:
        made = made.add_extension(extension.value, extension.critical)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
