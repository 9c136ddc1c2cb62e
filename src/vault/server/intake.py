"""From bytes to a call: parsing, the contract's validation rules, and what must not stand in a context.

Whatever is refused here is still a call: it is admitted, audited and answered like any other.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import protovalidate
from google.protobuf.message import DecodeError, Message

from vault.access.policy import PolicyEngine
from vault.audit.events import Caller, request_id_bytes
from vault.call import Call, Refused, UseCase
from vault.classes.taxonomy import Taxonomy
from vault.errors import MAX_VIOLATIONS, FieldViolation, VaultError
from vault.held_tokens import recognised
from vault.server.methods import UNARY, Deadlines, Method
from vault.server.rules_in_words import in_words
from vault.v1 import common_pb2

_CLOCK_SLACK_S = 1.0
_MAX_SEARCHED = 2000
"""Elements of repeated fields in requests that are told of more than their first broken rule. Two bytes make an element, and each
broken rule takes 3 KB of memory: to list all of them would let a small request exhaust the server."""


class Intake:
    """Makes calls from request bytes. Stateless, so any thread may use it."""

    def __init__(self, taxonomy: Taxonomy, policy: PolicyEngine) -> None:
        self._taxonomy = taxonomy
        self._policy = policy

    def call(self, caller: Caller, method: Method, raw: bytes, remaining_s: float | None, now: float) -> tuple[Call, int]:
        """The call and its weight in items.

        Args:
            caller: who calls.
            method: what is called.
            raw: the request as it came.
            remaining_s: seconds until the caller's deadline, None if it set none.
            now: monotonic seconds.
        """
        longest_s = UNARY.longest_s  # in the lane, whatever comes after
        deadline = now + min(remaining_s if remaining_s is not None else longest_s, longest_s)
        context = common_pb2.CallContext()
        use_case: UseCase
        weight = 1
        try:
            request = _parse(method, raw)
            weight = max(1, method.weight(request))
            context = _safe_context(request, self._taxonomy)
            _check_deadline(method.deadlines, remaining_s)
            _validate(request)
            self._check_context(request)
            use_case = method.use_case(request, self._taxonomy)
        except VaultError as error:
            use_case = Refused(error)
        return Call(caller, method.name, context, use_case, self._policy, deadline), weight

    def _check_context(self, request: Message) -> None:
        context = _context(request)
        for name in ("reference", "recipient"):
            found = recognised(self._taxonomy, getattr(context, name))
            if found:
                rule = f"looks like a {found}; give a ticket's or a register's number instead"
                raise VaultError(
                    common_pb2.ERROR_REASON_REFERENCE_LOOKS_PERSONAL,
                    f"context.{name} {rule}",
                    violations=[FieldViolation(f"context.{name}", rule)],
                )


def _parse(method: Method, raw: bytes) -> Message:
    request = method.request()
    try:
        request.ParseFromString(raw)
    except DecodeError:
        pass
    else:
        return request
    raise VaultError(
        common_pb2.ERROR_REASON_MALFORMED_REQUEST,
        f"the bytes are no {method.request.DESCRIPTOR.full_name}; check the client's version of the contract",
    )


def _check_deadline(allowed: Deadlines, remaining_s: float | None) -> None:
    if remaining_s is None:
        if allowed.needed:
            raise VaultError(
                common_pb2.ERROR_REASON_DEADLINE_REQUIRED, f"the call has no deadline; set one of at most {allowed.longest_s:.0f} s"
            )
    elif remaining_s > allowed.longest_s + _CLOCK_SLACK_S:
        raise VaultError(common_pb2.ERROR_REASON_DEADLINE_TOO_LONG, f"the deadline is more than {allowed.longest_s:.0f} s away")


def _validate(request: Message) -> None:
    found = protovalidate.collect_violations(request, fail_fast=True)
    if found and next(islice(_elements(request), _MAX_SEARCHED, None), None) is None:
        found = protovalidate.collect_violations(request)
    violations = [FieldViolation(_path(v.proto), in_words(v)) for v in found]
    if violations:
        listed = "; ".join(f"{v.field}: {v.rule}" for v in violations[:3])
        raise VaultError(common_pb2.ERROR_REASON_INVALID_FIELD, listed, violations=violations[:MAX_VIOLATIONS])


def _elements(message: Message) -> Iterator[Any]:
    """The elements of all repeated fields, lazily."""
    for field, content in message.ListFields():
        for element in content if field.is_repeated else ():
            yield element
            if isinstance(element, Message):
                yield from _elements(element)


def _path(violation: Any) -> str:
    path = ""
    for element in violation.field.elements if violation.field else ():
        path += f".{element.field_name}"
        if element.subscript is not None and element.subscript.field == "index":
            path += f"[{element.subscript.value}]"
    return path.removeprefix(".") or "request"


def _context(request: Message) -> common_pb2.CallContext:
    context: common_pb2.CallContext = request.context  # type: ignore[attr-defined]
    return context


def _safe_context(request: Message, taxonomy: Taxonomy) -> common_pb2.CallContext:
    """The context as the log may hold it: whole if it keeps the contract's rules and names nobody, else only its request id."""
    context = _context(request)
    if not protovalidate.collect_violations(context) and not any(
        recognised(taxonomy, text) for text in (context.reference, context.recipient)
    ):
        return context
    return common_pb2.CallContext(request_id=context.request_id if request_id_bytes(context) else "")
