"""BulkErase: all or none begin, the servers finish them, and each has a receipt of its own."""

import uuid

from tests.erasure.test_erase import hold, stored, uid_of
from tests.erasure.working import Working, erase, statement_of
from tests.harness import context
from tests.use_cases.requests import new_subject, reveal

from vault.store import tables as t
from vault.v1.key_service_pb2 import OperationProgress
from vault.v1.subject_service_pb2 import BulkEraseRequest, BulkEraseResult


def bulk(*subject_ids: str) -> BulkEraseRequest:
    """A request to erase these."""
    return BulkEraseRequest(context=context(), subject_ids=subject_ids)


def people(at_work: Working, count: int) -> dict[str, list[str]]:
    """New people with their tokens."""
    names = [new_subject() for _ in range(count)]
    return {name: stored(at_work, name) for name in names}


def unharmed(at_work: Working, tokens: dict[str, list[str]]) -> bool:
    """Whether all of them are there as they were."""
    return all(len(at_work.ask(reveal(*some), "all").results) == len(some) for some in tokens.values())


def test_all_are_erased_and_the_operation_says_so(at_work: Working) -> None:
    tokens = people(at_work, 3)
    uids = [uid_of(at_work, some[0]) for some in tokens.values()]
    request = bulk(*tokens)
    operation = at_work.ask(request).operation
    progress = OperationProgress()
    assert operation.metadata.Unpack(progress)
    assert (operation.done, progress.kind, progress.total, progress.done) == (False, "BulkErase", 3, 0)
    for some in tokens.values():
        assert at_work.refused(reveal(some[0]), "all").reason_name == "SUBJECT_RESTRICTED"
    assert at_work.ask(request).operation.name == operation.name
    at_work.resume()
    ended = at_work.ask(request).operation
    result = BulkEraseResult()
    assert ended.done
    assert ended.response.Unpack(result)
    assert [at_work.left(uid) for uid in uids] == [{}, {}, {}]
    assert [statement_of(at_work.receipt(uid)).subject_uid for uid in result.erasure_uids] == uids


def test_each_of_them_gets_its_own_receipt_by_the_same_request(at_work: Working) -> None:
    tokens = people(at_work, 2)
    request = bulk(*tokens)
    at_work.ask(request)
    at_work.resume()
    for name in tokens:
        one = erase(name)
        one.context.request_id = request.context.request_id
        assert at_work.ask(one).receipt.subject_id == name
    stranger = erase(new_subject())
    stranger.context.request_id = request.context.request_id
    assert at_work.refused(stranger).reason_name == "REQUEST_ID_REUSED"


def test_one_that_is_unknown_or_held_or_there_twice_saves_all(at_work: Working) -> None:
    tokens = people(at_work, 2)
    first, second = tokens
    refusal = at_work.refused(bulk(first, new_subject()))
    assert refusal.reason_name == "SUBJECT_NOT_FOUND"
    assert "subject_ids[1]" in refusal.message
    row = hold(at_work, uid_of(at_work, tokens[second][0]), None)
    refusal = at_work.refused(bulk(first, second))
    assert refusal.reason_name == "SUBJECT_HELD"
    assert row.uid.hex() in refusal.message
    assert unharmed(at_work, tokens)
    assert not at_work.inside.rows(t.operation, state="RUNNING")


def test_another_bulk_waits_for_the_one_under_way(at_work: Working) -> None:
    tokens, others = people(at_work, 1), people(at_work, 1)
    at_work.ask(bulk(*tokens))
    assert at_work.refused(bulk(*others)).reason_name == "OPERATION_UNDER_WAY"
    assert unharmed(at_work, others)
    at_work.resume()
    at_work.ask(bulk(*others))
    at_work.resume()


def test_a_request_id_stands_for_these_people_in_this_order(at_work: Working) -> None:
    tokens = people(at_work, 2)
    request = bulk(*tokens)
    at_work.ask(request)
    at_work.resume()
    for others in ([*tokens][::-1], [*tokens][:1], [*tokens, new_subject()], [new_subject()]):
        other = bulk(*others)
        other.context.request_id = request.context.request_id
        assert at_work.refused(other).reason_name == "REQUEST_ID_REUSED"
    single = people(at_work, 1)
    one = erase(*single)
    at_work.ask(one)
    again = bulk(*single)
    again.context.request_id = one.context.request_id
    assert at_work.refused(again).reason_name == "REQUEST_ID_REUSED"


def test_no_name_is_in_any_row_of_it(at_work: Working) -> None:
    tokens = people(at_work, 2)
    request = bulk(*tokens)
    at_work.ask(request)
    rows = at_work.inside.rows(t.operation) + at_work.inside.rows(t.erasure)
    at_work.resume()
    rows += at_work.inside.rows(t.operation) + at_work.inside.rows(t.erasure)
    cells = b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for row in rows for cell in row)
    assert uuid.UUID(request.context.request_id).bytes in cells
    assert not [name for name in tokens if name.encode() in cells]
