"""Results of a call, in the order of its items: each a value, or the error of that item."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, overload

from pdvault_client.errors import VaultError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """One item's result.

    Attributes:
        value: the result; None if there is an error (and with Delete, which has nothing to tell).
        error: why there is none.
    """

    value: T | None = None
    error: VaultError | None = None

    def get(self) -> T:
        """The result.

        Raises:
            VaultError: the item's error.
        """
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # T may be None itself, with Delete


class Results(Sequence[T]):
    """What a call answers. With ALL_OR_NOTHING it is simply a sequence of results, since a failing item fails the call.

    With PER_ITEM look at ``outcomes``; taking a failed item out of the sequence raises its error, so that none goes unseen.
    """

    __slots__ = ("outcomes",)

    def __init__(self, outcomes: Sequence[Outcome[T]]) -> None:
        self.outcomes = tuple(outcomes)

    def __len__(self) -> int:
        return len(self.outcomes)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> "Results[T]": ...
    def __getitem__(self, index: int | slice) -> "T | Results[T]":
        if isinstance(index, slice):
            return Results(self.outcomes[index])
        return self.outcomes[index].get()

    def __repr__(self) -> str:
        failed = sum(1 for outcome in self.outcomes if outcome.error)
        return f"<Results: {len(self)}, {failed} failed>"
