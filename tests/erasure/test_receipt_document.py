"""docs/formats.md, "Erasure receipt", and the vault say the same; the example was written without any code of the vault."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from vault.audit.receipt import read_statement
from vault.audit.receipt_leaves import erases
from vault.audit.verify_errors import WrongError
from vault.crypto.commitment import commitment, opens
from vault.crypto.keys import Key
from vault.v1 import audit_pb2

VECTORS = Path(__file__).parents[1] / "vectors" / "stored.json"


@pytest.fixture
def example() -> Any:
    (case,) = json.loads(VECTORS.read_text("utf-8"))["erasure"]
    return case


def test_a_statement_is_read_and_written_as_it_stands_there(example: Any) -> None:
    raw = bytes.fromhex(example["statement"])
    statement = read_statement(raw)
    assert statement.SerializeToString(deterministic=True) == raw
    assert (statement.erasure_uid.hex(), len(statement.keys)) == (example["erasure"], int(example["keys"]))
    assert sha256(raw).hexdigest() == example["statement_sha256"]


def test_a_name_is_committed_to_as_it_stands_there(example: Any) -> None:
    key = Key(bytes.fromhex(example["commitment_key"]))
    assert commitment(key, example["subject_id"]).hex() == example["commitment"]
    assert opens(key, example["subject_id"], read_statement(bytes.fromhex(example["statement"])).subject_commitment)
    assert not opens(key, example["subject_id"] + "x", bytes.fromhex(example["commitment"]))


def test_a_leaf_says_that_it_is_done_by_all_of_its_details_or_not_at_all(example: Any) -> None:
    raw = bytes.fromhex(example["statement"])
    statement = read_statement(raw)
    details = {name: example[name] for name in ("erasure", "statement_sha256", "keys")}

    def event(**fields: Any) -> audit_pb2.AuditEvent:
        said: dict[str, Any] = {"action": "Erased", "decision": audit_pb2.DECISION_ALLOWED, "tenant_uid": statement.tenant_uid}
        touched = audit_pb2.Touched(subject_uids=bytes(16) + statement.subject_uid)
        return audit_pb2.AuditEvent(**{**said, "details": details, "touched": [touched], **fields})

    assert erases(event(), raw)
    for other in (
        event(action="Erase"),
        event(decision=audit_pb2.DECISION_FAILED),
        event(tenant_uid=bytes(16)),
        event(touched=[]),
        *(event(details={**details, name: "0" + details[name][1:]}) for name in details),
        *(event(details={key: said for key, said in details.items() if key != name}) for name in details),
    ):
        assert not erases(other, raw), other


@pytest.mark.parametrize("raw", [b"", b"\x08\x02", b"\xff", b"\x08\x01"])
def test_what_is_no_statement_is_refused(raw: bytes) -> None:
    with pytest.raises(WrongError):
        read_statement(raw)
