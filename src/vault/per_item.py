"""Many items in one call: results in order, and what one failing item does to the others (``Atomicity``)."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from vault.errors import MAX_VIOLATIONS, FieldViolation, VaultError
from vault.v1 import common_pb2

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(
    items: Sequence[Item],
    atomicity: int,
    field: str,
    work: Callable[[int, Item], Result],
    result: Callable[..., Result],
    refused: Callable[[Item, VaultError], None],
) -> list[Result]:
    """Work on every item.

    Args:
        items: the request's items.
        atomicity: PER_ITEM, or else ALL_OR_NOTHING.
        field: the items' field in the request, for messages.
        work: gives an item's result or raises VaultError.
        result: makes a result, here of a failed item's status as ``error``.
        refused: notes a failed item in the audit event.

    Raises:
        VaultError: with ALL_OR_NOTHING, the first failing item's error, naming at most 20 of those that fail.
    """
    results: list[Result] = []
    errors: list[tuple[int, VaultError]] = []
    for index, item in enumerate(items):
        try:
            results.append(work(index, item))
        except VaultError as error:
            errors.append((index, error))
            refused(item, error)
            results.append(result(error=error.to_status()))
    if errors and atomicity != common_pb2.ATOMICITY_PER_ITEM:
        raise _together(field, errors, len(items))
    return results


def _together(field: str, errors: list[tuple[int, VaultError]], total: int) -> VaultError:
    index, first = errors[0]
    violations = [
        FieldViolation(f"{field}[{i}]{violation.field}", violation.rule)
        for i, error in errors[:MAX_VIOLATIONS]
        for violation in error.violations or (FieldViolation("", error.message),)
    ]
    return VaultError(
        first.reason,
        f"{field}[{index}]: {first.message} ({len(errors)} of {total} failed; nothing was done)",
        violations=violations,
        retry_after_s=first.retry_after_s,
        audited_as=first.audited_as,
    )
