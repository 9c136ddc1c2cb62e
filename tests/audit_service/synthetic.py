"""Synthetic events, and the naive way to find those that match a filter: looking at each."""

import random
from collections.abc import Callable
from typing import Any

from vault.audit.events import Caller, Draft
from vault.v1 import audit_pb2, common_pb2
from vault.v1.audit_service_pb2 import EventFilter

HOUR_US = 3_600_000_000
BEGIN_US = 1_790_000_000_000_000
ACTIONS = ("Reveal", "Search", "Describe", "Tokenize")
CLASSES = ("email", "phone", "")
PURPOSES = ("payout", "support")
RECIPIENTS = ("", "bank-7")
NODES = ("node-1", "node-2")
PRINCIPALS = tuple(f"spiffe://pdvault/acme/p-{number}" for number in range(4))
POLICIES = ("reader-plain-reveals", "purpose-limitation", "a,b", "a")
UIDS = tuple(bytes([number]) * 16 for number in range(1, 7))
REQUESTS = tuple(f"{number:08d}-0000-4000-8000-000000000000" for number in range(1, 6))

Matches = Callable[[audit_pb2.AuditEvent], bool]


def dice(seed: int) -> random.Random:
    """Dice that fall alike for one seed, so that a failure can be repeated."""
    return random.Random(seed)  # noqa: S311  not for secrets


def draft(dice: random.Random, tenant_uid: bytes) -> Draft:
    """Any event of a tenant."""
    who = dice.randrange(len(PRINCIPALS))
    context = common_pb2.CallContext(
        purpose=dice.choice(PURPOSES), request_id=dice.choice(REQUESTS), recipient=dice.choice(RECIPIENTS)
    )
    made = Draft(Caller(tenant_uid, PRINCIPALS[who], bytes(32), bytes([who]) * 32), dice.choice(ACTIONS), context)
    made.decision = dice.choice((audit_pb2.DECISION_ALLOWED, audit_pb2.DECISION_ALLOWED, audit_pb2.DECISION_DENIED))
    made.policy_ids = set(dice.sample(POLICIES, dice.randrange(3)))
    made.principal_uid = bytes([who]) * 16
    for _ in range(dice.randrange(4)):
        form = common_pb2.Form(kind=dice.choice((1, 2)))
        reason = dice.choice((0, 0, common_pb2.ERROR_REASON_TOKEN_EXPIRED))
        made.touch(dice.choice(CLASSES), dice.choice(UIDS), dice.choice(UIDS), form=form, reason=reason)
    return made


def filters(dice: random.Random) -> dict[str, tuple[dict[str, Any], Matches]]:
    """For each field of EventFilter, a value of it, and which events match it."""
    action, principal, node = dice.choice(ACTIONS), dice.randrange(len(PRINCIPALS)), dice.choice(NODES)
    data_class, purpose, policy = dice.choice(CLASSES[:-1]), dice.choice(PURPOSES), dice.choice(POLICIES)
    request, subject, token = dice.choice(REQUESTS), dice.choice(UIDS), dice.choice(UIDS)
    start, end = sorted(BEGIN_US + dice.randrange(40 * HOUR_US) for _ in range(2))
    wanted = EventFilter()
    wanted.start_time.FromMicroseconds(start)
    wanted.end_time.FromMicroseconds(end + 1)
    return {
        "start_time": ({"start_time": wanted.start_time}, lambda event: event.time_us >= start),
        "end_time": ({"end_time": wanted.end_time}, lambda event: event.time_us <= end),
        "principal": ({"principal": PRINCIPALS[principal]}, lambda event: event.principal == PRINCIPALS[principal]),
        "action": ({"action": action}, lambda event: event.action == action),
        "decision": (
            {"decision": audit_pb2.DECISION_DENIED},
            lambda event: event.decision == audit_pb2.DECISION_DENIED,
        ),
        "data_class": (
            {"data_class": data_class},
            lambda event: any(touched.data_class == data_class for touched in event.touched),
        ),
        "purpose": ({"purpose": purpose}, lambda event: event.purpose == purpose),
        "recipient": ({"recipient": "bank-7"}, lambda event: event.recipient == "bank-7"),
        "policy_id": ({"policy_id": policy}, lambda event: policy in event.policy_ids),
        "request_id": ({"request_id": request}, lambda event: event.request_id.hex() == request.replace("-", "")),
        "node": ({"node": node}, lambda event: event.node == node),
        "certificate_sha256": (
            {"certificate_sha256": bytes([principal]) * 32},
            lambda event: event.certificate_sha256 == bytes([principal]) * 32,
        ),
        "subject_uid": ({"subject_uid": subject}, lambda event: _has(event, "subject_uids", subject)),
        "token_uid": ({"token_uid": token}, lambda event: _has(event, "token_uids", token)),
    }


def mentions(event: audit_pb2.AuditEvent, subject_uid: bytes) -> bool:
    """Whether an event touched a subject."""
    return _has(event, "subject_uids", subject_uid)


def _has(event: audit_pb2.AuditEvent, name: str, uid: bytes) -> bool:
    return any(
        uid == joined[at : at + 16] for joined in (getattr(t, name) for t in event.touched) for at in range(0, len(joined), 16)
    )
