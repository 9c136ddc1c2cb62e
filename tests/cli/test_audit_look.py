"""query, tail and timeline: what events say, for people and for programs, and nothing that a terminal or a spreadsheet obeys."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from base64 import b64decode
from typing import Any

import pytest
from tests.cli.audit_vault import (  # noqa: F401  fixtures
    BILLING,
    NOON,
    OTHER,
    SUBJECT,
    SUPPORT,
    TOKEN,
    Auditor,
    _scripted,
    auditor,
    entries,
    event,
)
from tests.client.conftest import WAIT

from vault.errors import VaultError
from vault.v1 import audit_pb2, audit_service_pb2, common_pb2

MINUTE = 60_000_000
T = int(NOON.timestamp() * 1e6)
DENIED = event(
    principal=SUPPORT,
    time_us=T + 60 * MINUTE,
    purpose="care",
    policy_ids=[],
    decision=audit_pb2.DECISION_DENIED,
    reason=common_pb2.ERROR_REASON_POLICY_DENIED,
    touched=[{"data_class": "email", "form": 2, "count": 1, "subject_uids": SUBJECT, "token_uids": TOKEN, "reason": 43}],
)
ACT = event(action="PrincipalAdded", principal="local:root", purpose="", policy_ids=[], touched=[], details={"name": BILLING})
CELLS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "＝1", "\r\n=1"]


def queried(*events: audit_pb2.AuditEvent) -> audit_service_pb2.QueryResponse:
    found = entries(*events, start=4)
    return audit_service_pb2.QueryResponse(entries=reversed(found), size=4 + len(found))


def test_in_a_pipe_an_event_says_everything_it_has(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("Query", queried(event(reference="T-1", roles=["reader_plain"], node="n1", details={"a": "b"})))
    (row,) = auditor("query", "--zone", "Europe/Vienna").rows
    assert row == {
        "index": 4,
        "time": "2026-11-22T13:00:00.000000+01:00",
        "principal": BILLING,
        "action": "Reveal",
        "decision": "ALLOWED",
        "reason": "",
        "purpose": "payout",
        "ground": "",
        "reference": "T-1",
        "recipient": "",
        "policy_ids": ["reader-plain-reveals"],
        "roles": ["reader_plain"],
        "request_id": "00010203-0405-0607-0809-0a0b0c0d0e0f",
        "node": "n1",
        "certificate_sha256": "",
        "touched": [
            {
                "data_class": "email",
                "form": "PLAIN",
                "partial_name": "",
                "count": 1,
                "reason": "",
                "change": "",
                "mismatched": 0,
                "queries": 0,
                "subject_uids": [SUBJECT.hex()],
                "token_uids": [TOKEN.hex()],
            }
        ],
        "details": {"a": "b"},
    }


def test_the_leaf_comes_as_it_is_hashed_if_asked_for(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("Query", queried(DENIED))
    (row,) = auditor("query", "--with-leaf").rows
    assert b64decode(row["leaf_base64"]) == DENIED.SerializeToString()


def test_a_table_is_short_and_explains_its_short_names(auditor: Auditor) -> None:  # noqa: F811
    other_support = event(principal="spiffe://elsewhere/support")
    auditor.vault.script("Query", queried(other_support, DENIED, ACT))
    done = auditor("query", "-o", "table", "--utc")
    lines = [line.split() for line in done.out.splitlines() if re.match(r" \d", line)]
    assert [line[0] for line in lines] == ["6", "5", "4"]
    assert lines[0] == ["6", "2026-11-22", "12:00:00+00:00", "local:root", "PrincipalAdded", "allowed", f"name={BILLING}"]
    assert lines[1][3:] == ["support", "Reveal", "denied", "POLICY_DENIED", "care", "1", "email", "PLAIN"]
    assert lines[2][3] == "spiffe://elsewhere/support"
    assert done.err.splitlines() == [f"support is {SUPPORT}"]


def test_csv_has_a_flat_row_an_event_that_reads_back(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("Query", queried(event(policy_ids=["a", "b"]), ACT))
    done = auditor("query", "-o", "csv", "--with-leaf")
    act, reveal = csv.DictReader(io.StringIO(done.out, newline=""))
    assert (reveal["index"], reveal["policy_ids"], reveal["touched"]) == ("4", "a, b", "1 email PLAIN")
    assert (reveal["subject_uids"], reveal["token_uids"]) == (SUBJECT.hex(), TOKEN.hex())
    assert (act["details"], act["touched"]) == (f"name={BILLING}", f"name={BILLING}")
    assert b64decode(act["leaf_base64"]) == ACT.SerializeToString()


@pytest.mark.parametrize("cell", CELLS)
def test_no_cell_is_a_formula_to_a_spreadsheet(auditor: Auditor, cell: str) -> None:  # noqa: F811
    auditor.vault.script("Query", queried(event(principal=cell, reference=cell, details={cell: cell}, policy_ids=[cell])))
    done = auditor("query", "-o", "csv")
    (row,) = csv.reader(io.StringIO(done.out.partition("\r\n")[2], newline=""))
    assert not [found for found in row if re.match(r"\s*[=+\-@＝]", found)]
    assert not set(done.out) & set("\t\x1b")


def test_what_the_log_says_commands_no_terminal(auditor: Auditor) -> None:  # noqa: F811
    evil = "\x1b]0;owned\x07\u202e[bold]x[/bold]"
    auditor.vault.script("Query", queried(event(principal=evil, purpose=evil, details={evil: evil}, policy_ids=[evil])))
    auditor.vault.script("SubjectTimeline", timeline(event(principal=evil, purpose=evil, policy_ids=[evil], reference=evil)))
    auditor.vault.script("Tail", [tailed(event(principal=evil, purpose=evil, details={evil: evil})), refusal()])
    for command in (("query",), ("timeline", "--subject-id", "S"), ("tail", "--since-index", "0")):
        for output in ("table", "json", "csv"):
            done = auditor(*command, "-o", output)
            assert "[bold]x[/bold]" in done.out
            assert not set("\x1b\x07\u202e") & set((done.out + done.err).replace("\x1b[1m", "").replace("\x1b[0m", "")), command


def test_more_than_the_limit_is_said_and_not_fetched(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("Query", queried(*[event()] * 5))
    done = auditor("query", "--limit", "4")
    assert [row["index"] for row in done.rows] == [8, 7, 6, 5]
    assert "the newest 4; there are more" in done.err
    assert auditor.vault.requests()[0].page_size == 5
    whole = auditor("query", "--limit", "5")
    assert (len(whole.rows), whole.err) == (5, "")


def test_finding_nothing_is_no_error(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("Query", queried())
    auditor.vault.script("SubjectTimeline", timeline())
    for command in (("query",), ("timeline", "--subject-id", "S")):
        found = auditor(*command)
        assert (found.code, found.out) == (0, "")
        table = auditor(*command, "-o", "table")
        assert (table.code, table.out, table.err) == (0, "", "Nothing found.\n")


def refusal() -> VaultError:
    return VaultError(common_pb2.ERROR_REASON_POLICY_DENIED, "no policy permits this")


@pytest.mark.parametrize(
    "command",
    [
        ("query",),
        ("tail", "--since-index", "0"),
        ("tail",),
        ("timeline", "--subject-id", "S"),
        ("stats",),
        ("breach", "--node", "n", "--from", "1h"),
    ],
)
def test_what_the_vault_refuses_is_code_2_with_its_reason(auditor: Auditor, command: tuple[str, ...]) -> None:  # noqa: F811
    for method in ("Query", "SubjectTimeline", "Aggregate"):
        auditor.vault.script(method, refusal())
    for method in ("Tail", "BreachReport"):
        auditor.vault.script(method, [refusal()])
    done = auditor(*command)
    assert (done.code, done.out) == (2, "")
    assert "no policy permits this [POLICY_DENIED, request" in done.err


def test_an_address_where_nothing_answers_is_code_2(auditor: Auditor) -> None:  # noqa: F811
    done = auditor("query", "--timeout", "0.5", environment={"PDVAULT_ADDRESS": "127.0.0.1:1"})
    assert (done.code, done.out) == (2, "")
    assert "no connection to the vault" in done.err


def test_without_settings_it_says_where_an_auditor_finds_them(auditor: Auditor) -> None:  # noqa: F811
    done = auditor("query", environment={"PDVAULT_CERT": "", "PDVAULT_KEY": ""})
    assert done.code == 1
    assert "PDVAULT_CERT, PDVAULT_KEY not set" in done.err
    assert ". .dev/env-auditor.sh" in done.err


# tail


def tailed(*events: audit_pb2.AuditEvent, start: int = 7) -> audit_service_pb2.TailResponse:
    return audit_service_pb2.TailResponse(entries=entries(*events, start=start), next_index=start + len(events))


def test_a_tail_begins_with_the_last_events_and_goes_on_where_they_end(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("Query", queried(DENIED, event()))
    auditor.vault.script("Tail", [tailed(event(), start=6), refusal()])
    done = auditor("tail", "--lines", "2", "--action", "Reveal")
    assert [row["index"] for row in done.rows] == [4, 5, 6]
    query, tail = auditor.vault.requests()
    assert (query.page_size, query.filter.action) == (2, "Reveal")
    assert (tail.start_index, tail.filter.action) == (6, "Reveal")
    assert "--since-index 7" in done.err


def test_a_tail_without_earlier_lines_begins_now(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("Tail", [tailed(event(), start=9), refusal()])
    assert [row["index"] for row in auditor("tail", "--lines", "0").rows] == [9]
    assert not auditor.vault.requests()[0].HasField("start_index")


def test_on_a_terminal_a_tail_prints_a_line_an_event(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("Tail", [tailed(event(reference="T-1"), DENIED), refusal()])
    done = auditor("tail", "--since-index", "7", "--utc", terminal=True)
    assert done.out.splitlines() == [
        "12:00:00  #7  billing  Reveal  allowed  for payout  T-1  1 email PLAIN",
        "13:00:00  #8  support  Reveal  denied POLICY_DENIED  for care  1 email PLAIN",
    ]


def running(auditor: Auditor, *arguments: str) -> subprocess.Popen[str]:  # noqa: F811
    path = os.pathsep.join(part for part in sys.path if part)
    return subprocess.Popen(
        [sys.executable, "-m", "vault.cli.main", "audit", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **auditor.environment, "PYTHONPATH": path},
    )


def test_ctrl_c_ends_a_tail_well_and_says_where_to_go_on(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("Tail", [tailed(event()), WAIT])
    with running(auditor, "tail", "--since-index", "7") as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())["index"] == 7
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 0
    assert err == "To go on: --since-index 8\n"
    assert auditor.vault.received[0].ended.wait(60)


def test_a_reader_that_has_seen_enough_ends_a_tail(auditor: Auditor) -> None:  # noqa: F811
    def endless(_request: object) -> Any:
        for index in range(7, 10_000):
            yield tailed(event(), start=index)

    auditor.vault.script("Tail", endless)
    with running(auditor, "tail", "--since-index", "7") as process:
        assert process.stdout
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr
        err = process.stderr.read()
    assert "Traceback" not in err
    assert auditor.vault.received[0].ended.wait(60)


# timeline


def timeline(*events: audit_pb2.AuditEvent) -> audit_service_pb2.SubjectTimelineResponse:
    return audit_service_pb2.SubjectTimelineResponse(entries=entries(*events), subject_uid=SUBJECT, size=50)


def told(auditor: Auditor, *events: audit_pb2.AuditEvent, more: tuple[str, ...] = ()) -> list[str]:  # noqa: F811
    auditor.vault.script("SubjectTimeline", timeline(*events))
    done = auditor("timeline", "--subject-id", "S1", "--utc", "-o", "table", *more)
    assert done.code == 0, done.err
    return [line for line in done.out.splitlines() if re.match(r"\d\d:\d\d  ", line)]


def touched(data_class: str, **fields: Any) -> dict[str, Any]:
    return {"data_class": data_class, "count": 1, "subject_uids": SUBJECT, "token_uids": TOKEN, **fields}


STORED = event(
    action="Tokenize",
    principal=SUPPORT,
    policy_ids=["stores"],
    touched=[touched(name, change=1) for name in ("email", "phone", "bank_account")],
)


@pytest.mark.parametrize(
    ("happened", "sentence"),
    [
        (
            event(reference="T-1", recipient="bank", ground="contract"),
            "billing revealed the email (PLAIN) for payout, ground contract, reference T-1, released to bank "
            "— allowed by reader-plain-reveals",
        ),
        (STORED, "support stored the email, the phone and the bank account for payout — allowed by stores"),
        (DENIED, "support tried to reveal the email (PLAIN) for care — denied: POLICY_DENIED"),
        (
            event(decision=audit_pb2.DECISION_FAILED, reason=21, touched=[touched("email", form=1, reason=21)]),
            "billing tried to reveal the email (masked) for payout — failed: TOKEN_EXPIRED",
        ),
        (
            event(
                decision=audit_pb2.DECISION_PARTIAL,
                reason=22,
                policy_ids=["p"],
                touched=[touched("email", form=1), touched("phone", form=3, partial_name="last4", reason=22)],
            ),
            "billing revealed the email (masked) for payout — partial by p; not the phone (last4): TOKEN_USED_UP",
        ),
        (
            event(
                touched=[touched("email", form=2), touched("phone", form=1), touched("phone", form=2), touched("card", form=2)],
                policy_ids=["p", "q"],
            ),
            "billing revealed the email, the phone and the card (all PLAIN) and the phone (masked) for payout — allowed by p, q",
        ),
        (
            event(action="Verify", touched=[touched("email", mismatched=1)], policy_ids=[]),
            "billing compared a candidate with the email (it differed) for payout — allowed",
        ),
        (
            event(action="Verify", touched=[touched("email")], policy_ids=[]),
            "billing compared a candidate with the email (it was equal) for payout — allowed",
        ),
        (
            event(action="Verify", touched=[touched("email", count=3, mismatched=2)], policy_ids=[]),
            "billing compared a candidate with the email (2 of 3 differed) for payout — allowed",
        ),
        (
            event(action="Search", touched=[touched("email")], policy_ids=[]),
            "billing found by a search the email for payout — allowed",
        ),
        (
            event(action="Update", touched=[touched("email", change=2)], policy_ids=[]),
            "billing replaced the email for payout — allowed",
        ),
        (
            event(action="Delete", touched=[touched("email", change=3)], policy_ids=[]),
            "billing deleted the email for payout — allowed",
        ),
        (
            event(action="Tokenize", touched=[touched("email")], policy_ids=[]),
            "billing asked for the token of the email for payout — allowed",
        ),
        (event(action="SubjectTimeline", touched=[touched("")], policy_ids=[]), "billing read this history for payout — allowed"),
        (
            event(action="Transfer", touched=[touched("")], policy_ids=[]),
            "billing called Transfer on this subject for payout — allowed",
        ),
        (
            event(action="Transfer", touched=[touched("email")], principal="", purpose="", policy_ids=[]),
            "somebody called Transfer on the email — allowed",
        ),
        (
            event(touched=[touched("email", form=2, count=300, subject_uids=SUBJECT + OTHER * 2)], policy_ids=[]),
            "billing revealed the email (PLAIN) (and of 2 others) for payout — allowed",
        ),
    ],
    ids=lambda value: value.action if isinstance(value, audit_pb2.AuditEvent) else "",
)
def test_each_event_is_a_sentence(auditor: Auditor, happened: audit_pb2.AuditEvent, sentence: str) -> None:  # noqa: F811
    (line,) = told(auditor, happened)
    assert line[7:] == f"{sentence} [#0]"


def test_the_story_goes_day_by_day_and_tells_alike_events_once(auditor: Auditor) -> None:  # noqa: F811
    reveals = [event(time_us=T + n * MINUTE) for n in range(3)]
    auditor.vault.script("SubjectTimeline", timeline(STORED, *reveals, DENIED, event(time_us=T + 20 * 60 * MINUTE)))
    done = auditor("timeline", "--subject-id", "S1", "--zone", "Asia/Shanghai", "-o", "table")
    assert done.out.splitlines() == [
        f"Subject {SUBJECT.hex()}: 6 events, 22 Nov 2026 to 23 Nov 2026. Times: Asia/Shanghai.",
        "",
        "Sun 22 November 2026",
        "20:00  support stored the email, the phone and the bank account for payout — allowed by stores [#0]",
        "20:00  billing revealed the email (PLAIN) for payout — allowed by reader-plain-reveals (until 20:02) [#1 to #3, 3 times]",
        "21:00  support tried to reveal the email (PLAIN) for care — denied: POLICY_DENIED [#4]",
        "",
        "Mon 23 November 2026",
        "16:00  billing revealed the email (PLAIN) for payout — allowed by reader-plain-reveals [#5]",
        "",
        f"billing is {BILLING}",
        f"support is {SUPPORT}",
    ]


def test_only_what_concerns_the_subject_is_told(auditor: Auditor) -> None:  # noqa: F811
    both = event(
        touched=[
            touched("phone", subject_uids=OTHER, token_uids=b"\x44" * 16),
            touched("email", count=2, subject_uids=SUBJECT + OTHER, token_uids=TOKEN + b"\x45" * 16),
        ],
        policy_ids=[],
    )
    assert told(auditor, both) == ["12:00  billing revealed the email (and of 1 other) for payout — allowed [#0]"]
    (row,) = auditor("timeline", "--subject-id", "S1").rows
    (kept,) = row["touched"]
    assert (kept["data_class"], kept["subject_uids"], kept["token_uids"]) == ("email", [SUBJECT.hex()], [])
    assert OTHER.hex() not in auditor("timeline", "--subject-id", "S1", "-o", "csv").out
    assert told(auditor, both, more=("--class", "phone")) == []


def test_a_timeline_is_filtered_and_goes_over_all_pages(auditor: Auditor) -> None:  # noqa: F811
    def answer(request: Any) -> audit_service_pb2.SubjectTimelineResponse:
        page = timeline(event(), DENIED)
        page.next_page_token = "" if request.page_token else "more"
        return page

    auditor.vault.script("SubjectTimeline", answer)
    rows = auditor("timeline", "--subject-uid", SUBJECT.hex(), "--decision", "denied").rows
    assert [row["decision"] for row in rows] == ["DENIED", "DENIED"]
    assert [request.subject_uid for request in auditor.vault.requests()] == [SUBJECT] * 2


def test_on_a_terminal_the_story_is_wrapped_to_its_width(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("SubjectTimeline", timeline(STORED, event(reference="T-1")))
    done = auditor("timeline", "--subject-id", "S1", "--utc", terminal=True, environment={"COLUMNS": "60"})
    lines = [re.sub("\x1b\\[[0-9;]*m", "", line) for line in done.out.splitlines()]
    story = lines[3:-3]
    assert max(map(len, story)) <= 60
    assert [line for line in story if line and not re.match(r"\d\d:\d\d  |       |\w+ \d\d November 2026$", line)] == []


def test_an_unknown_subject_is_the_vaults_refusal_without_the_id(auditor: Auditor) -> None:  # noqa: F811
    unknown = VaultError(common_pb2.ERROR_REASON_SUBJECT_NOT_FOUND, "the tenant knows no such subject")
    auditor.vault.script("SubjectTimeline", unknown)
    done = auditor("timeline", "--subject-id", "canary-17")
    assert done.code == 2
    assert "SUBJECT_NOT_FOUND" in done.err
    assert "canary" not in done.err
