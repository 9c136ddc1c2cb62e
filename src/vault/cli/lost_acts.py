"""Which acts in a log have to be done again once a restore has lost them: of calls, the contract says what they change."""

from collections.abc import Iterator

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from vault.audit.actions import ERASURE_REPEATED, RESTORE_RECONCILED
from vault.v1 import audit_service_pb2, field_service_pb2, key_service_pb2, subject_service_pb2, vault_service_pb2
from vault.v1.audit_pb2 import AuditEvent

_OPERATOR = "local:"
_ITEMS = (vault_service_pb2, field_service_pb2)
"""Services of which events say by each item what became of it."""
_LOG = (audit_service_pb2,)
_ACTS = (key_service_pb2, subject_service_pb2)


def _methods(*files: object) -> Iterator[MethodDescriptor]:
    for file in files:
        for service in file.DESCRIPTOR.services_by_name.values():  # type: ignore[attr-defined]
            yield from service.methods


def _changes(method: MethodDescriptor) -> bool:
    return bool(method.GetOptions().idempotency_level != MethodOptions.NO_SIDE_EFFECTS)


_OF_ITEMS = frozenset(method.name for method in _methods(*_ITEMS))
_METHODS = frozenset(method.name for method in _methods(*_ITEMS, *_LOG, *_ACTS))
_CHANGING = frozenset(method.name for method in _methods(*_ACTS) if _changes(method))
_RESTORING = frozenset((RESTORE_RECONCILED, ERASURE_REPEATED))


def is_told_by_items(event: AuditEvent) -> bool:
    """Whether what became of its items is what a caller wanted. A re-keying changes items as well, and nobody's value."""
    return event.action in _OF_ITEMS


def is_lost(event: AuditEvent) -> bool:
    """Whether an event that went through is of an act which has to be done again as a whole: a call's, or an operator's.

    What the vault did by itself and its key worker's steps follow from such acts, and what a restore did is done by the next one.
    """
    if event.action in _METHODS:
        return event.action in _CHANGING
    return event.principal.startswith(_OPERATOR) and event.action not in _RESTORING
