"""Every refusal arrives as an exception that says what the vault said, of a class that callers can catch."""

import pickle
from types import SimpleNamespace

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

import pdvault_client as pd
from pdvault_client import _status
from vault.errors import FieldViolation, VaultError
from vault.v1 import common_pb2, vault_service_pb2

REQUEST_ID = "0d9d5a9e-6f0c-4b0e-8a5e-0c7d1f0b6a11"
EXPECTED = {
    "MALFORMED_REQUEST": pd.InvalidRequestError,
    "INVALID_FIELD": pd.InvalidRequestError,
    "INVALID_VALUE": pd.InvalidRequestError,
    "UNKNOWN_DATA_CLASS": pd.InvalidRequestError,
    "UNKNOWN_FORM": pd.InvalidRequestError,
    "NO_FINGERPRINT": pd.InvalidRequestError,
    "REFERENCE_LOOKS_PERSONAL": pd.InvalidRequestError,
    "DEADLINE_REQUIRED": pd.InvalidRequestError,
    "DEADLINE_TOO_LONG": pd.InvalidRequestError,
    "PAGE_TOKEN_INVALID": pd.InvalidRequestError,
    "LOG_RANGE": pd.LogRangeError,
    "COSIGNATURE_REFUSED": pd.CosignatureRefusedError,
    "SUBJECT_NOT_FOUND": pd.SubjectNotFoundError,
    "TOKEN_NOT_FOUND": pd.TokenNotFoundError,
    "TOKEN_EXPIRED": pd.TokenExpiredError,
    "TOKEN_USED_UP": pd.TokenUsedUpError,
    "REVEAL_ALREADY_DELIVERED": pd.RevealAlreadyDeliveredError,
    "REVISION_MISMATCH": pd.RevisionMismatchError,
    "REQUEST_ID_REUSED": pd.RequestIdReusedError,
    "CERTIFICATE_REFUSED": pd.PermissionDeniedError,
    "PRINCIPAL_UNKNOWN": pd.PermissionDeniedError,
    "PRINCIPAL_SUSPENDED": pd.PermissionDeniedError,
    "POLICY_DENIED": pd.PermissionDeniedError,
    "PURPOSE_NOT_COLLECTED": pd.PermissionDeniedError,
    "POLICY_ERROR": pd.PermissionDeniedError,
    "TENANT_SEALED": pd.PermissionDeniedError,
    "SUBJECT_RESTRICTED": pd.PermissionDeniedError,
    "RESPONSE_TOO_LARGE": pd.ResponseTooLargeError,
    "OVERLOADED": pd.OverloadedError,
    "CONFLICT": pd.ConflictError,
    "DEADLINE_EXCEEDED": pd.DeadlineExceededError,
    "KMS_UNAVAILABLE": pd.UnavailableError,
    "KMS_SEALED": pd.UnavailableError,
    "KMS_DENIED": pd.UnavailableError,
    "DATABASE_UNAVAILABLE": pd.UnavailableError,
    "DATABASE_READ_ONLY": pd.UnavailableError,
    "CLOCK_SKEW": pd.UnavailableError,
    "LOG_STALLED": pd.UnavailableError,
    "LOG_BEHIND_ANCHOR": pd.LogBehindAnchorError,
    "SHUTTING_DOWN": pd.UnavailableError,
    "SCHEMA_UNKNOWN": pd.VaultError,
    "INTEGRITY": pd.IntegrityError,
    "INTERNAL": pd.InternalError,
    "CIPHERTEXT_REFUSED": pd.CiphertextRefusedError,
    "NOT_FOUND": pd.VaultError,
    "ALIAS_TAKEN": pd.VaultError,
    "SUBJECT_HELD": pd.VaultError,
    "KEY_IN_USE": pd.VaultError,
    "OPERATION_UNDER_WAY": pd.VaultError,
    "WRONG_STATE": pd.VaultError,
    "APPROVAL_NEEDED": pd.VaultError,
    "RESTORED_NOT_RECONCILED": pd.VaultError,
}
REASONS = [name.removeprefix("ERROR_REASON_") for name, number in common_pb2.ErrorReason.items() if number]


def raised(client: pd.VaultClient, **options) -> pd.VaultError:
    with pytest.raises(pd.VaultError) as caught:
        client.reveal_one("eml_A", request_id=REQUEST_ID, **options)
    return caught.value


def per_item(client, scripted, status: status_pb2.Status) -> pd.VaultError:
    scripted.script("Reveal", vault_service_pb2.RevealResponse(results=[{"error": status}]))
    error = client.reveal(["eml_A"], atomicity=pd.Atomicity.PER_ITEM, request_id=REQUEST_ID).outcomes[0].error
    assert error is not None
    return error


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_has_its_class_as_call_and_as_item(connect, scripted, reason):
    refusal = VaultError(common_pb2.ErrorReason.Value(f"ERROR_REASON_{reason}"), "what, where, what to do", retry_after_s=0.25)
    scripted.script("Reveal", refusal)
    client = connect(retry=pd.RetryPolicy(attempts=1))
    for error in (raised(client), per_item(client, scripted, refusal.to_status())):
        assert type(error) is EXPECTED[reason]
        assert (error.reason, error.message, error.request_id) == (reason, "what, where, what to do", REQUEST_ID)
        assert error.code.value[0] == refusal.code
        assert error.retry_after_s == 0.25


