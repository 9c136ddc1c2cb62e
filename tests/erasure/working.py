"""A vault that works in this process: calls go from request bytes through lane and flows to their answer, without a network."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from google.protobuf.message import Message
from tests.harness import Vault, context
from tests.log.kept import Kept
from tests.use_cases.inside import Inside

from vault.access.policy import PolicyEngine
from vault.audit.events import Caller
from vault.classes.taxonomy import BUILT_IN
from vault.errors import VaultError
from vault.server import erasing, methods
from vault.server.audit_service import AuditService
from vault.server.dispatcher import Dispatcher
from vault.server.erasing import Eraser
from vault.server.erasure_checks import ErasureChecks
from vault.server.erasure_flows import ErasureFlows
from vault.server.intake import Intake
from vault.server.lane import Lane
from vault.server.metrics import Metrics
from vault.server.node import Node
from vault.server.unheard import Unheard
from vault.store import tables as t
from vault.store.erasing import rows_left
from vault.store.rows import RETENTION_US
from vault.store.runner import Answer, Call
from vault.v1 import field_service_pb2, key_service_pb2, subject_service_pb2, vault_service_pb2
from vault.v1.subject_service_pb2 import (
    EraseRequest,
    ErasureReceipt,
    ErasureStatement,
    GetErasureReceiptRequest,
    VerifyErasureRequest,
    VerifyErasureResponse,
)

PATIENCE_S = 60.0
_METHODS = {method.name: method for service in methods.SERVICES.values() for method in service}
_CONTRACT = (vault_service_pb2, field_service_pb2, subject_service_pb2, key_service_pb2)
Result = TypeVar("Result")
Callers = Callable[[str, str], Caller]


class Working:
    """One node of a vault, at work."""

    def __init__(self, vault: Vault, node: Node, callers: Callers | None = None) -> None:
        """Open it; ``callers`` gives principals by name and tenant, for whoever has no certificates at hand."""
        self.vault = vault
        self.node = node
        self.inside = Inside(vault, node)
        self._callers = callers or self.inside.caller
        self.metrics = Metrics()
        self.submitted: list[Call] = []
        self._loop = asyncio.Runner()
        self._lane = Lane(node.runner, 2000, lambda _size: None)
        self._dispatcher = Dispatcher(self._lane, node.loader, node.keys, self.metrics, Unheard())
        self._intake = Intake(BUILT_IN, PolicyEngine.built_in(on_error=_alert))
        self._audit = AuditService(node.engine, node.log_engine, node.key_manager.log_public_key, [])
        self.eraser = Eraser(node, self._submit, self._dispatcher, self.metrics)
        self._checks = ErasureChecks(node.engine, node.key_manager)
        self._flows = ErasureFlows(self.eraser, self._audit, self._checks).by_method()
        self._kept = Kept(node)
        self._integrator = self._kept.integrator()

    def ask(self, request: Message, who: str = "privacy", tenant: str = "acme", *, seconds: float = PATIENCE_S) -> Any:
        """The response to one request.

        Raises:
            VaultError: the refusal.
        """
        name = request.DESCRIPTOR.name.removesuffix("Request")
        answer = self.run(self._answer(_METHODS[name], request.SerializeToString(), who, tenant, seconds))
        (module,) = [each for each in _CONTRACT if hasattr(each, f"{name}Response")]
        return getattr(module, f"{name}Response").FromString(answer)

    def refused(self, request: Message, who: str = "privacy", tenant: str = "acme", *, seconds: float = PATIENCE_S) -> VaultError:
        """The refusal in which a request must end."""
        try:
            self.ask(request, who, tenant, seconds=seconds)
        except VaultError as refusal:
            return refusal
        raise AssertionError("it was not refused")

    def erase(self, subject_id: str, tenant: str = "acme") -> ErasureReceipt:
        """The receipt of a subject's erasure."""
        receipt: ErasureReceipt = self.ask(erase(subject_id), tenant=tenant).receipt
        return receipt

    def receipt(self, erasure_uid: bytes, who: str = "privacy", tenant: str = "acme") -> ErasureReceipt:
        """The receipt of an erasure as the vault gives it later."""
        request = GetErasureReceiptRequest(context=context(), erasure_uid=erasure_uid)
        receipt: ErasureReceipt = self.ask(request, who, tenant).receipt
        return receipt

    def verify(self, erasure_uid: bytes) -> VerifyErasureResponse:
        """What the vault finds of an erasure."""
        response: VerifyErasureResponse = self.ask(VerifyErasureRequest(context=context(), erasure_uid=erasure_uid))
        return response

    def resume(self) -> None:
        """One round of finishing what was left behind, however short a time ago."""
        before, erasing.LEFT_BEHIND_S = erasing.LEFT_BEHIND_S, 0.0
        try:
            self.run(self.eraser.round())
        finally:
            erasing.LEFT_BEHIND_S = before

    def integrate(self) -> None:
        """Let the logs have all that was committed."""
        self._kept.run(self._integrator)

    def left(self, subject_uid: bytes, tenant: str = "acme") -> dict[str, int]:
        """How many rows of a subject there are."""
        with self.node.engine.connect() as connection:
            return rows_left(connection, self.vault.tenants[tenant].uid, subject_uid)

    def lies_back(self, erasure_uid: bytes) -> None:
        """As if an erasure had been asked for two days ago: what opened its receipt is gone, and was moved to no newer keys."""
        where = {"uid": erasure_uid}
        begin_us = self.inside.row(t.erasure, **where).begin_us - 2 * RETENTION_US
        gone = {"opening": None, "request_id": None, "principal_uid": None}
        self.inside.reseal(t.erasure, where, begin_us=begin_us, **gone)

    def subjects(self) -> int:
        """How many subjects there are."""
        with self.node.engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(t.subject)) or 0

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What work on the event loop comes to."""
        return self._loop.run(work)

    def close(self) -> None:
        """Let everything that is under way end."""
        self._lane.close()
        self._dispatcher.close()
        self._audit.close()
        self.eraser.close()
        self._checks.close()
        self._loop.close()

    def _submit(self, call: Call, weight: int) -> "Future[Answer]":
        self.submitted.append(call)
        return self._lane.submit(call, weight)

    async def _answer(self, method: methods.Method, raw: bytes, who: str, tenant: str, seconds: float) -> bytes:
        call, weight = self._intake.call(self._callers(who, tenant), method, raw, seconds, time.monotonic())
        answer = await self._dispatcher.run(call, weight)
        flow = self._flows.get(method.name)
        return await flow(call, answer) if flow else answer


def erase(subject_id: str, **fields: str) -> EraseRequest:
    """A request to erase somebody; ``fields`` go into its context."""
    return EraseRequest(context=context(**fields), subject_id=subject_id)


def statement_of(receipt: ErasureReceipt) -> ErasureStatement:
    """What a receipt says."""
    return ErasureStatement.FromString(receipt.statement)


@contextmanager
def working(vault: Vault) -> Iterator[Working]:
    """A vault at work for the time of the block."""
    with vault.node() as node:
        made = Working(vault, node)
        try:
            yield made
        finally:
            made.close()


@contextmanager
def cut_off_at_the_third(step: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An erasure that ends as with its node, at the third step of this name."""
    steps, real = [True, True], getattr(erasing, step)

    def one(*of: Any) -> Any:
        steps.pop()  # IndexError, at the third
        return real(*of)

    with monkeypatch.context() as patch:
        patch.setattr(erasing, step, one)
        with pytest.raises(IndexError):
            yield


def _alert(text: str) -> None:
    raise AssertionError(f"a policy could not be evaluated: {text}")
