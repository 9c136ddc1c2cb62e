"""Fields of AuditService's responses to dataclasses. An answer that does not fit its request is an error, never guessed at."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from functools import cache

from google.protobuf.message import DecodeError

from pdvault_client._answers import Answer, known, time, unfit
from pdvault_client._contract import Message, contract
from pdvault_client.audit_types import (
    Aggregate,
    BreachRow,
    BreachSummary,
    Change,
    ConsistencyProof,
    Count,
    Decision,
    Event,
    EventPage,
    ExportPiece,
    InclusionProof,
    KeyLife,
    LogCheckpoint,
    TimelinePage,
    Touched,
    Use,
    WitnessState,
)
from pdvault_client.types import Form, FormKind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UID, _HASH = 16, 32
_PATH = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")


def event_page(answer: Answer) -> EventPage:
    """A QueryResponse."""
    message = answer.message
    return EventPage(events(answer), message.next_page_token, message.size)


def timeline_page(answer: Answer) -> TimelinePage:
    """A SubjectTimelineResponse."""
    message = answer.message
    return TimelinePage(events(answer), message.next_page_token, message.size, message.subject_uid)


def events(answer: Answer) -> tuple[Event, ...]:
    """The entries of a response.

    Raises:
        VaultError: one is no event.
    """
    return tuple(_event(entry, answer.request_id) for entry in answer.message.entries)


def checkpoint(answer: Answer) -> LogCheckpoint:
    """A GetCheckpointResponse."""
    message = answer.message
    witnesses = tuple(WitnessState(item.name, item.size, time(item, "cosign_time"), item.problem) for item in message.witnesses)
    return LogCheckpoint(message.checkpoint, message.cosigned_checkpoint, message.log_key, witnesses)


def inclusion_proof(answer: Answer, index: int) -> InclusionProof:
    """A GetInclusionProofResponse about this index."""
    message = answer.message
    if message.entry.index != index:
        raise unfit(f"the server proved entry {message.entry.index} instead of {index}", answer.request_id)
    event = _event(message.entry, answer.request_id)
    return InclusionProof(event, tuple(message.hashes), message.size, message.proof_file)


def consistency_proof(answer: Answer) -> ConsistencyProof:
    """A GetConsistencyProofResponse."""
    message = answer.message
    return ConsistencyProof(tuple(message.hashes), message.second_size, message.checkpoint)


def aggregate(answer: Answer, dimensions: int) -> Aggregate:
    """An AggregateResponse with so many dimensions."""
    counts = tuple(Count(time(item, "time"), tuple(item.values), item.events, item.items) for item in answer.message.counts)
    if any(len(count.values) != dimensions for count in counts):
        raise unfit(f"the server answered counts that have not {dimensions} values", answer.request_id)
    return Aggregate(counts, answer.message.size)


def breach_rows(answer: Answer) -> tuple[BreachRow, ...]:
    """The rows of a BreachReportResponse."""
    return tuple(_breach_row(row) for row in answer.message.rows)


def breach_summary(answer: Answer) -> BreachSummary | None:
    """The summary of a BreachReportResponse, if it is the last one."""
    if not answer.message.HasField("summary"):
        return None
    found = answer.message.summary
    life = _key_life(found.key_life) if found.HasField("key_life") else None
    return BreachSummary(found.subjects, found.events, found.refused, found.checkpoint, found.size, life, found.exposed_subjects)


def export_piece(answer: Answer) -> ExportPiece:
    """An ExportResponse.

    Raises:
        VaultError: its path is none that could be in a bundle: callers may write files by it.
    """
    message = answer.message
    if not _PATH.fullmatch(message.path) or {".", ".."} & set(message.path.split("/")):
        raise unfit("the server sent a file whose path is none of a bundle", answer.request_id)
    return ExportPiece(message.path, message.data, message.entries_done, message.entries_total)


def witnesses(answer: Answer) -> tuple[str, ...]:
    """An AddCosignatureResponse."""
    return tuple(answer.message.witnesses)


def _key_life(life: Message) -> KeyLife:
    return KeyLife(
        keys=tuple(life.keys),
        begin_time=time(life, "begin_time"),
        begin_index=life.begin_index,
        end_time=time(life, "end_time"),
        end_index=life.end_index,
        destroy_time=time(life, "destroy_time"),
    )


def _breach_row(row: Message) -> BreachRow:
    return BreachRow(
        subject_uid=row.subject_uid,
        subject_id=row.subject_id,
        data_class=row.data_class,
        purpose=row.purpose,
        use=known(Use, row.use),
        partial_name=row.partial_name,
        events=row.events,
        first_time=time(row, "first_time"),
        last_time=time(row, "last_time"),
        first_index=row.first_index,
        last_index=row.last_index,
    )


def _event(entry: Message, request_id: str) -> Event:
    try:
        return _read_leaf(entry.index, entry.leaf)
    except (DecodeError, OverflowError, ValueError):
        pass
    raise unfit(f"entry {entry.index} is no audit event", request_id)


def _read_leaf(index: int, leaf: bytes) -> Event:
    message = _audit_event().FromString(leaf)
    return Event(
        index=index,
        leaf=leaf,
        time=_EPOCH + timedelta(microseconds=message.time_us),
        principal=message.principal,
        action=message.action,
        decision=known(Decision, message.decision),
        reason=_reason(message.reason),
        purpose=message.purpose,
        ground=message.ground,
        reference=message.reference,
        recipient=message.recipient,
        policy_ids=tuple(message.policy_ids),
        roles=tuple(message.roles),
        request_id=str(uuid.UUID(bytes=message.request_id)) if message.request_id else "",
        touched=tuple(_touched(item) for item in message.touched),
        details=dict(message.details),
        node=message.node,
        certificate_sha256=message.certificate_sha256,
        principal_uid=message.principal_uid,
        tenant_uid=message.tenant_uid,
        policy_sha256=message.policy_sha256,
        boot_id=message.boot_id,
        boot_sequence=message.boot_sequence,
    )


def _touched(item: Message) -> Touched:
    return Touched(
        data_class=item.data_class,
        form=Form(known(FormKind, item.form), item.partial_name) if item.form else None,
        count=item.count,
        subject_uids=_cut(item.subject_uids, _UID),
        token_uids=_cut(item.token_uids, _UID),
        reason=_reason(item.reason),
        change=known(Change, item.change),
        envelope_hashes=_cut(item.envelope_hashes, _HASH),
        mismatched=item.mismatched,
        queries=item.queries,
    )


def _cut(joined: bytes, width: int) -> tuple[bytes, ...]:
    if len(joined) % width:
        raise ValueError(f"not in pieces of {width} bytes")
    return tuple(joined[at : at + width] for at in range(0, len(joined), width))


def _reason(number: int) -> str:
    """A reason's name; of one that is newer than this client, its number."""
    return _reasons().get(number, str(number)) if number else ""


@cache
def _reasons() -> dict[int, str]:
    return {number: name.removeprefix("ERROR_REASON_") for name, number in contract().enum("vault.v1.ErrorReason").items()}


@cache
def _audit_event() -> Message:
    return contract().message("vault.v1.AuditEvent")
