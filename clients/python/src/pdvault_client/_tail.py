"""Events as they are added to the log, over as many streams as it takes."""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import pairwise
from types import TracebackType
from typing import Self

import grpc

from pdvault_client import _audit_answers
from pdvault_client._answers import Answer, unfit
from pdvault_client._stream import Stream
from pdvault_client.audit_types import Event
from pdvault_client.errors import OverloadedError, UnavailableError, VaultError
from pdvault_client.retry import RetryPolicy

_Code = grpc.StatusCode
_BROKEN = (_Code.CANCELLED, _Code.UNKNOWN, _Code.INTERNAL, _Code.DEADLINE_EXCEEDED)
"""What gRPC calls a connection that broke, where the vault itself gave no reason; besides UNAVAILABLE."""

_random = random.SystemRandom()


class Tail(Iterator[Event]):
    """Events in the order of the log, for ever. Use it in ``with``, or close it: that ends the stream at the server.

    When the stream breaks, or the server ends it, it goes on from where it was. One thread iterates; any may close it.

    Attributes:
        next_index: where to go on: everything before it has been read or passed on. None until the server has said it, if the
            tail began "from now on".
    """

    def __init__(
        self,
        begin: Callable[[int | None], Stream],
        is_over: Callable[[], bool],
        start_index: int | None,
        policy: RetryPolicy,
        timeout_s: float,
        patience_s: float,
    ) -> None:
        """Nothing is sent yet.

        Args:
            begin: makes the call from an index on.
            is_over: whether the client was closed, which ends the tail too.
            start_index: where to begin; None from now on.
            policy: how breaks are got over.
            timeout_s: seconds for the first answer.
            patience_s: seconds without an answer, later.
        """
        self.next_index = start_index
        self._begin = begin
        self._is_over = is_over
        self._policy = policy
        self._patience_s = patience_s
        self._stream: Stream | None = None
        self._read_to = start_index
        self._events: deque[Event] = deque()
        self._closed = threading.Event()
        self._begun = False
        self._failures = 0
        self._opened_at = 0.0
        self._give_up_at = time.monotonic() + timeout_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the stream; whoever waits for an event stops."""
        self._closed.set()
        if self._stream:
            self._stream.close()

    def __next__(self) -> Event:
        """The next event; waits for it.

        Raises:
            VaultError: the vault refused; or it could not be reached for too long.
        """
        while not self._events:
            if self._closed.is_set() or self._is_over():
                raise StopIteration
            self._read()
        event = self._events.popleft()
        self.next_index = event.index + 1 if self._events else self._read_to
        return event

    def _read(self) -> None:
        """Take one message, or get over a break."""
        error: VaultError | None = None
        try:
            if self._stream is None:
                self._opened_at = time.monotonic()
                self._stream = self._begin(self._read_to)
            if self._closed.is_set():  # while the stream was begun
                self._stream.close()
            answer = next(self._stream)
        except StopIteration:
            pass
        except ValueError:  # what gRPC says of a channel that was closed just now
            if not self._is_over():
                raise
        except VaultError as failure:
            error = failure
        else:
            self._take(answer)
            return
        self._stream = None
        if not (self._closed.is_set() or self._is_over()):
            self._wait(error)

    def _take(self, answer: Answer) -> None:
        begin, end = self._read_to or 0, answer.message.next_index
        found = _audit_answers.events(answer)
        indexes = [begin - 1, *(event.index for event in found), end]
        if any(one >= other for one, other in pairwise(indexes)):
            self.close()
            raise unfit(f"the server sent entries out of order, between {begin} and {end}", answer.request_id)
        self._events.extend(found)
        self._read_to = end
        if not found:
            self.next_index = end
        self._begun = True
        now = time.monotonic()
        self._give_up_at = now + self._patience_s
        if now - self._opened_at > self._policy.cap_s:  # else a server that ends each stream at once is asked without a pause
            self._failures = 0

    def _wait(self, error: VaultError | None) -> None:
        """Pause before the next stream.

        Raises:
            VaultError: the error, if it won't pass, or has lasted too long.
        """
        self._failures += 1
        error = error or UnavailableError("the server ends the stream again and again", code=_Code.UNAVAILABLE)
        pause_s = (error.retry_after_s or 0.0) + _random.uniform(0.0, self._policy.bound_s(self._failures))
        if time.monotonic() + pause_s >= self._give_up_at or not self._passes(error):
            raise error
        self._closed.wait(pause_s)

    def _passes(self, error: VaultError) -> bool:
        """Whether the error is one of a connection or a server that may be back soon."""
        if not self._begun:
            return isinstance(error, UnavailableError) and self._failures < self._policy.attempts
        return isinstance(error, UnavailableError | OverloadedError) or (not error.reason and error.code in _BROKEN)
