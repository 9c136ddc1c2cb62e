"""What the key worker works with: a database, a KMS, and somebody who runs its calls, be it its own process or a server's."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import sqlalchemy as sa

from vault.classes.taxonomy import Taxonomy
from vault.errors import VaultError
from vault.keys.rekeying_part import RekeyingPart
from vault.kms.key_administrator import KeyAdministrator
from vault.kms.key_manager import KeyManager
from vault.kms.tenant_keys import KeysMissingError, TenantKeys
from vault.server.node import Node
from vault.store.rotation.turnstile import stands_still
from vault.store.runner import Answer, Call
from vault.store.states import TenantState
from vault.v1 import common_pb2

_TRIES = 3


RunsCalls = Callable[[Sequence[Call]], list[Answer]]
"""Runs calls together; the answers are in their order."""


def by_lane(submit: Callable[[Call, int], "Future[Answer]"]) -> RunsCalls:
    """By a server's lane, which is the only writer of its boot's chain."""

    def run(calls: Sequence[Call]) -> list[Answer]:
        return [future.result() for future in [submit(call, _weight(call)) for call in calls]]

    return run


def _weight(call: Call) -> int:
    """In items: what the worker does besides re-keying moves none."""
    return call.weight if isinstance(call, RekeyingPart) else 1


@dataclass
class Desk:
    """What it takes to change tenants' keys.

    Attributes:
        node: database, keys in memory, and loading them.
        run: whoever runs calls.
        manager: the KMS as the key worker's identity, for wrapping.
        administrator: the same, for making and ending KEK versions.
        taxonomy: what values are, for their fingerprints.
        name: who this is in operations' rows; another one in each run.
    """

    node: Node
    run: RunsCalls
    manager: KeyManager
    administrator: KeyAdministrator
    taxonomy: Taxonomy
    name: str

    @property
    def principal(self) -> str:
        """Who this is in the log, run after run."""
        return f"key-worker:{self.node.config.node}"

    @property
    def engine(self) -> sa.Engine:
        """The database."""
        return self.node.engine

    def keys(self, tenant_uid: bytes) -> TenantKeys:
        """The tenant's keys as they are now, unless it is sealed.

        Raises:
            VaultError: they can't be had; TENANT_SEALED: of a sealed tenant only the authority key can.
        """
        keys = self.node.loader.load(tenant_uid)
        self.node.keys.put(keys)
        if not keys.epochs:
            raise stands_still(TenantState.SEALED)
        return keys

    def act(self, call: Call) -> None:
        """Run one call.

        Raises:
            VaultError: it was refused.
        """
        (answer,) = self.each([call])
        if isinstance(answer, VaultError):
            raise answer

    def each(self, calls: Sequence[Call]) -> list[bytes | VaultError]:
        """Run calls; each answer is as the call's."""
        answers = dict[int, bytes | VaultError]()
        left = dict(enumerate(calls))
        for _ in range(_TRIES):
            missing = {}
            for (number, call), answer in zip(left.items(), self.run(list(left.values())), strict=True):
                if isinstance(answer, KeysMissingError):
                    missing[number] = call
                else:
                    answers[number] = answer
            if not missing:
                break
            left = missing
            for tenant_uid in {call.head.tenant_uid for call in missing.values()}:
                self.keys(tenant_uid)
        kept_changing = VaultError(common_pb2.ERROR_REASON_CONFLICT, "the tenant's keys kept changing")
        return [answers.get(number, kept_changing) for number in range(len(calls))]