def test_field_violations_arrive_and_are_shown(client, scripted):
    violations = [FieldViolation(f"items[{n}].value", f"must hold, rule {n} " + "x" * 300) for n in range(20)]
    scripted.script("Reveal", VaultError(common_pb2.ERROR_REASON_INVALID_VALUE, "items[0].value: no", violations=violations))
    error = raised(client)
    assert [(v.field, v.rule) for v in error.violations] == [(v.field, v.rule) for v in violations]
    assert "items[19].value: must hold, rule 19" in str(error)


def test_text_of_an_error_names_reason_and_request(client, scripted):
    scripted.script("Reveal", VaultError(common_pb2.ERROR_REASON_TOKEN_NOT_FOUND, "no such token"))
    assert str(raised(client)) == f"no such token [TOKEN_NOT_FOUND, request {REQUEST_ID}]"


def status(code: int, *details) -> status_pb2.Status:
    made = status_pb2.Status(code=code, message="text")
    for detail in details:
        made.details.add().Pack(detail)
    return made


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (code_pb2.PERMISSION_DENIED, pd.PermissionDeniedError),
        (code_pb2.INVALID_ARGUMENT, pd.InvalidRequestError),
        (code_pb2.FAILED_PRECONDITION, pd.VaultError),
        (code_pb2.OUT_OF_RANGE, pd.VaultError),
        (77, pd.VaultError),
    ],
)
def test_a_reason_newer_than_the_client_falls_back_to_its_code(client, scripted, code, expected):
    info = error_details_pb2.ErrorInfo(reason="FROM_THE_FUTURE", domain="vault.v1")
    error = per_item(client, scripted, status(code, info))
    assert type(error) is expected
    assert error.reason == "FROM_THE_FUTURE"


def test_a_reason_of_another_domain_is_not_the_vaults(client, scripted):
    info = error_details_pb2.ErrorInfo(reason="TOKEN_NOT_FOUND", domain="proxy.example")
    error = per_item(client, scripted, status(code_pb2.NOT_FOUND, info))
    assert (type(error), error.reason) == (pd.VaultError, "")


def test_a_damaged_detail_hides_nothing_else(client, scripted):
    made = status(code_pb2.NOT_FOUND, error_details_pb2.ErrorInfo(reason="TOKEN_NOT_FOUND", domain="vault.v1"))
    made.details.append(any_pb2.Any(type_url="type.googleapis.com/google.rpc.BadRequest", value=b"\xff\xff"))
    error = per_item(client, scripted, made)
    assert (type(error), error.violations) == (pd.TokenNotFoundError, ())


def test_a_wait_in_the_past_is_no_wait(client, scripted):
    delay = error_details_pb2.RetryInfo()
    delay.retry_delay.seconds = -5
    assert per_item(client, scripted, status(code_pb2.UNAVAILABLE, delay)).retry_after_s == 0.0


class Failed(grpc.RpcError, grpc.Call):
    """A failed call with these trailers."""

    def __init__(self, *trailers: tuple[str, str | bytes]) -> None:
        self.trailing_metadata = lambda: trailers
        self.code = lambda: grpc.StatusCode.NOT_FOUND
        self.details = lambda: "from gRPC"


Failed.__abstractmethods__ = frozenset()  # the rest of a call is not looked at


@pytest.mark.parametrize("trailer", [b"\xff\xff", status(code_pb2.ABORTED).SerializeToString(), "text"])
def test_details_that_are_damaged_or_of_another_status_are_not_believed(trailer):
    failed = Failed(("grpc-status-details-bin", trailer))
    error = _status.from_call(failed, address="vault:8443", timeout_s=1, request_id=REQUEST_ID)
    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "")
    assert "from gRPC" in error.message


def test_an_unknown_method_asks_for_the_servers_age(client, scripted):
    scripted.script("Reveal", grpc.StatusCode.UNIMPLEMENTED)
    assert "as new as this client" in raised(client).message


def test_no_answer_in_time_says_that_the_call_may_have_taken_effect(client, scripted):
    scripted.script("Reveal", lambda _request: scripted.received[-1].ended.wait(60) and grpc.StatusCode.CANCELLED)
    error = raised(client, timeout_s=0.2)
    assert type(error) is pd.DeadlineExceededError
    assert "may have taken effect" in error.message
    assert error.request_id == REQUEST_ID


def test_errors_survive_pickling():
    error = pd.TokenExpiredError("text", reason="TOKEN_EXPIRED", code=grpc.StatusCode.FAILED_PRECONDITION, request_id=REQUEST_ID)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # what multiprocessing does
    assert (type(copy), copy.__dict__) == (type(error), error.__dict__)


def test_every_reason_of_the_contract_is_expected_here():
    assert set(EXPECTED) == set(REASONS)


def test_bytes_that_are_no_answer_are_an_error_of_the_client(client, scripted):
    scripted.script("Reveal", SimpleNamespace(SerializeToString=lambda: b"\xff\xff"))
    assert "is it a vault?" in raised(client).message
