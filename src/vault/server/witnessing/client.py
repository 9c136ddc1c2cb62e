"""Having checkpoints cosigned: whatever a witness has cosigned, the operator can no longer take back.

Each published checkpoint that is newer than what a witness has cosigned is posted to it, with the proof that it continues that one.
The rows of ``audit_cosignature`` remember how far each witness has come, whichever node asked it; two nodes that ask at once do
no harm. A witness that knows a larger log than ours, or another one, is the alarm that all of this is for: somebody has set the
log back, or shows different logs to different people.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence

import aiohttp
import sqlalchemy as sa
import structlog

from vault.audit.checkpoint import Checkpoint
from vault.audit.merkle import consistency_proof, root
from vault.errors import VaultError
from vault.server.metrics import Metrics
from vault.server.witnessing.due import Due, not_cosigned, read_checkpoint
from vault.server.witnessing.exchange import Contradicted, Cosigned, LastSeen, NoAnswer, Witness, add_checkpoint, new_session
from vault.store.engine import reading
from vault.store.faults import DATABASE_ERRORS
from vault.store.log import cosignatures
from vault.store.log.queries import altered
from vault.store.log.reader import LogReader
from vault.store.log.rows import CosignatureRow

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 2.0
"""How often it is looked whether there is anything to cosign, give or take half of it."""
EXCHANGE_S = 30.0
"""A witness that has not cosigned within this time of being asked, however often it answered, is put off."""
_AT_ONCE = 4
"""Logs that one witness is asked about at once."""
_TRIES = 3
_BACKOFF_S = 5.0
_MAX_BACKOFF_S = 300.0
_PATIENCE_S = 10.0
_US = 1_000_000

Alarm = Callable[[bytes, dict[str, str]], None]
"""Leaves an event WitnessConflict with these details in a tenant's log, as soon as that can be."""


