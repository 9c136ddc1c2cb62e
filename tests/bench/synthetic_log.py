"""A seeded log of any length: events as a busy tenant leaves them, with all that the integrator derives from them.

Any chunk of it can be made by itself, so that several processes fill a database side by side. The events are of the right shape
and size; their boots' signatures are zeros.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vault.audit.index import HOUR_US, Facet, index, number_of
from vault.audit.merkle import leaf_hash
from vault.store.log.rows import CountRow, EntryRow, EventRow, FacetRow, MentionRow
from vault.v1.audit_pb2 import AuditEvent

CHUNK = 10_000
YEAR_US = 365 * 24 * HOUR_US
BEGIN_US = 1_760_000_000_000_000

ACTIONS = ("Tokenize", "Reveal", "Verify", "Search", "Describe", "Update", "Delete")
SERVICES = 40
"""Each does a few things with a few classes for a few purposes, as services do: some thousands of facets in all."""
CLASSES = ("email", "phone", "cn_resident_id", "bank_account", "payment_card", "person_name", "free_text", "face_template")
PURPOSES = tuple(f"{word}.{part}" for word in ("payout", "support", "kyc", "marketing", "fraud") for part in ("eu", "cn", "us"))
RECIPIENTS = ("", "", "", "", "", "", "", "bank-7", "courier-2", "police:district-4")
SUBJECTS = 1_000_000
TOKENS_EACH = 4


class Rows(NamedTuple):
    """What one chunk adds to the tables."""

    entries: list[EntryRow]
    events: list[EventRow]
    mentions: list[MentionRow]
    facets: set[FacetRow]
    counts: list[CountRow]
    hashes: list[bytes]


@dataclass(frozen=True)
class SyntheticLog:
    """A log of ``size`` events of one tenant within one year."""

    tenant_uid: bytes
    size: int
    seed: int = 7

    def chunk(self, number: int) -> Rows:
        """Events [number * CHUNK, ...) and what is derived from them."""
        dice = random.Random(f"{self.seed} {number}")  # noqa: S311  not for secrets
        rows = Rows([], [], [], set(), [], [])
        counts: Counter[tuple[int, int]] = Counter()
        items: Counter[tuple[int, int]] = Counter()
        numbers: dict[Facet, int] = {}
        for at in range(number * CHUNK, min((number + 1) * CHUNK, self.size)):
            event = self._event(dice, at)
            leaf = event.SerializeToString()
            indexed = index(event)
            facet = numbers.get(indexed.facet)
            if facet is None:
                facet = numbers[indexed.facet] = number_of(indexed.facet)
                rows.facets.add(FacetRow(self.tenant_uid, facet, *indexed.facet))
            digest = leaf_hash(leaf)
            rows.hashes.append(digest)
            rows.entries.append(EntryRow(self.tenant_uid, at, digest, leaf))
            rows.events.append(EventRow(self.tenant_uid, facet, indexed.time_us, at))
            rows.mentions.extend(MentionRow(self.tenant_uid, uid, kind, indexed.time_us, at) for kind, uid in indexed.mentions)
            counts[indexed.time_us // HOUR_US, facet] += 1
            items[indexed.time_us // HOUR_US, facet] += indexed.items
        rows.counts.extend(CountRow(self.tenant_uid, hour, facet, n, items[hour, facet]) for (hour, facet), n in counts.items())
        return rows

    def _event(self, dice: random.Random, at: int) -> AuditEvent:
        who = min(int(dice.expovariate(0.2)), SERVICES - 1)
        action = _one_of(ACTIONS, 3, who, dice)
        denied = dice.random() < 0.02
        subject = min(int(dice.paretovariate(0.6)), SUBJECTS)
        event = AuditEvent(
            format=1,
            time_us=BEGIN_US + at * YEAR_US // self.size,
            tenant_uid=self.tenant_uid,
            principal_uid=self.uid("principal", who),
            principal=f"spiffe://pdvault/acme/service-{who}",
            certificate_sha256=self.uid("certificate", who) * 2,
            node=f"node-{int(dice.random() * 3)}",
            action=action,
            decision=2 if denied else 1,  # type: ignore[arg-type]
            reason=43 if denied else 0,  # type: ignore[arg-type]
            policy_ids=[] if denied else [f"role-{who % 4}"],
            roles=["reader_plain"],
            policy_sha256=bytes(32),
            purpose=_one_of(PURPOSES, 2, who, dice),
            recipient=_one_of(RECIPIENTS, 2, who, dice),
            request_id=dice.randbytes(16),
            random=dice.randbytes(16),
            boot_id=self.uid("boot", at // 1_000_000),
            boot_sequence=at % 1_000_000,
            previous_hash=bytes(32),
            boot_signature=bytes(64),
        )
        touched = event.touched.add(data_class=_one_of(CLASSES, 3, who, dice), count=1, subject_uids=self.uid("subject", subject))
        touched.token_uids = self.uid("token", subject * TOKENS_EACH + int(dice.random() * TOKENS_EACH))
        if action == "Reveal":
            touched.form = dice.choice((1, 2))  # type: ignore[assignment]
        return event

    @staticmethod
    def uid(kind: str, number: int) -> bytes:
        """The 16 bytes that stand for the thing of a kind with a number."""
        return hashlib.sha256(f"{kind} {number}".encode()).digest()[:16]


def _one_of(choices: Sequence[str], few: int, who: int, dice: random.Random) -> str:
    return choices[(who * few + int(dice.random() * few)) % len(choices)]
