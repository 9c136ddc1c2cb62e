"""What the KMS refused is remembered for a moment, a tenant at a time."""

import pytest

from vault.errors import VaultError
from vault.kms.key_manager import KmsDeniedError, KmsIntegrityError, KmsSealedError, KmsUnavailableError
from vault.server.refusals import PAUSE_S, Refusals
from vault.v1 import common_pb2

ACME, GLOBEX = b"a" * 16, b"g" * 16
SHORTEST_S, LONGEST_S = PAUSE_S


class Case:
    """Refusals, and the time by their clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.refusals = Refusals(lambda: self.now)


@pytest.fixture
def case() -> Case:
    return Case()


@pytest.mark.parametrize("error", [KmsUnavailableError("away"), KmsSealedError("sealed"), KmsDeniedError("denied")], ids=str)
def test_a_refusal_is_repeated_for_a_moment_for_its_tenant_alone(case: Case, error: VaultError) -> None:
    case.refusals.note(ACME, error)
    for now in (100.0, 100.0 + SHORTEST_S - 0.01):
        case.now = now
        with pytest.raises(VaultError) as caught:
            case.refusals.check(ACME)
        assert caught.value is error
        case.refusals.check(GLOBEX)
    case.now = 100.0 + LONGEST_S
    case.refusals.check(ACME)


def test_it_is_not_repeated_for_longer_than_it_says_itself(case: Case) -> None:
    case.refusals.note(ACME, KmsUnavailableError("almost back", retry_after_s=0.1))
    case.now += 0.1
    case.refusals.check(ACME)


def test_how_long_differs_each_time(case: Case) -> None:
    tenants = [bytes([number]) * 16 for number in range(64)]
    for tenant in tenants:
        case.refusals.note(tenant, KmsSealedError("sealed"))
    case.now += (SHORTEST_S + LONGEST_S) / 2
    waiting = 0
    for tenant in tenants:
        try:
            case.refusals.check(tenant)
        except VaultError:
            waiting += 1
    assert 0 < waiting < len(tenants)


@pytest.mark.parametrize(
    "error", [KmsIntegrityError("damaged"), VaultError(common_pb2.ERROR_REASON_DATABASE_UNAVAILABLE, "gone")], ids=str
)
def test_what_is_not_the_kms_s_refusal_is_not_remembered(case: Case, error: VaultError) -> None:
    case.refusals.note(ACME, error)
    case.refusals.check(ACME)


def test_a_refusal_told_often_does_not_grow(case: Case) -> None:
    error = KmsSealedError("sealed")
    case.refusals.note(ACME, error)
    for _ in range(3):
        with pytest.raises(KmsSealedError):
            case.refusals.check(ACME)
    depth = 0
    frame = error.__traceback__
    while frame:
        depth, frame = depth + 1, frame.tb_next
    assert depth <= 2
