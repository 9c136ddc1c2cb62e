"""The README's examples run as they stand."""

import re
from pathlib import Path

from tests.client import log_of_leaves as log

from pdvault_client import ApprovalClient, AuditClient, FieldClient, KeyClient, OperationClient, SubjectClient, VaultClient
from vault.errors import VaultError
from vault.v1 import audit_service_pb2, common_pb2, field_service_pb2, key_service_pb2, subject_service_pb2, vault_service_pb2

README = Path(__file__).parents[2] / "clients" / "python" / "README.md"
NOT_FOUND = VaultError(common_pb2.ERROR_REASON_TOKEN_NOT_FOUND, "no such token").to_status()


def run_example(number: int) -> None:
    """Run one of the examples that begin with their imports."""
    examples = re.findall(r"```python\n(from .*?)```", README.read_text(), re.DOTALL)
    exec(compile(examples[number], str(README), "exec"), {})  # noqa: S102  # our own README


def test_the_example_of_the_readme_runs(connect, scripted, monkeypatch, capsys):
    monkeypatch.setattr(VaultClient, "from_environment", connect)
    value = {"value": {"text": "li@example.org"}, "data_class": "email"}
    scripted.script("Tokenize", vault_service_pb2.TokenizeResponse(results=[{"token": "eml_A"}]))
    scripted.script(
        "Reveal",
        *[vault_service_pb2.RevealResponse(results=[value])] * 2,
        vault_service_pb2.RevealResponse(results=[value, {"error": NOT_FOUND}]),
    )
    scripted.script("Verify", vault_service_pb2.VerifyResponse(results=[{"matches": True}]))
    scripted.script("Search", vault_service_pb2.SearchResponse(results=[{"items": [{"token": "eml_A", "revision": 1}]}]))
    run_example(0)
    found, revealed, error = capsys.readouterr().out.splitlines()
    assert found == "eml_A 1"
    assert revealed.startswith("Revealed(")
    assert "li@" not in revealed
    assert "TOKEN_NOT_FOUND" in error


def test_the_example_of_encrypted_fields_runs(connect, scripted, monkeypatch, capsys):
    monkeypatch.setattr(FieldClient, "from_environment", lambda purpose: connect(FieldClient, purpose=purpose))
    scripted.script("Encrypt", field_service_pb2.EncryptResponse(results=[{"ciphertext": b"\x01\x01D"}]))
    value = {"value": {"text": "li@example.org"}, "data_class": "email"}
    scripted.script("Decrypt", field_service_pb2.DecryptResponse(results=[value]))
    run_example(1)
    assert capsys.readouterr().out == "li@example.org\n"
    assert scripted.requests()[1].items[0].ciphertext == b"\x01\x01D"


def test_the_privacy_officers_example_runs(connect, scripted, monkeypatch, capsys):
    monkeypatch.setattr(SubjectClient, "from_environment", lambda purpose: connect(SubjectClient, purpose=purpose))
    hold = {"hold_uid": b"\x02" * 16, "reference": "court/4711"}
    subject = {"subject_uid": log.SUBJECT, "state": 2, "holds": [hold], "items": [{"data_class": "email", "count": 3}]}
    scripted.script("Restrict", subject_service_pb2.RestrictResponse())
    scripted.script("PlaceHold", subject_service_pb2.PlaceHoldResponse(hold=hold))
    scripted.script("GetSubject", subject_service_pb2.GetSubjectResponse(subject=subject))
    scripted.script("ReleaseHold", subject_service_pb2.ReleaseHoldResponse())
    run_example(2)
    assert capsys.readouterr().out == "RESTRICTED {'email': 3} ['court/4711']\n"


def test_the_auditors_example_runs(connect, scripted, monkeypatch, capsys):
    monkeypatch.setattr(AuditClient, "from_environment", lambda purpose: connect(AuditClient, purpose=purpose))
    scripted.script("Query", audit_service_pb2.QueryResponse(entries=[log.entry(8), log.entry(7)], size=9))
    scripted.script("SubjectTimeline", audit_service_pb2.SubjectTimelineResponse(entries=[log.entry(6)], size=9))
    scripted.script("Aggregate", audit_service_pb2.AggregateResponse(counts=[{"values": ["Reveal"], "events": 3}], size=9))
    rows = audit_service_pb2.BreachReportResponse(rows=[{"subject_uid": log.SUBJECT, "use": 1, "events": 2}])
    scripted.script("BreachReport", [rows, audit_service_pb2.BreachReportResponse(summary={"subjects": 1})])
    erased = audit_service_pb2.TailResponse(entries=[log.entry(5, action="Erase")], next_index=6)
    scripted.script("Tail", [log.tail(4), erased])
    run_example(3)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["8", "7"]
    assert lines[3:] == ["None Reveal 3", f"{log.SUBJECT.hex()}  REVEALED 2", "1 subjects"]


def test_the_security_officers_example_runs(connect, scripted, monkeypatch, capsys):
    for kind in (KeyClient, OperationClient, ApprovalClient):
        monkeypatch.setattr(kind, "from_environment", lambda kind=kind, **options: connect(kind, **options))
    status = key_service_pb2.StatusResponse(kek_versions=[{"version": 2, "would_lose": ["epoch key 1"]}])
    begun = key_service_pb2.RotateResponse(operation={"name": "operations/" + "0" * 32})
    begun.operation.metadata.Pack(key_service_pb2.OperationProgress(state="WAITING"))
    asked = key_service_pb2.Approval(approval_uid=bytes(16), asked_by="spiffe://pdvault/acme/officer", summary="Destroy it")
    scripted.script("SetSchedule", key_service_pb2.SetScheduleResponse())
    scripted.script("Status", status)
    scripted.script("Rotate", begun)
    scripted.script("GetOperation", key_service_pb2.GetOperationResponse(operation=begun.operation))
    scripted.script("Destroy", key_service_pb2.DestroyResponse(approval=asked))
    scripted.script("ListApprovals", key_service_pb2.ListApprovalsResponse(approvals=[asked]))
    scripted.script("Approve", key_service_pb2.ApproveResponse())
    run_example(4)
    shown = capsys.readouterr().out.splitlines()
    assert shown == ["2 False epoch key 1", "WAITING", "spiffe://pdvault/acme/officer Destroy it"]
