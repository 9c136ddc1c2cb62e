"""Counting whom somebody touched: rows that cost little memory, and a bound on how many there are."""

from array import array
from collections.abc import Iterator
from typing import Final

from vault.auditing.uses import Way, uses
from vault.errors import VaultError
from vault.v1 import audit_pb2, common_pb2
from vault.v1 import audit_service_pb2 as v1

MAX_ROWS: Final = 500_000
"""Some 150 MB of memory."""

_REFUSED = (audit_pb2.DECISION_DENIED, audit_pb2.DECISION_FAILED)


class Tally:
    """What was touched, and how often; a row is a few numbers in columns."""

    def __init__(self) -> None:
        self.events = self.refused = 0
        self._rows: dict[tuple[bytes, Way], int] = {}
        self._ways: dict[Way, Way] = {}
        self._counts, self._first_us, self._last_us = array("Q"), array("Q"), array("Q")
        self._first_index, self._last_index = array("Q"), array("Q")

    def add(self, index: int, event: audit_pb2.AuditEvent) -> None:
        """Count an event, which comes after those of lower indexes.

        Raises:
            VaultError: RESPONSE_TOO_LARGE.
        """
        self.events += 1
        self.refused += event.decision in _REFUSED
        for subject_uid, way in uses(event):
            row = self._rows.setdefault((subject_uid, self._ways.setdefault(way, way)), len(self._rows))
            if row == len(self._counts):
                self._begin(index, event.time_us)
            self._counts[row] += 1
            self._first_us[row] = min(self._first_us[row], event.time_us)
            self._last_us[row] = max(self._last_us[row], event.time_us)
            self._last_index[row] = index

    def rows(self) -> Iterator[v1.BreachRow]:
        """The rows by subject, then by use, the worst first."""
        for (subject_uid, way), row in sorted(self._rows.items()):
            answered = v1.BreachRow(
                subject_uid=subject_uid,
                data_class=way.data_class,
                purpose=way.purpose,
                use=way.use,  # type: ignore[arg-type]  # integers for enums, as in Draft.to_event
                partial_name=way.partial_name,
                events=self._counts[row],
                first_index=self._first_index[row],
                last_index=self._last_index[row],
            )
            answered.first_time.FromMicroseconds(self._first_us[row])
            answered.last_time.FromMicroseconds(self._last_us[row])
            yield answered

    def subjects(self) -> int:
        """How many subjects were touched, those not counted of whom everything was refused."""
        return len({subject_uid for subject_uid, way in self._rows if way.use != v1.USE_REFUSED})

    def _begin(self, index: int, time_us: int) -> None:
        if len(self._counts) == MAX_ROWS:
            raise VaultError(
                common_pb2.ERROR_REASON_RESPONSE_TOO_LARGE,
                f"the report would have more than {MAX_ROWS} rows; ask for a shorter time, and again for what is left of it",
            )
        for column, value in (
            (self._counts, 0),
            (self._first_us, time_us),
            (self._last_us, time_us),
            (self._first_index, index),
            (self._last_index, index),
        ):
            column.append(value)
