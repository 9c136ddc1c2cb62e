"""What a restore lost: which events are shown as acts to be done again, and which are not."""

import pytest

from vault.cli.lost_acts import is_lost
from vault.server import audit_methods
from vault.server.methods import SERVICES
from vault.v1.audit_pb2 import AuditEvent

CALLER = "spiffe://pdvault/acme/security"


def lost(action: str, principal: str = CALLER) -> bool:
    """Whether it is to be done again."""
    return is_lost(AuditEvent(action=action, principal=principal))


def test_of_all_methods_those_that_change_something_beyond_items_are_to_be_done_again() -> None:
    methods = {method.name for service in SERVICES.values() for method in service}
    methods |= {method.name for method in (*audit_methods.METHODS, *audit_methods.STREAMS)}
    assert {name for name in methods if lost(name)} == {
        *("Rotate", "Rekey", "Destroy", "Seal", "Unseal", "SetSchedule", "Approve", "Deny"),
        *("PauseOperation", "ResumeOperation", "CancelOperation"),
        *("Register", "Link", "Unlink", "Restrict", "Unrestrict", "PlaceHold", "ReleaseHold", "Erase", "BulkErase"),
    }


@pytest.mark.parametrize("action", ["PrincipalAdded", "PrincipalSuspended", "IssuingCaAdded", "TenantCreated", "AnActYetUnknown"])
def test_an_operator_s_acts_are_to_be_done_again(action: str) -> None:
    assert lost(action, "local:root")


@pytest.mark.parametrize("action", ["RestoreReconciled", "ErasureRepeated"])
def test_what_an_earlier_restore_did_is_done_by_the_next_one(action: str) -> None:
    assert not lost(action, "local:root")


@pytest.mark.parametrize("action", ["Rekeyed", "KeysRotated", "KeysRetired", "KeysDestroyed", "HorizonReached", "RotationDue"])
def test_steps_of_a_key_worker_are_not_to_be_done_by_hand(action: str) -> None:
    assert not lost(action, "key-worker:node-1")


@pytest.mark.parametrize("action", ["BootStarted", "NodeStarted", "KmsAway", "KmsBack", "Erased", "WitnessConflict"])
def test_what_the_vault_said_by_itself_is_not_to_be_done_again(action: str) -> None:
    assert not lost(action, "")
