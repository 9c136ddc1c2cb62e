"""What a boot may do only once the log's key has endorsed it (docs/formats-log.md, "Bundle"): anything for anybody.

Whoever can write to the database can make up a boot, and events of it. They can't make up an endorsement.
"""

from vault.audit.actions import KMS_BACK, NODE_STARTED, NODE_STOPPING
from vault.audit.verify_leaves import OWN
from vault.v1.audit_pb2 import DECISION_ALLOWED, DECISION_PARTIAL

_DONE = frozenset((DECISION_ALLOWED, DECISION_PARTIAL))
_SAID_UNENDORSED = OWN | {NODE_STARTED, NODE_STOPPING, KMS_BACK}
"""Where nothing was allowed to anybody, whatever the decision: what a server says of itself, also while the KMS is away."""


def needs_endorsement(action: str, decision: int) -> bool:
    """Whether an event of this action and decision may stand only in a boot that is endorsed."""
    return decision in _DONE and action not in _SAID_UNENDORSED
