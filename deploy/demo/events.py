"""The audit events that the demo left behind, read as the operator can read them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby

import sqlalchemy as sa

from vault.audit.merkle import leaf_hash
from vault.cli.opening import inspected
from vault.cli.registry import find_tenant
from vault.server.config import Config
from vault.store import tables as t
from vault.v1 import audit_pb2, common_pb2


@dataclass(frozen=True)
class Line:
    """One event, or several that say the same one after the other."""

    events: int
    time: datetime
    principal: str
    action: str
    decision: str
    reason: str
    purpose: str
    touched: Mapping[tuple[str, str], int]

    @property
    def kind(self) -> tuple[str, str, str, str, str]:
        """What events must share to be told in one line."""
        return self.principal, self.action, self.decision, self.reason, self.purpose

    @property
    def what(self) -> str:
        """How many items of which classes, in which form, those of one number together."""
        together: dict[tuple[int, str], list[str]] = {}
        for (form, data_class), count in sorted(self.touched.items()):
            together.setdefault((count, form), []).append(data_class)
        ordered = sorted(together.items(), key=lambda group: -group[0][0])
        return "; ".join(f"{count:,} {form} {', '.join(names)}".replace("  ", " ") for (count, form), names in ordered)


def read(config: Config, tenant: str) -> list[audit_pb2.AuditEvent]:
    """The tenant's events in their order.

    Raises:
        AssertionError: an event does not hold the hash of the one before it in its boot.
    """
    with inspected(config) as node:
        tenant_uid = find_tenant(node, tenant).uid
        both = (sa.select(table.c.leaf).where(table.c.tenant_uid == tenant_uid) for table in (t.audit_entry, t.audit_pending))
        with node.engine.connect() as connection:
            leaves = [bytes(leaf) for leaf in connection.scalars(sa.union_all(*both))]
    parsed = [(audit_pb2.AuditEvent.FromString(leaf), leaf) for leaf in leaves]
    ends: dict[bytes, bytes] = {}
    events = []
    for event, leaf in sorted(parsed, key=lambda pair: (pair[0].time_us, pair[0].boot_sequence)):
        if event.previous_hash != ends.get(event.boot_id, bytes(32)):
            raise AssertionError("an audit event is missing or was altered")
        ends[event.boot_id] = leaf_hash(leaf)
        events.append(event)
    return events


def lines(events: list[audit_pb2.AuditEvent]) -> Iterator[Line]:
    """The events for people, those alike together."""
    for _, alike in groupby(map(_line, events), lambda line: line.kind):
        group = list(alike)
        touched: Counter[tuple[str, str]] = Counter()
        for line in group:
            touched.update(line.touched)
        yield replace(group[0], events=len(group), touched=touched)


def _line(event: audit_pb2.AuditEvent) -> Line:
    return Line(
        events=1,
        time=datetime.fromtimestamp(event.time_us / 1e6, UTC),
        principal=event.principal.rsplit("/", 1)[-1],
        action=event.action,
        decision=audit_pb2.Decision.Name(event.decision).removeprefix("DECISION_").lower(),
        reason=common_pb2.ErrorReason.Name(event.reason).removeprefix("ERROR_REASON_") if event.reason else "",
        purpose=event.purpose,
        touched=_touched(event),
    )


def _touched(event: audit_pb2.AuditEvent) -> Counter[tuple[str, str]]:
    """How many items of each form and class."""
    found: Counter[tuple[str, str]] = Counter()
    for touched in event.touched:
        form = common_pb2.FormKind.Name(touched.form).removeprefix("FORM_KIND_").lower() if touched.form else ""
        found[form, touched.data_class] += touched.count
    return +found
