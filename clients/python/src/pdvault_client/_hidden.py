"""A box that keeps what it holds out of representations.

Error reporters print the locals of every frame of a traceback. Whatever carries plaintext through our frames is in such a box.
"""

from typing import Generic, TypeVar

T = TypeVar("T")


class Hidden(Generic[T]):
    """Holds ``content``, and says nothing of it."""

    __slots__ = ("content",)

    def __init__(self, content: T) -> None:
        self.content = content

    def __repr__(self) -> str:
        return "<Hidden>"
