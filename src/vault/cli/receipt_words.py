"""What an erasure's receipt says, in words that a person can be shown, and what of it is proven."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from vault.audit.note import encode_base64
from vault.audit.receipt import VerifiedReceipt
from vault.cli.output import Fields, iso
from vault.v1.subject_service_pb2 import ErasureReceipt, ErasureStatement

if TYPE_CHECKING:
    from pdvault_client import ErasureReceipt as Receipt


def told(receipt: ErasureReceipt, statement: ErasureStatement) -> Iterator[tuple[str, str]]:
    """What the statement says, as pairs of a question and its answer. Nothing of it is verified here."""
    items = ", ".join(f"{each.count} {each.data_class}" for each in statement.items) or "none"
    yield "Who was erased", receipt.subject_id or "the receipt does not say; the caller's own copy does"
    yield "Erasure", statement.erasure_uid.hex()
    yield "Known to the log as", statement.subject_uid.hex()
    yield "Asked for", _when(statement, "request_time") + _why(statement)
    yield "Stored values destroyed", f"{items}; {statement.tokens} tokens that led to them"
    yield "Keys destroyed", str(len(statement.keys))
    if statement.unopened_keys:
        yield "Damaged or foreign rows of keys removed", str(statement.unopened_keys)
    yield "Not used by anybody since", _when(statement, "refused_time")
    yield "Gone from the database and its copies by", _when(statement, "clean_time")
    yield "No backup brings it back from, at the earliest", _when(statement, "horizon_time") + _reservations(statement)
    if statement.digits_kept:
        kept = ", ".join(f"{count} of each {name}" for name, count in sorted(statement.digits_kept.items()))
        yield "Digits that live on in tokens", kept
    if statement.recipients:
        yield "Others to be told", ", ".join(statement.recipients)


def row(receipt: "Receipt", file: Path) -> Fields:
    """What is printed of a receipt; not whom it is about."""
    return {
        "erasure_uid": receipt.erasure_uid.hex(),
        "keys": receipt.keys,
        "items": sum(receipt.items.values()),
        "tokens": receipt.tokens,
        "clean_time": iso(receipt.clean_time),
        "horizon_time": iso(receipt.horizon_time),
        "proven": receipt.is_proven,
        "receipt": str(file),
    }


def proven(found: VerifiedReceipt) -> Iterator[str]:
    """What a verified receipt proves, and what it does not."""
    if found.is_named:
        yield "proven: the statement is about the subject that the receipt names"
    else:
        yield "not shown: whom the statement is about; the caller's own copy says"
    if found.erased:
        yield f"proven: entry {found.erased.entry} of the log says that exactly this was erased, and can't be taken back unnoticed"
    else:
        yield "not proven: that it was done; ask the vault for the receipt again, with its proof"
    if found.horizon:
        yield f"proven: entry {found.horizon.entry} of the log says that the keys under which old copies lie are destroyed, too"
    else:
        yield "not proven: that no backup brings it back; the log says so later, and the receipt then has the proof"
    yield "no receipt can prove that nobody had taken a copy away before"


def fields(found: VerifiedReceipt) -> Fields:
    """The same for programs."""
    said = found.statement
    return {
        "erasure_uid": said.erasure_uid.hex(),
        "subject_uid": said.subject_uid.hex(),
        "statement_sha256": found.sha256.hex(),
        "named": found.is_named,
        "erased_entry": found.erased.entry if found.erased else None,
        "horizon_entry": found.horizon.entry if found.horizon else None,
        "horizon_provable": said.horizon_provable,
        "root": encode_base64(found.erased.signed.checkpoint.root) if found.erased else None,
    }


def _when(statement: ErasureStatement, name: str) -> str:
    if not statement.HasField(name):
        return "not said"
    try:
        when: datetime = getattr(statement, name).ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        return "not said"
    return when.isoformat(sep=" ", timespec="seconds").replace("+00:00", " UTC")


def _why(statement: ErasureStatement) -> str:
    named = [f"{name} {said}" for name, said in (("ground", statement.ground), ("reference", statement.reference)) if said]
    return f" ({', '.join(named)})" if named else ""


def _reservations(statement: ErasureStatement) -> str:
    said = ""
    if not statement.horizon_provable:
        said += "; the keys are kept in a file, so that this can't be proven"
    if statement.kek_imported:
        said += "; once the customer's own copy of the master key is destroyed as well"
    return said
