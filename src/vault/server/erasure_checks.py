"""What tables and KMS hold of an erasure that is done: looked at on threads of its own, so that no question holds up an erasure."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import sqlalchemy as sa

from vault.errors import VaultError
from vault.kms.key_manager import KeyManager
from vault.store import erasures
from vault.store.faults import DATABASE_ERRORS, translate
from vault.v1 import common_pb2
from vault.v1.subject_service_pb2 import ErasureStatement

_THREADS = 2


class Seen(NamedTuple):
    """How many rows of the subject are left, by table; and whether the KMS has the erasure's note."""

    left: dict[str, int]
    is_anchored: bool


class ErasureChecks:
    """Looks at erasures. Close it when done."""

    def __init__(self, engine: sa.Engine, key_manager: KeyManager) -> None:
        """Make it.

        Args:
            engine: of the role by which calls are served.
            key_manager: the KMS, which remembers what was destroyed.
        """
        self._engine = engine
        self._key_manager = key_manager
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="erasure-checks")

    def close(self) -> None:
        """Wait for what is under way."""
        self._threads.shutdown()

    async def look(self, statement: ErasureStatement, deadline: float) -> Seen:
        """What there is of an erasure.

        Args:
            statement: of the erasure, its row checked.
            deadline: by ``time.monotonic()``.

        Raises:
            VaultError: DEADLINE_EXCEEDED; KMS or database refuse or do not answer.
        """
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                return await asyncio.get_running_loop().run_in_executor(self._threads, self._look, statement)
        except TimeoutError:
            raise VaultError(common_pb2.ERROR_REASON_DEADLINE_EXCEEDED, "the deadline passed while the KMS was asked") from None
        except DATABASE_ERRORS as error:
            raise translate(error) from None

    def _look(self, statement: ErasureStatement) -> Seen:
        left = erasures.read_back(self._engine, statement.tenant_uid, statement.subject_uid)
        note = self._key_manager.destroyed_by(statement.tenant_uid, statement.erasure_uid)
        return Seen(left, note is not None)
