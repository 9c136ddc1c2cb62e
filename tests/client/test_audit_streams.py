"""Exports and breach reports come in parts: whole or with an error, and never left open at the server."""

import datetime

import grpc
import pytest
from google.protobuf import timestamp_pb2
from tests.client import log_of_leaves as log
from tests.client.conftest import WAIT

from pdvault_client import (
    AuditClient,
    BreachRow,
    BreachSummary,
    ExportPiece,
    KeyKind,
    KeyLife,
    NamedKey,
    RetryPolicy,
    UnavailableError,
    Use,
    VaultError,
)
from vault.errors import VaultError as ServerError
from vault.v1 import audit_service_pb2, common_pb2

BEGIN = datetime.datetime(2026, 3, 4, tzinfo=datetime.UTC)
END = datetime.datetime(2026, 3, 5, tzinfo=datetime.UTC)
STALLED = ServerError(common_pb2.ERROR_REASON_LOG_STALLED, "the log stands still")
SUMMARY = audit_service_pb2.BreachReportResponse(
    summary={"subjects": 2, "events": 5, "refused": 1, "checkpoint": "note", "size": 9}
)


def stamp(time: datetime.datetime) -> timestamp_pb2.Timestamp:
    return timestamp_pb2.Timestamp(seconds=int(time.timestamp()))


def piece(path: str, data: bytes = b"x", done: int = 0) -> audit_service_pb2.ExportResponse:
    return audit_service_pb2.ExportResponse(path=path, data=data, entries_done=done, entries_total=9)


def row(*uids: bytes) -> audit_service_pb2.BreachReportResponse:
    return audit_service_pb2.BreachReportResponse(rows=[{"subject_uid": uid, "use": 1, "events": 1} for uid in uids])


def test_an_export_comes_file_after_file_with_its_progress(auditor, scripted):
    files = [piece("manifest.json"), piece("tile/0/x001/234.p/5", b"ab", 3), piece("tile/0/x001/234.p/5", b"cd", 9)]
    scripted.script("Export", files)
    pieces = auditor.export(start_index=2, end_index=11, known_size=4)
    assert list(pieces) == [
        ExportPiece("manifest.json", b"x", 0, 9),
        ExportPiece("tile/0/x001/234.p/5", b"ab", 3, 9),
        ExportPiece("tile/0/x001/234.p/5", b"cd", 9, 9),
    ]
    (received,) = scripted.received
    assert (received.request.start_index, received.request.end_index, received.request.known_size) == (2, 11, 4)
    assert not received.request.HasField("start_time")
    assert 590 < received.remaining_s < 600


def test_an_export_can_be_asked_for_by_time_and_with_a_deadline(auditor, scripted):
    scripted.script("Export", [])
    assert list(auditor.export(start_time=BEGIN, end_time=END, timeout_s=30)) == []
    (received,) = scripted.received
    assert (received.request.start_time, received.request.end_time) == (stamp(BEGIN), stamp(END))
    assert received.remaining_s < 30


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "tile/../../x", "tile//x", "C:\\x", "tile/./x", "a\nb", "tile/"])
def test_a_path_that_could_lead_elsewhere_is_refused(auditor, scripted, path):
    scripted.script("Export", [piece("manifest.json"), piece(path)])
    with pytest.raises(VaultError, match="path is none of a bundle"):
        list(auditor.export())


def test_a_file_that_comes_in_two_parts_is_refused(auditor, scripted):
    scripted.script("Export", [piece("a"), piece("b"), piece("a")])
    with pytest.raises(VaultError, match="sent a twice"):
        list(auditor.export())


@pytest.mark.parametrize("begin", [lambda a: a.export(), lambda a: a.breach_report(BEGIN, END, node="n")], ids=["export", "breach"])
def test_what_nobody_reads_on_is_ended_at_the_server(auditor, scripted, begin):
    scripted.script("Export", [piece("a"), WAIT])
    scripted.script("BreachReport", [row(b"\x01" * 16), WAIT])
    for leave in (lambda parts: parts.close(), lambda parts: None):
        parts = begin(auditor)
        next(parts)
        leave(parts)
        del parts
        assert scripted.received[-1].ended.wait(60)


