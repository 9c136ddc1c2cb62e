"""Answers that come in parts: tried again while nothing has come, ended at the server when nobody reads on."""

from collections.abc import Callable, Generator, Iterator
from typing import Self

from pdvault_client import _audit_answers
from pdvault_client._answers import Answer, unfit
from pdvault_client._stream import Stream
from pdvault_client.audit_types import BreachRow, BreachSummary, ExportPiece
from pdvault_client.retry import RetryPolicy, retrying

Answers = Generator[Answer, None, None]


def answers(begin: Callable[[], Stream], timeout_s: float, policy: RetryPolicy) -> Answers:
    """The messages of a stream. Closing the generator ends the call.

    Args:
        begin: makes the call.
        timeout_s: seconds within which the first message's attempts begin.
        policy: how the call is tried again while no message has come.

    Raises:
        VaultError: the vault refused, or could not be reached.
    """
    stream: Stream | None = None

    def first(_remaining_s: float) -> Answer | None:
        nonlocal stream
        stream = begin()
        return next(stream, None)

    try:
        answer = retrying(first, timeout_s, policy)
        while answer is not None and stream is not None:
            yield answer
            answer = next(stream, None)
    finally:
        if stream is not None:
            stream.close()


def export_pieces(parts: Answers) -> Generator[ExportPiece, None, None]:
    """The pieces of an export.

    Raises:
        VaultError: a file comes in two parts, or its path is none of a bundle.
    """
    seen: set[str] = set()
    path = ""
    try:
        for answer in parts:
            piece = _audit_answers.export_piece(answer)
            if piece.path != path:
                if piece.path in seen:
                    raise unfit(f"the server sent {piece.path} twice", answer.request_id)
                path = piece.path
                seen.add(path)
            yield piece
    finally:
        parts.close()


class BreachReport(Iterator[BreachRow]):
    """Which subjects somebody touched, one row a subject, class, purpose and use. Read it to its end, where the summary is."""

    def __init__(self, parts: Answers) -> None:
        self._summaries: list[BreachSummary] = []
        self._rows = _rows(parts, self._summaries)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> BreachRow:
        """The next row.

        Raises:
            VaultError: the vault refused, can't be reached any more, or sent no summary. The rows so far are not all.
        """
        return next(self._rows)

    @property
    def summary(self) -> BreachSummary:
        """The summary.

        Raises:
            ValueError: the rows have not been read to their end.
        """
        if not self._summaries:
            raise ValueError("the summary comes after the last row: read the rows first")
        return self._summaries[0]

    def close(self) -> None:
        """End the call, if not everything has been read."""
        self._rows.close()


def _rows(parts: Answers, summaries: list[BreachSummary]) -> Generator[BreachRow, None, None]:
    """The rows; the summary goes into the list. No method of the report, so that a report that is dropped ends its call at once."""
    request_id = ""
    try:
        for answer in parts:
            request_id = answer.request_id
            if summaries:
                raise unfit("the server sent more after the summary", request_id)
            yield from _audit_answers.breach_rows(answer)
            summary = _audit_answers.breach_summary(answer)
            if summary:
                summaries.append(summary)
    finally:
        parts.close()
    if not summaries:
        raise unfit("the server ended the report without a summary", request_id)
