"""The runner: a list of calls becomes one transaction.

Reads of all calls, one query a table; each call decided by itself, without SQL; writes of all calls, one COPY or ``executemany``
a table, with their audit events; one commit; many answers. One call and two hundred go through the same code. On a database
error the group is rolled back and run in halves, down to single calls. No KMS call happens in here: a missing key ends a call's
attempt, and whoever runs the runner fetches it and hands the call in again.
"""

import math
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import sqlalchemy as sa
import structlog

from vault.audit.chain import MAX_SKEW_S, Chain
from vault.audit.events import Draft
from vault.errors import VaultError
from vault.kms.tenant_keys import KeyCache, KeysMissingError, TenantKeys
from vault.store.clock import now_us
from vault.store.faults import (
    DATABASE_ERRORS,
    ClockSkewError,
    SlowTransactionError,
    is_conflict,
    is_defect,
    is_outage,
    is_refused_commit,
    translate,
)
from vault.store.log.rows import PendingRow
from vault.store.reading.conditions import ShadowedRowError
from vault.store.reading.group import fetch, fetch_data
from vault.store.reads import Head, Reads, Rows
from vault.store.rows import TenantRow
from vault.store.sealing import fits
from vault.store.writes import RowsSwallowedError, Writes, apply
from vault.v1 import common_pb2

log = structlog.get_logger(__name__)

MAX_ROUNDS = 3
"""How often a call may ask for more rows in one transaction."""
MAX_TRANSACTION_S = 5.0
"""A transaction that has taken longer is not committed: so long may a call that began before an erasure still answer."""
MAX_TRIES = 5
"""How often a call alone is decided again after a conflict."""
COMMIT_UNCERTAIN = "COMMIT_UNCERTAIN"
"""Why a call may have left an event or not."""
CALLER_GONE = "CALLER_GONE"
"""Why a call was never run: nobody waited for it any more."""


class MoreRowsError(Exception):
    """A call saw its rows and needs others too; it is decided again with both."""

    def __init__(self, reads: Reads) -> None:
        super().__init__("more rows needed")
        self.reads = reads


@dataclass
class Outcome:
    """What a call decided: its answer (serialised, or a refusal), what it writes, and its audit event.

    ``also`` holds events that it leaves in other logs.
    """

    answer: bytes | VaultError
    draft: Draft
    writes: Writes = field(default_factory=Writes)
    also: list[Draft] = field(default_factory=list)


class Call(Protocol):
    """One call, as the runner sees it."""

    @property
    def action(self) -> str:
        """The method's name."""

    @property
    def head(self) -> Head:
        """What is read for every call."""

    @property
    def deadline(self) -> float:
        """Monotonic seconds after which the call is not begun."""

    @property
    def needs_keys(self) -> bool:
        """False for a refusal because the keys can't be had."""

    def reads(self, keys: TenantKeys | None) -> Reads:
        """What the call needs. May raise KeysMissingError, nothing else."""

    def decide(self, rows: Rows, keys: TenantKeys | None) -> Outcome:
        """What the call does, given its rows. May raise MoreRowsError or KeysMissingError, nothing else."""

    def failed(self, error: VaultError) -> Outcome:
        """The outcome that only refuses."""


Answer = bytes | VaultError | KeysMissingError


class _UncertainCommitError(Exception):
    """The commit's end is unknown: the calls may or may not have happened."""


@dataclass
class _Plan:
    call: Call
    keys: TenantKeys | None
    reads: Reads
    error: VaultError | None = None
    outcome: Outcome | None = None
    answer: Answer | None = None
    is_heard: bool = False
    is_uncertain: bool = False