class Witnessing:
    """Keeps all witnesses up to date with all logs."""

    def __init__(
        self,
        serving: sa.Engine,
        keeping: sa.Engine,
        witnesses: Sequence[Witness],
        interval_s: float,
        metrics: Metrics,
        alarm: Alarm,
    ) -> None:
        """Make it.

        Args:
            serving: reads logs.
            keeping: writes cosignatures; connects as the role that keeps the log.
            witnesses: whom to ask.
            interval_s: a witness is asked about one log at most so often.
            metrics: what is counted.
            alarm: see ``Alarm``.
        """
        self._serving = serving
        self._keeping = keeping
        self._witnesses = witnesses
        self._interval_us = int(interval_s * _US)
        self._metrics = metrics
        self._alarm = alarm
        self._failures: dict[tuple[bytes, str], tuple[int, float]] = {}

    async def run(self) -> None:
        """Go on until cancelled; no witness waits for another."""
        async with new_session() as session:
            await asyncio.gather(*(self._keep_up(session, witness) for witness in self._witnesses))

    async def look(self, session: aiohttp.ClientSession) -> None:
        """Ask every witness about every log that is due."""
        await asyncio.gather(*(self._look(session, witness) for witness in self._witnesses))

    async def _keep_up(self, session: aiohttp.ClientSession, witness: Witness) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S * random.uniform(0.5, 1.5))  # noqa: S311  so that nodes do not move in step
            try:
                await self._look(session, witness)
            except DATABASE_ERRORS as error:
                log.warning("logs can't be read for their witnesses; it is tried again", error=type(error).__name__)

    async def _look(self, session: aiohttp.ClientSession, witness: Witness) -> None:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def ask(due: Due) -> None:
            async with gate:
                await self._ask_safely(session, due)

        await asyncio.gather(*map(ask, await asyncio.to_thread(self._due, witness)))

    def _due(self, witness: Witness) -> list[Due]:
        """What is to be cosigned: published checkpoints other than the witness's last one, and not put off."""
        with reading(self._serving, _PATIENCE_S) as connection:
            found = not_cosigned(connection, witness)
        now = time.monotonic()
        return [due for due in found if self._is_time(due.row) and now >= self._failures.get(due.place, (0, 0.0))[1]]

    def _is_time(self, row: CosignatureRow | None) -> bool:
        if row is None:
            return True
        since_us = time.time_ns() // 1000 - row.time_us  # by two clocks: one that is ahead must not put it off for ever
        return not -self._interval_us < since_us < self._interval_us

    async def _ask_safely(self, session: aiohttp.ClientSession, due: Due) -> None:
        try:
            async with asyncio.timeout(EXCHANGE_S):
                problem = await self._ask(session, due)
        except VaultError as error:
            problem = error.reason_name
        except Exception as error:  # noqa: BLE001  one log's trouble is none of the others'
            problem = type(error).__name__
        self._metrics.witness_answers.labels(due.witness.key.name, "FAILED" if problem else "OK").inc()
        if problem:
            self._put_off(due)
            log.warning("a witness has not cosigned", tenant=due.tenant_uid.hex(), witness=due.witness.key.name, reason=problem)
        else:
            self._failures.pop(due.place, None)

    async def _ask(self, session: aiohttp.ClientSession, due: Due) -> str:
        """Ask one witness to cosign one checkpoint; answers what is wrong, if anything."""
        note, checkpoint = read_checkpoint(due.signed)
        size, old = checkpoint.size, due.row.size if due.row else 0
        if old > size:
            return await self._conflict(due, size, old)
        for _ in range(_TRIES):
            proof = await asyncio.to_thread(self._proof, due.tenant_uid, checkpoint, old)
            match await add_checkpoint(session, due.witness, old, proof, note):
                case Cosigned(line, time_s):
                    row = CosignatureRow(*due.place, size, note.encode(), line.line(), time_s * _US, problem="")
                    await asyncio.to_thread(cosignatures.record, self._keeping, row)
                    return ""
                case Contradicted():
                    return await self._conflict(due, size, old)
                case LastSeen(seen) if seen > size:
                    newest = await asyncio.to_thread(self._published_size, due.tenant_uid)
                    return await self._conflict(due, newest, seen) if seen > newest else ""  # else another node was faster
                case LastSeen(seen) if seen != old:
                    old = seen
                case LastSeen():
                    return "it answers the size that it was told"
                case NoAnswer(why):
                    return why
        return "it keeps answering other sizes"

    def _proof(self, tenant_uid: bytes, checkpoint: Checkpoint, old: int) -> list[bytes]:
        """That the tree of size ``old`` is the beginning of the checkpoint's, from hashes that give the checkpoint's root.

        Raises:
            VaultError: INTEGRITY, if they do not.
        """
        with reading(self._serving, _PATIENCE_S) as connection:
            hashes = LogReader(connection, tenant_uid).hashes
            if root(hashes, checkpoint.size) != checkpoint.root:
                raise altered("audit_entry or audit_node", "a hash under the published checkpoint")
            return consistency_proof(hashes, old, checkpoint.size) if 0 < old < checkpoint.size else []

    def _published_size(self, tenant_uid: bytes) -> int:
        with reading(self._serving, _PATIENCE_S) as connection:
            return LogReader(connection, tenant_uid).head().checkpoint_size

    async def _conflict(self, due: Due, size: int, seen: int) -> str:
        """Raise the alarm: at each time in metrics and the operational log, once in the row and in the audit log."""
        witness = due.witness.key.name
        self._metrics.witness_conflicts.labels(witness).inc()
        log.error("a witness has seen another log than ours", tenant=due.tenant_uid.hex(), witness=witness, size=seen)
        if await asyncio.to_thread(cosignatures.mark, self._keeping, due.tenant_uid, witness, cosignatures.CONFLICT):
            self._alarm(due.tenant_uid, {"witness": witness, "size": str(size), "witness_size": str(seen)})
        return cosignatures.CONFLICT

    def _put_off(self, due: Due) -> None:
        failures = self._failures.get(due.place, (0, 0.0))[0] + 1
        wait = min(_MAX_BACKOFF_S, _BACKOFF_S * 2 ** min(failures - 1, 10)) * random.uniform(0.5, 1.5)  # noqa: S311  no secret
        self._failures[due.place] = failures, time.monotonic() + wait
