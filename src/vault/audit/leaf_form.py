"""Whether an event has the form that docs/formats.md gives it, so that it can be followed and found: asked before it enters a log.

Nobody can keep a database's administrator from putting a row of their own into the queue. What a boot never writes becomes an
entry for everybody to see, but no chain is followed through it and nothing is found by it: its fields could be what no column, no
index row and no reader can take. ``verify_leaves`` asks more, of what is in a log already.
"""

from vault.audit.chain import FORMAT
from vault.v1.audit_pb2 import AuditEvent, Decision

MAX_TEXT = 1024
"""Characters of each text that events are found by; four times the longest that anything writes."""

_UID, _HASH, _SIGNATURE = 16, 32, 64
_UID_OR_NONE, _HASH_OR_NONE, _SIGNATURE_OR_NONE = (0, _UID), (0, _HASH), (0, _SIGNATURE)
_DECISIONS = frozenset(Decision.values()) - {0}
_MAX_REASON = 65_535
"""Any ``ErrorReason``, also one that a newer node knows and this one does not."""
_MAX = 2**63 - 1
"""Of a database's whole numbers."""


def is_well_formed(event: AuditEvent) -> bool:
    """Whether a boot can have written this event. Whose log it is in, and whether its chain is whole, is not asked."""
    return (
        event.format == FORMAT
        and len(event.tenant_uid) == len(event.boot_id) == len(event.random) == _UID
        and len(event.previous_hash) == _HASH
        and event.boot_sequence < _MAX
        and event.time_us <= _MAX
        and event.decision in _DECISIONS
        and 0 <= event.reason <= _MAX_REASON
        and len(event.principal_uid) in _UID_OR_NONE
        and len(event.request_id) in _UID_OR_NONE
        and len(event.certificate_sha256) in _HASH_OR_NONE
        and len(event.policy_sha256) in _HASH_OR_NONE
        and len(event.boot_public_key) in _HASH_OR_NONE
        and len(event.boot_endorsement) in _SIGNATURE_OR_NONE
        and len(event.boot_signature) in _SIGNATURE_OR_NONE
        and _are_texts(event.action, event.principal, event.node, event.purpose, event.recipient, *event.policy_ids)
        and _are_uids(event)
    )


def _are_texts(*texts: str) -> bool:
    """Whether a column can hold these: PostgreSQL's texts have no NUL."""
    return max(map(len, texts)) <= MAX_TEXT and "\0" not in "".join(texts)


def _are_uids(event: AuditEvent) -> bool:
    for touched in event.touched:
        if len(touched.subject_uids) % _UID or len(touched.token_uids) % _UID or not _are_texts(touched.data_class):
            return False
    return True
