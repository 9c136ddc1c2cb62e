"""What is bounded: sizes of requests, answers and audit events, methods, and the time a call has."""

import grpc
import pytest
from tests.harness import Caller, context, reveal_request
from tests.server.canaries import SUBJECT, VALUES
from tests.server.conftest import Served
from tests.server.refusal import refused
from tests.server.requests import METHODS, good, tokenize

from vault.v1 import common_pb2
from vault.v1 import vault_service_pb2 as v1

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def caller(served: Served) -> Caller:
    caller = served.server.caller("all")
    caller.call(good("Tokenize"))
    return caller


def test_a_method_that_does_not_exist_is_unimplemented(served: Served, caller: Caller) -> None:
    leaves = served.ledger.leaves()
    assert refused(lambda: caller.raw("RevealEverything", b"")).code == "UNIMPLEMENTED"
    assert refused(lambda: caller.channel.unary_unary("/vault.v2.VaultService/Reveal")(b"", timeout=60)).code == "UNIMPLEMENTED"
    assert served.ledger.leaves() == leaves


@pytest.mark.parametrize("method", METHODS)
def test_a_request_over_4_mib_is_refused_by_the_transport_also_compressed(served: Served, caller: Caller, method: str) -> None:
    rows, leaves = served.ledger.rows(), served.ledger.leaves()
    assert refused(lambda: caller.raw(method, bytes(4 * MIB + 1))).code == "RESOURCE_EXHAUSTED"
    stub = caller.channel.unary_unary(f"/vault.v1.VaultService/{method}")
    refusal = refused(lambda: stub(bytes(4 * MIB + 1), timeout=60, compression=grpc.Compression.Gzip))
    assert refusal.code == "RESOURCE_EXHAUSTED"
    assert (served.ledger.rows(), served.ledger.leaves()) == (rows, leaves)


def test_a_request_of_4_mib_is_read(served: Served, caller: Caller) -> None:
    raw = good("Tokenize").SerializeToString()
    unknown_field = b"\xfa\x7f" + _varint(4 * MIB - len(raw) - 6)
    served.check_refused(caller, ("ListDataClasses", raw + unknown_field + b"\xff" * 10), "INVALID_ARGUMENT", "MALFORMED_REQUEST")
    padding = bytes(4 * MIB - len(raw) - len(unknown_field))
    assert len(v1.TokenizeResponse.FromString(caller.raw("Tokenize", raw + unknown_field + padding)).results) == len(VALUES)


def test_an_answer_over_4_mib_is_refused_before_a_limited_token_is_consumed(served: Served, caller: Caller) -> None:
    big = common_pb2.Value(text=(str(VALUES["free_text"]) * 21_000)[:MIB])
    tokens = [str(caller.call(tokenize("free_text", value=big, max_reveals=1)).results[0].token) for _ in range(4)]
    refusal = served.check_refused(caller, reveal_request(*tokens), "RESOURCE_EXHAUSTED", "RESPONSE_TOO_LARGE")
    assert "fewer items" in refusal.message
    for token in tokens:
        assert caller.call(reveal_request(token)).results[0].value == big


def test_a_thousand_items_of_a_thousand_people_fit_into_one_call_and_one_event(served: Served, caller: Caller) -> None:
    request = v1.TokenizeRequest(context=context(purpose="p" * 64, ground="g" * 64, reference="r" * 64, recipient="x" * 64))
    for n in range(1000):
        request.items.add().CopyFrom(tokenize(sorted(VALUES)[n % 8], subject_id=f"one of a thousand {n}").items[0])
    leaves = served.ledger.leaves()
    results = caller.call(request, timeout=60).results
    assert len({result.token for result in results}) == 1000
    (event,) = served.ledger.events(leaves)
    assert sum(touched.count for touched in event.touched) == 1000


def test_a_deadline_that_has_passed_is_a_deadline_exceeded_and_counted_as_no_success(served: Served, caller: Caller) -> None:
    rows = served.ledger.rows()
    before = _counted(served, "Delete")
    for _ in range(20):
        assert refused(lambda: caller.raw("Delete", good("Delete").SerializeToString(), timeout=0.001)).code == "DEADLINE_EXCEEDED"
    assert served.ledger.rows() == rows
    caller.call(good("ListDataClasses"))  # after the others: the server has seen what there was to see
    after = _counted(served, "Delete")
    assert set(after) - set(before) <= {"CALLER_GONE", "DEADLINE_EXCEEDED"}


def test_a_call_that_never_sends_its_request_ends_by_its_deadline(served: Served, caller: Caller) -> None:
    leaves = served.ledger.leaves()
    silent = caller.channel.stream_unary("/vault.v1.VaultService/Reveal")
    assert refused(lambda: silent(iter(()), timeout=1)).code == "DEADLINE_EXCEEDED"
    assert served.ledger.leaves() == leaves


def test_metadata_over_16_kib_is_refused_by_the_transport(served: Served, caller: Caller) -> None:
    stub = caller.channel.unary_unary("/vault.v1.VaultService/ListDataClasses")
    refusal = refused(lambda: stub(b"", timeout=60, metadata=(("x-padding", "x" * 32 * 1024),)))
    assert refusal.code == "RESOURCE_EXHAUSTED"


def test_metrics_count_calls_by_method_and_reason_and_hold_no_value(served: Served, caller: Caller) -> None:
    before = _counted(served, "Reveal").get("TOKEN_NOT_FOUND", 0)
    refused(lambda: caller.call(good("Reveal")))
    assert _counted(served, "Reveal")["TOKEN_NOT_FOUND"] == before + 1
    text = "\n".join(served.metrics())
    assert "vault_serving 1.0" in text
    assert SUBJECT not in text
    labels = {line.split("{")[1].split("}")[0] for line in text.splitlines() if "{" in line}
    assert all(label.split("=")[0] in ("method", "reason", "le", "result") for each in labels for label in each.split(","))


def _counted(served: Served, method: str) -> dict[str, float]:
    """How often the method ended for each reason."""
    found = {}
    for line in served.metrics():
        if line.startswith("vault_calls_total{") and f'method="{method}"' in line:
            found[line.split('reason="')[1].split('"')[0]] = float(line.rsplit(" ", 1)[1])
    return found


def _varint(number: int) -> bytes:
    text = b""
    while number > 127:
        text += bytes([number & 127 | 128])
        number >>= 7
    return text + bytes([number])
