"""stats draws what was counted, as wide as the terminal is; breach says first what it comes to, then whose data it was."""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf import timestamp_pb2
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from tests.cli.audit_vault import ME, NOON, OTHER, SUBJECT, Auditor, _scripted, auditor  # noqa: F401  fixtures

from pdvault_client import Count
from vault.cli.audit.plot import draw, series
from vault.cli.audit.times import Zone
from vault.v1 import audit_service_pb2

HOUR = timedelta(hours=1)
UTC_ZONE = Zone(UTC, "UTC")
NOTE = "pdvault.invalid/1111\n9\nAAAA=\n\n— pdvault.invalid/1111 BBBB=\n"


def stamp(time: datetime) -> timestamp_pb2.Timestamp:
    return timestamp_pb2.Timestamp(seconds=int(time.timestamp()))


def counted(*counts: tuple[datetime | None, tuple[str, ...], int]) -> audit_service_pb2.AggregateResponse:
    found = [
        audit_service_pb2.Count(time=time and stamp(time), values=values, events=events, items=events * 2)
        for time, values, events in counts
    ]
    return audit_service_pb2.AggregateResponse(counts=found, size=99)


def test_in_a_pipe_stats_are_the_counts(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("Aggregate", counted((NOON, ("Reveal", "email"), 3), (NOON + HOUR, ("Search", ""), 1)))
    options = ("--by", "action", "--by", "class", "--bucket", "hour", "--zone", "Europe/Vienna")
    assert auditor("stats", *options).rows == [
        {"time": "2026-11-22T13:00:00+01:00", "action": "Reveal", "class": "email", "events": 3, "items": 6},
        {"time": "2026-11-22T14:00:00+01:00", "action": "Search", "class": "", "events": 1, "items": 2},
    ]
    (request,) = auditor.vault.requests()
    assert (request.bucket, [*request.dimensions]) == (audit_service_pb2.BUCKET_HOUR, [1, 4])
    assert "█" not in auditor("stats", *options, "-o", "table").out
    lines = auditor("stats", *options, "-o", "csv").out.splitlines()
    assert lines == [
        "time,action,class,events,items",
        "2026-11-22T13:00:00+01:00,Reveal,email,3,6",
        "2026-11-22T14:00:00+01:00,Search,,1,2",
    ]


def test_without_time_stats_are_a_table_of_totals(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("Aggregate", counted((None, ("Reveal",), 3)))
    assert auditor("stats", "--bucket", "total", "--by", "action").rows == [{"action": "Reveal", "events": 3, "items": 6}]
    assert "Reveal" in auditor("stats", "--bucket", "total", "--by", "action", terminal=True).out


@pytest.mark.parametrize(
    ("times", "bucket"),
    [
        ((), audit_service_pb2.BUCKET_HOUR),
        (("--from", "8d"), audit_service_pb2.BUCKET_HOUR),
        (("--from", "9d"), audit_service_pb2.BUCKET_DAY),
        (("--from", "90d", "--to", "89d"), audit_service_pb2.BUCKET_HOUR),
        (("--to", "89d"), audit_service_pb2.BUCKET_HOUR),
        (("--from", "90d", "--bucket", "hour"), audit_service_pb2.BUCKET_HOUR),
    ],
)
def test_time_is_cut_so_that_it_can_be_drawn(auditor: Auditor, times: tuple[str, ...], bucket: int) -> None:  # noqa: F811
    auditor.vault.script("Aggregate", counted())
    assert auditor("stats", *times).code == 0
    (request,) = auditor.vault.requests()
    assert request.bucket == bucket
    assert request.filter.HasField("start_time")


def drawn(counts: list[Count], width: int, **times: datetime) -> list[str]:
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    found = series(counts, HOUR, "events", times.get("start"), times.get("end"))
    assert found
    draw(console, found, "title", UTC_ZONE, ["action"])
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_what_is_drawn_is_as_high_as_what_was_counted() -> None:
    counts = [Count(NOON + HOUR * at, ("Reveal",), events, 0) for at, events in ((0, 64), (1, 32), (3, 1), (4, 8))]
    lines = drawn(counts, 60)
    assert lines[1:9] == [
        "64 │████████                                ",
        "   │████████                                ",
        "   │████████                                ",
        "   │████████                                ",
        "   │████████████████                        ",
        "   │████████████████                        ",
        "   │████████████████                        ",
        " 0 │████████████████        ▁▁▁▁▁▁▁▁████████",
    ]
    assert lines[9] == "    Sun 22 Nov 2026 12:00   Sun 22 Nov 2026 17:00 (UTC)"
    (reveal,) = [line for line in lines if "Reveal" in line]
    assert reveal.split() == ["Reveal", "██▄▄", "▁▁▁▁", "105", "100%"]


def test_time_without_events_is_drawn_empty_from_the_beginning_asked_for_to_its_end() -> None:
    lines = drawn([Count(NOON, ("Reveal",), 1, 0)], 60, start=NOON - HOUR, end=NOON + HOUR * 2)
    assert lines[8] == "0 │        ████████        "
    assert "11:00" in lines[9]
    assert "14:00" in lines[9]


def test_many_kinds_share_a_line() -> None:
    counts = [Count(NOON, (f"Action{number:03}",), 1000 - number, 0) for number in range(30)]
    lines = drawn(counts, 100)
    assert [line.split()[0] for line in lines if "Action" in line] == [f"Action{number:03}" for number in range(20)]
    (rest,) = [line.split() for line in lines if "more" in line]
    assert rest[:2] == ["10", "more"]
    assert rest[-2] == f"{sum(1000 - number for number in range(20, 30)):,}"


@given(
    st.dictionaries(st.integers(0, 5000), st.integers(0, 10**9), min_size=1, max_size=50),
    st.integers(40, 250),
    st.text("ab\x1b\u202e", max_size=5),
)
def test_whatever_is_counted_fits_the_width_and_loses_nothing(numbers: dict[int, int], width: int, name: str) -> None:
    counts = [Count(NOON + HOUR * at, (name,), events, 0) for at, events in numbers.items()]
    found = series(counts, HOUR, "events", None, None)
    assert found
    columns, each = found.columns(found.total, width)
    assert sum(columns) == sum(numbers.values())
    assert len(columns) * each <= width
    lines = drawn(counts, width)
    assert max(map(len, lines)) <= width
    assert "\x1b" not in "".join(lines)


def test_on_a_terminal_stats_are_drawn_to_its_width(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("Aggregate", counted(*((datetime.now(UTC) - HOUR * back, ("Reveal",), back + 1) for back in range(160))))
    for width in (60, 100, 200):
        done = auditor("stats", "--by", "action", terminal=True, environment={"COLUMNS": str(width)})
        lines = re.sub("\x1b\\[[0-9;]*m", "", done.out).splitlines()
        assert re.match(r"12,880 events, by hour(, \d in a column)?$", lines[0])
        assert max(map(len, lines)) <= width
        assert "█" in done.out


def test_nothing_to_draw_is_no_error(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("Aggregate", counted())
    done = auditor("stats", terminal=True)
    assert (done.code, done.out, done.err) == (0, "", "Nothing found.\n")


# breach


def row(subject_uid: bytes, data_class: str, use: int, **more: Any) -> dict[str, Any]:
    chosen = {"purpose": "payout", "events": 2, "first_time": stamp(NOON), "last_time": stamp(NOON + HOUR)}
    indexes = {"first_index": 3, "last_index": 8}
    return {"subject_uid": subject_uid, "data_class": data_class, "use": use, **chosen, **indexes, **more}


REPORT = [
    audit_service_pb2.BreachReportResponse(
        rows=[row(SUBJECT, "email", audit_service_pb2.USE_REVEALED, subject_id="customer-17"), row(OTHER, "phone", 7)]
    ),
    audit_service_pb2.BreachReportResponse(rows=[row(SUBJECT, "phone", audit_service_pb2.USE_PARTIAL, partial_name="last4")]),
    audit_service_pb2.BreachReportResponse(summary={"subjects": 1, "events": 6, "refused": 2, "checkpoint": NOTE, "size": 9}),
]
WINDOW = ("--from", "2026-11-22T10:00:00Z", "--to", "2026-11-22T16:00:00Z", "--utc")


def test_a_report_says_first_what_it_comes_to(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("BreachReport", REPORT)
    done = auditor("breach", "--principal", "billing", *WINDOW, "-o", "table")
    assert done.out.splitlines()[:6] == [
        f"{ME}, Sun 22 Nov 2026 10:00:00 to Sun 22 Nov 2026 16:00:00 (UTC)",
        "1 subject touched in 6 events, of which 2 refused.",
        "  revealed          1 subject: email",
        "  partial           1 subject: phone",
        "  refused           1 subject: phone",
        "Covered by checkpoint pdvault.invalid/1111, size 9, root AAAA=.",
    ]
    table = [line.split() for line in done.out.splitlines() if line.startswith((f" {SUBJECT.hex()}", f" {OTHER.hex()}"))]
    times = ["2026-11-22", "12:00:00Z", "2026-11-22", "13:00:00Z", "3", "8"]
    assert table == [
        [SUBJECT.hex(), "email", "payout", "revealed", "2", *times],
        [OTHER.hex(), "phone", "payout", "refused", "2", *times],
        [SUBJECT.hex(), "phone", "payout", "partial", "last4", "2", *times],
    ]


def test_for_programs_the_summary_is_the_first_object_with_the_whole_checkpoint(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("BreachReport", REPORT)
    summary, *rows = auditor("breach", "--node", "n1", *WINDOW, "--with-subject-ids").rows
    assert summary == {
        "kind": "summary",
        "principal": "",
        "certificate_sha256": "",
        "node": "n1",
        "key": "",
        "subject": "",
        "from": "2026-11-22T10:00:00+00:00",
        "to": "2026-11-22T16:00:00+00:00",
        "subjects": 1,
        "events": 6,
        "refused": 2,
        "size": 9,
        "checkpoint": NOTE,
    }
    assert [(found["kind"], found["subject_id"], found["use"]) for found in rows] == [
        ("subject", "customer-17", "revealed"),
        ("subject", "", "refused"),
        ("subject", "", "partial"),
    ]


def test_csv_holds_the_rows_alone_and_the_summary_goes_to_stderr(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("BreachReport", REPORT)
    done = auditor("breach", "--certificate", "ab" * 32, *WINDOW, "-o", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out, newline="")))
    assert [found["subject_uid"] for found in rows] == [SUBJECT.hex(), OTHER.hex(), SUBJECT.hex()]
    assert "subject_id" not in rows[0]
    assert "1 subject touched in 6 events" in done.err


def test_the_names_of_subjects_are_asked_for_only_if_wanted_and_never_a_formula(auditor: Auditor) -> None:  # noqa: F811
    evil = audit_service_pb2.BreachReportResponse(rows=[row(SUBJECT, "email", 1, subject_id="=cmd|' /C calc'!A0")])
    auditor.vault.script("BreachReport", [evil, REPORT[-1]])
    assert "subject_id" not in auditor("breach", "--node", "n", *WINDOW).out
    assert not auditor.vault.requests()[-1].with_subject_ids
    done = auditor("breach", "--node", "n", *WINDOW, "--with-subject-ids", "-o", "csv")
    assert auditor.vault.requests()[-1].with_subject_ids
    (found,) = csv.DictReader(io.StringIO(done.out, newline=""))
    assert found["subject_id"].startswith("'=")


def test_the_suspect_and_the_window_arrive(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("BreachReport", REPORT)
    assert auditor("breach", "--certificate", auditor.folder / "client.pem", *WINDOW).code == 0
    (request,) = auditor.vault.requests()
    assert len(request.certificate_sha256) == 32
    assert request.start_time.ToDatetime(UTC) == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert request.end_time.ToDatetime(UTC) == datetime(2026, 11, 22, 16, tzinfo=UTC)


def by_key(**life: Any) -> list[audit_service_pb2.BreachReportResponse]:
    named = {"keys": ["kek:4", "epoch:2", "index:2"], "begin_index": 3, "begin_time": stamp(NOON), **life}
    summary = {"subjects": 0, "events": 2, "checkpoint": NOTE, "size": 9, "key_life": named, "exposed_subjects": 1}
    exposed = {"subject_uid": SUBJECT, "use": audit_service_pb2.USE_EXPOSED}
    return [audit_service_pb2.BreachReportResponse(rows=[exposed]), audit_service_pb2.BreachReportResponse(summary=summary)]


def test_a_report_by_key_says_when_it_was_in_use_who_lay_under_it_and_what_to_do(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("BreachReport", by_key())
    lines = auditor("breach", "--exposed-key", "kek:4", *WINDOW, "-o", "table").out.splitlines()
    assert lines[0].startswith("key kek:4, ")
    assert lines[2] == "In use since Sun 22 Nov 2026 12:00:00 and still is: kek:4, epoch:2, index:2."
    assert lines[3].startswith("1 subject lay under it, touched or not")
    assert "pdvault keys rotate" in lines[4]
    (request,) = auditor.vault.requests()
    assert (request.key.kind, request.key.number) == (audit_service_pb2.KEY_KIND_KEK, 4)
    auditor.vault.script("BreachReport", by_key(end_index=8, end_time=stamp(NOON + HOUR)))
    summary, exposed = auditor("breach", "--exposed-key", "kek:4", *WINDOW).rows
    assert (summary["in_use_from_index"], summary["in_use_to"]) == (3, "2026-11-22T13:00:00+00:00")
    assert (summary["keys"], summary["destroyed"], summary["exposed_subjects"]) == ("kek:4,epoch:2,index:2", "", 1)
    assert (exposed["subject_uid"], exposed["use"]) == (SUBJECT.hex(), "exposed")


def test_a_report_that_breaks_off_prints_nothing(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("BreachReport", REPORT[:2])
    done = auditor("breach", "--node", "n", *WINDOW)
    assert (done.code, done.out) == (2, "")
    assert "without a summary" in done.err


def test_a_suspect_that_touched_nothing_is_a_report_too(auditor: Auditor) -> None:  # noqa: F811
    auditor.vault.script("BreachReport", [audit_service_pb2.BreachReportResponse(summary={"checkpoint": NOTE, "size": 9})])
    assert "0 subjects touched in 0 events" in auditor("breach", "--node", "n", *WINDOW, "-o", "table").out
    assert json.loads(auditor("breach", "--node", "n", *WINDOW).out)["subjects"] == 0