def test_an_export_is_begun_again_only_while_nothing_has_come(auditor, scripted):
    scripted.script("Export", [STALLED], [piece("a")])
    assert [part.path for part in auditor.export()] == ["a"]
    assert len({request.context.request_id for request in scripted.requests()}) == 1
    scripted.script("Export", [piece("a"), STALLED])
    parts = auditor.export()
    assert next(parts).path == "a"
    with pytest.raises(UnavailableError):
        next(parts)
    assert len(scripted.requests()) == 3


def test_a_server_that_stays_away_is_an_error(connect, scripted):
    auditor = connect(AuditClient, retry=RetryPolicy(attempts=3, base_s=0.0))
    scripted.script("Export", [STALLED])
    with pytest.raises(UnavailableError):
        list(auditor.export())
    assert len(scripted.requests()) == 3


def test_a_breach_report_answers_rows_and_then_its_summary(auditor, scripted):
    full = {
        "subject_uid": log.SUBJECT,
        "subject_id": "customer-17",
        "data_class": "email",
        "purpose": "payout",
        "use": audit_service_pb2.USE_PARTIAL,
        "partial_name": "domain",
        "events": 3,
        "first_time": stamp(BEGIN),
        "last_time": stamp(END),
        "first_index": 2,
        "last_index": 8,
    }
    scripted.script("BreachReport", [audit_service_pb2.BreachReportResponse(rows=[full]), row(b"\x01" * 16), SUMMARY])
    report = auditor.breach_report(BEGIN, END, certificate_sha256=b"\x05" * 32, with_subject_ids=True)
    first = next(report)
    assert first == BreachRow(log.SUBJECT, "customer-17", "email", "payout", Use.PARTIAL, "domain", 3, BEGIN, END, 2, 8)
    with pytest.raises(ValueError, match="read the rows first"):
        _ = report.summary
    assert [found.subject_uid for found in report] == [b"\x01" * 16]
    assert report.summary == BreachSummary(2, 5, 1, "note", 9)
    (request,) = scripted.requests()
    assert (request.certificate_sha256, request.with_subject_ids) == (b"\x05" * 32, True)
    assert (request.start_time, request.end_time) == (stamp(BEGIN), stamp(END))


def test_a_report_by_key_says_when_it_was_in_use_and_who_was_exposed(auditor, scripted):
    life = {"keys": ["kek:4", "epoch:2"], "begin_index": 3, "begin_time": stamp(BEGIN), "end_index": 9, "end_time": stamp(END)}
    summary = {"size": 12, "key_life": life, "exposed_subjects": 1}
    exposed = {"subject_uid": log.SUBJECT, "use": audit_service_pb2.USE_EXPOSED}
    scripted.script("BreachReport", [audit_service_pb2.BreachReportResponse(rows=[exposed], summary=summary)])
    report = auditor.breach_report(BEGIN, END, key=NamedKey(KeyKind.KEK, 4))
    assert [(found.subject_uid, found.use, found.first_time) for found in report] == [(log.SUBJECT, Use.EXPOSED, None)]
    assert report.summary.key_life == KeyLife(("kek:4", "epoch:2"), BEGIN, 3, END, 9, None)
    assert report.summary.exposed_subjects == 1
    (request,) = scripted.requests()
    assert (request.key.kind, request.key.number) == (audit_service_pb2.KEY_KIND_KEK, 4)


@pytest.mark.parametrize("parts", [[], [row(b"\x01" * 16)]], ids=["nothing", "rows only"])
def test_a_report_without_a_summary_is_not_taken_for_whole(auditor, scripted, parts):
    scripted.script("BreachReport", parts)
    with pytest.raises(VaultError, match="without a summary"):
        list(auditor.breach_report(BEGIN, END, principal="p"))


def test_nothing_follows_a_summary(auditor, scripted):
    scripted.script("BreachReport", [SUMMARY, row(b"\x01" * 16)])
    with pytest.raises(VaultError, match="after the summary"):
        list(auditor.breach_report(BEGIN, END, principal="p"))


def test_refusals_of_streams_are_those_of_calls(auditor, scripted):
    scripted.script("Export", [ServerError(common_pb2.ERROR_REASON_POLICY_DENIED, "no policy permits this")])
    with pytest.raises(VaultError, match="no policy permits this") as caught:
        list(auditor.export())
    assert (caught.value.reason, caught.value.code) == ("POLICY_DENIED", grpc.StatusCode.PERMISSION_DENIED)
    assert caught.value.request_id == scripted.requests()[0].context.request_id