class Runner:
    """Runs groups of calls on one engine, in one thread at a time, writing one chain of audit events."""

    def __init__(
        self, engine: sa.Engine, keys: KeyCache, new_chain: Callable[[], Chain], clock: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._keys = keys
        self._new_chain = new_chain
        self._clock = clock
        self.chain = new_chain()
        self.on_commit: Callable[[], None] = lambda: None
        """Called after each commit, and so each time there are new events."""
        self.on_settled: Callable[[float, dict[bytes, bytes]], None] = lambda _began, _last_hashes: None
        """Called after each commit too: when it began, in monotonic seconds, and the hash of its last leaf in each log."""
        self.on_unheard: Callable[[Call, str], None] = lambda _call, _reason: None
        """Called with each call that is answered without having left an event, or not surely, and why."""

    def run(self, calls: Sequence[Call]) -> list[Answer]:
        """Run calls together; the answers are in their order. Never raises for what a call or the database does."""
        plans = [self._plan(call) for call in calls]
        for group in _apart(plans):
            self._run(group)
        answers = [_internal(plan.call, None) if plan.answer is None else plan.answer for plan in plans]
        for plan, answer in zip(plans, answers, strict=True):
            if isinstance(answer, VaultError) and not plan.is_heard:
                self.on_unheard(plan.call, COMMIT_UNCERTAIN if plan.is_uncertain else answer.reason_name)
        return answers

    def end(self) -> None:
        """End the boot cleanly: its last event in each log says so. If the database is gone, it has ended uncleanly."""
        try:
            with self._engine.begin() as connection:
                commit = self.chain.finish(now_us(connection))
                apply(connection, Writes(inserted=[PendingRow(*leaf) for leaf in commit.leaves]))
        except (RowsSwallowedError, *DATABASE_ERRORS) as error:
            log.warning("the boot could not be ended cleanly", boot_id=self.chain.boot_id.hex(), error=type(error).__name__)
        self.chain = self._new_chain()

    def _plan(self, call: Call) -> _Plan:
        keys: TenantKeys | None = None
        try:
            keys = self._keys.get(call.head.tenant_uid)
            if keys.boot_id != self.chain.boot_id:  # fetched for a boot that has ended: this one would stay without endorsement
                keys = None
                raise KeysMissingError(call.head.tenant_uid)
        except KeysMissingError as missing:
            if call.needs_keys:
                return _Plan(call, None, Reads(), answer=missing)
        try:
            return _Plan(call, keys, call.reads(keys))
        except KeysMissingError as missing:
            self._keys.drop(missing.tenant_uid)
            return _Plan(call, keys, Reads(), answer=missing)
        except Exception as error:  # noqa: BLE001  a call's own fault must not take the group with it
            return _Plan(call, keys, Reads(), error=_internal(call, error))

    def _run(self, plans: list[_Plan], tries: int = MAX_TRIES) -> None:
        now = time.monotonic()
        for plan in plans:
            if plan.call.deadline <= now:
                plan.answer = VaultError(
                    common_pb2.ERROR_REASON_DEADLINE_EXCEEDED, "the deadline passed before anything was written"
                )
        plans = [plan for plan in plans if plan.answer is None]
        if not plans:
            return
        try:
            self._transact(plans)
        except _UncertainCommitError:
            self._begin_new_boot(plans)
        except Exception as error:  # noqa: BLE001  whichever call it was, the others must not go down with it
            self._run_again(plans, error, tries)

    def _run_again(self, plans: list[_Plan], error: Exception, tries: int) -> None:
        if is_outage(error) and not isinstance(error, SlowTransactionError):  # fewer calls take less time
            for plan in plans:
                plan.answer = translate(error)
        elif len(plans) > 1:  # by halves: one call in two hundred that can't be run costs some sixteen transactions, not as many
            half = len(plans) // 2
            self._run(plans[:half])
            self._run(plans[half:])
        elif is_conflict(error) and tries > 1:
            self._run(plans, tries - 1)
        elif isinstance(error, ShadowedRowError):
            self._refuse(plans[0], VaultError(common_pb2.ERROR_REASON_INTEGRITY, str(error)))
        elif is_defect(error):
            self._refuse(plans[0], _internal(plans[0].call, error))
        else:
            self._refuse(plans[0], translate(error))

    def _refuse(self, plan: _Plan, error: VaultError) -> None:
        """Run a call that could not be read or written once more, only to leave its event; it is refused in any case."""
        if plan.error:
            plan.answer = plan.error
        else:
            plan.error, plan.reads = error, Reads()
            self._run([plan])

    def _transact(self, plans: list[_Plan]) -> None:
        began = time.monotonic()
        with self._engine.connect() as connection:
            transaction = connection.begin()
            self._limit_statements(connection, plans)
            read_from = time.monotonic()  # not before: whoever waits for SQLite's one writer has seen nothing yet
            needs = fetch(connection, [(plan.call.head, plan.reads) for plan in plans])
            self._check_clock(needs[0].now_us)
            self._decide_all(connection, plans, needs)
            decided = [(plan, plan.outcome) for plan in plans if plan.outcome]
            writes = Writes()
            for _, outcome in decided:
                writes.extend(outcome.writes)
            drafts = [draft for _, outcome in decided for draft in (outcome.draft, *outcome.also)]
            commit = self.chain.extend(drafts, self._endorsements(plans, drafts), needs[0].now_us)
            writes.inserted += [PendingRow(*leaf) for leaf in commit.leaves]
            apply(connection, writes)
            if time.monotonic() - read_from > MAX_TRANSACTION_S:
                raise SlowTransactionError
            try:
                transaction.commit()
            except Exception as error:
                connection.invalidate()  # else SQLite's transaction may stay open, and the pool hands it out as it is
                if is_refused_commit(error):
                    raise
                raise _UncertainCommitError from None  # whatever went wrong, the end is unknown
        self.chain.settle(commit)
        for tenant_uid, generation in writes.changed_keys().items():
            self._keys.outdate(tenant_uid, generation)
        self.on_settled(began, commit.last_hashes())
        self.on_commit()
        for plan, outcome in decided:
            plan.answer, plan.is_heard = outcome.answer, True

    def _check_clock(self, now_us: int) -> None:
        """Expiry and events go by the database's clock, so whoever sets it back could revive tokens: believe it only so far."""
        if abs(now_us / 1e6 - self._clock()) > MAX_SKEW_S:
            raise ClockSkewError

    def _endorsements(self, plans: list[_Plan], drafts: list[Draft]) -> dict[bytes, bytes]:
        """The boot's: from keys that calls were decided with, though they may have left memory since; else from those there."""
        known = {plan.keys.tenant_uid: plan.keys.endorsement for plan in plans if plan.keys}
        for uid in {draft.caller.tenant_uid for draft in drafts} - known.keys():
            if endorsement := self._keys.endorsement(uid, self.chain.boot_id):
                known[uid] = endorsement
        return known

    def _decide_all(self, connection: sa.Connection, plans: list[_Plan], needs: list[Rows]) -> None:
        """Decide each call by itself; what calls need after they saw their first rows is again read for all at once."""
        waiting = list(zip(plans, needs, strict=True))
        for _ in range(MAX_ROUNDS):
            more = [(plan, rows, reads) for plan, rows in waiting if (reads := self._decide(plan, rows))]
            if not more:
                return
            fetch_data(connection, [(plan.call.head, reads, rows) for plan, rows, reads in more])
            waiting = [(plan, rows) for plan, rows, _ in more]
        for plan, _ in waiting:
            plan.outcome = plan.call.failed(_internal(plan.call, None))

    def _decide(self, plan: _Plan, rows: Rows) -> Reads | None:
        """Decide one call; answers what it still has to read, if anything."""
        plan.outcome = None
        if plan.keys and plan.keys.boot_id != self.chain.boot_id:  # the other half of the group has ended the boot meanwhile
            if plan.call.needs_keys:
                plan.answer = KeysMissingError(plan.keys.tenant_uid)
                return None
            plan.keys = None
        if plan.error:
            plan.outcome = plan.call.failed(plan.error)
        elif plan.keys and rows.tenant and rows.tenant.key_generation != plan.keys.generation:
            self._forget(plan.keys, rows.tenant)
            plan.answer = KeysMissingError(plan.keys.tenant_uid)
        else:
            try:
                plan.outcome = plan.call.decide(rows, plan.keys)
            except MoreRowsError as more:
                if plan.reads.owning or not more.reads.owning:
                    return more.reads
                plan.outcome = plan.call.failed(_internal(plan.call, None))  # to own must be asked for first: see _apart
            except KeysMissingError as missing:
                self._keys.drop(missing.tenant_uid)
                plan.answer = missing
            except Exception as error:  # noqa: BLE001  see _plan
                plan.outcome = plan.call.failed(_internal(plan.call, error))
        return None

    def _forget(self, keys: TenantKeys, tenant: TenantRow) -> None:
        """Drop keys that are not those of the row; if it is sound, none of before it count any more, should it be put back."""
        if fits(keys.authority, tenant):
            self._keys.outdate(keys.tenant_uid, tenant.key_generation)
        else:
            self._keys.drop(keys.tenant_uid)

    def _begin_new_boot(self, plans: list[_Plan]) -> None:
        """After an uncertain commit nobody knows the chain's last leaf: end this boot, and answer without releasing anything."""
        log.error("boot ended by an uncertain commit", boot_id=self.chain.boot_id.hex(), calls=len(plans))
        self.chain = self.chain.successor()
        self._keys.clear()
        for plan in plans:
            plan.is_uncertain = True
            plan.answer = VaultError(
                common_pb2.ERROR_REASON_DATABASE_UNAVAILABLE,
                "the database was lost while committing, so the call may have taken effect; retry with the same request_id",
                retry_after_s=1.0,
            )

    def _limit_statements(self, connection: sa.Connection, plans: list[_Plan]) -> None:
        """A thread can't be cancelled, a statement can: the database gives up at the group's last deadline, or before."""
        if connection.dialect.name == "postgresql":
            left = min(max(plan.call.deadline for plan in plans) - time.monotonic(), MAX_TRANSACTION_S)
            milliseconds = max(1, math.ceil(left * 1000))
            connection.execute(sa.select(sa.func.set_config("statement_timeout", str(milliseconds), True)))


def _apart(plans: list[_Plan]) -> list[list[_Plan]]:
    """The calls that share a transaction, then each of those alone that own their tenant.

    Within one transaction no lock keeps calls apart, and none sees what another will write: a name could be linked while another
    call makes a subject of it, or something be stored for a subject that a third erases.
    """
    waiting = [plan for plan in plans if plan.answer is None]
    return [[plan for plan in waiting if not plan.reads.owning], *([plan] for plan in waiting if plan.reads.owning)]


def _internal(call: Call, error: Exception | None) -> VaultError:
    """The fixed text for what nobody foresaw. Logged by type and place only: its message could hold a value."""
    request_id = call.head.request_id.hex()
    frames = [f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)] if error else []
    log.error("unforeseen error", request_id=request_id, error=type(error).__name__, frames=frames)
    return VaultError(common_pb2.ERROR_REASON_INTERNAL, f"an error nobody foresaw; quote request {request_id} to the operator")
