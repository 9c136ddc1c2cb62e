"""The client of AuditService: who saw whose data, when, why; and the proofs that the answer is complete."""

import uuid
from collections.abc import Generator, Iterator, Sequence
from datetime import datetime
from typing import Unpack

from pdvault_client import _audit_answers, _audit_requests, _parts
from pdvault_client._contract import AUDIT
from pdvault_client._hidden import Hidden
from pdvault_client._requests import Fields
from pdvault_client._stream import Stream
from pdvault_client._tail import Tail
from pdvault_client.audit_types import (
    Aggregate,
    Bucket,
    ConsistencyProof,
    Dimension,
    Event,
    EventFilter,
    EventPage,
    ExportPiece,
    InclusionProof,
    LogCheckpoint,
    NamedKey,
    TimelinePage,
)
from pdvault_client.connection import Connection
from pdvault_client.options import CallOptions, SeriesOptions, StreamOptions, TailOptions
from pdvault_client.retry import MAX_STREAM_S, checked_timeout


class AuditClient(Connection):
    """A connection for auditors. Any number of threads may use it; make it after forking. Use it in ``with``, or close it.

    Every method raises VaultError, or the subclass for its reason. UNAVAILABLE is retried within the deadline. Every call is
    itself an event in the log. Nothing that comes back is checked here: `pdvault audit verify` checks an export, offline.
    """

    _service = AUDIT

    def query(self, wanted: EventFilter | None = None, *, page_size: int = 0, **options: Unpack[SeriesOptions]) -> Iterator[Event]:
        """Events that match, newest first, page by page as you go. Those that come later are not in it."""
        page_token = ""
        while True:
            page = self.query_page(wanted, page_size=page_size, page_token=page_token, **options)
            yield from page.events
            page_token = page.next_page_token
            if not page_token:
                return

    def query_page(
        self, wanted: EventFilter | None = None, *, page_size: int = 0, page_token: str = "", **options: Unpack[CallOptions]
    ) -> EventPage:
        """One page of at most 1,000 events that match, newest first; of 100 unless you say otherwise."""
        fields = _paging(_audit_requests.event_filter(wanted), page_size, page_token)
        return _audit_answers.event_page(self._call("Query", fields, **options))

    def tail(
        self,
        wanted: EventFilter | None = None,
        *,
        start_index: int | None = None,
        patience_s: float = 300.0,
        **options: Unpack[TailOptions],
    ) -> Tail:
        """Events as they are added to the log, for ever, over broken connections and restarted servers.

        Args:
            wanted: which events; without times.
            start_index: the first index; from now on if absent.
            patience_s: seconds without any answer, once there has been one, after which it raises. Before, the client's
                timeout and retry policy hold.
            options: see TailOptions.
        """
        chosen = _audit_requests.event_filter(wanted)
        options["request_id"] = options.get("request_id") or str(uuid.uuid4())  # the same for all streams of one tail

        def begin(index: int | None) -> Stream:
            start = {} if index is None else {"start_index": index}
            return self._stream("Tail", Hidden({"filter": chosen.content, **start}), **options)

        return Tail(begin, lambda: self._closed, start_index, self._transport.policy, self._timeout_s, patience_s)

    def checkpoint(self, **options: Unpack[CallOptions]) -> LogCheckpoint:
        """The newest signed checkpoint, and how far each witness has come."""
        return _audit_answers.checkpoint(self._call("GetCheckpoint", Hidden({}), **options))

    def inclusion_proof(self, index: int, *, size: int = 0, **options: Unpack[CallOptions]) -> InclusionProof:
        """The proof that an entry is in the tree of this size; in that of the newest checkpoint if 0.

        Raises:
            LogRangeError: there is no such entry in it.
            VaultError: any other refusal.
        """
        answer = self._call("GetInclusionProof", Hidden({"index": index, "size": size}), **options)
        return _audit_answers.inclusion_proof(answer, index)

    def consistency_proof(self, first_size: int, second_size: int = 0, **options: Unpack[CallOptions]) -> ConsistencyProof:
        """The proof that the tree of the second size, that of the newest checkpoint if 0, begins with that of the first.

        Raises:
            LogRangeError: the log has not grown so far, or the sizes are in the wrong order.
            VaultError: any other refusal.
        """
        fields: Fields = {"first_size": first_size, "second_size": second_size}
        return _audit_answers.consistency_proof(self._call("GetConsistencyProof", Hidden(fields), **options))

    def timeline(
        self, *, subject_id: str = "", subject_uid: bytes = b"", page_size: int = 0, **options: Unpack[SeriesOptions]
    ) -> Iterator[Event]:
        """Everything that happened to one subject, oldest first, page by page as you go.

        Raises:
            SubjectNotFoundError: the vault knows no subject of this id.
            VaultError: any other refusal.
        """
        whom = _audit_requests.subject(subject_id, subject_uid)
        del subject_id  # error reporters print the locals of frames
        return self._timeline(whom, page_size, options)

    def timeline_page(
        self,
        *,
        subject_id: str = "",
        subject_uid: bytes = b"",
        page_size: int = 0,
        page_token: str = "",
        **options: Unpack[CallOptions],
    ) -> TimelinePage:
        """One page of ``timeline``, with the subject's uid."""
        whom = _audit_requests.subject(subject_id, subject_uid)
        del subject_id  # error reporters print the locals of frames
        return self._timeline_page(whom, page_size, page_token, options)

    def aggregate(
        self,
        wanted: EventFilter | None = None,
        *,
        bucket: Bucket = Bucket.TOTAL,
        by: Sequence[Dimension] = (),
        **options: Unpack[CallOptions],
    ) -> Aggregate:
        """Count events.

        Args:
            wanted: which events; times are cut to whole hours, and subject, token and request_id are refused.
            bucket: how time is cut.
            by: what to count by; the values of each count are in this order.
            options: see CallOptions.
        """
        fields = {"filter": _audit_requests.event_filter(wanted).content, "bucket": int(bucket), "dimensions": [*map(int, by)]}
        return _audit_answers.aggregate(self._call("Aggregate", Hidden(fields), **options), len(by))

    def breach_report(
        self,
        start_time: datetime,
        end_time: datetime,
        *,
        principal: str = "",
        certificate_sha256: bytes = b"",
        node: str = "",
        key: NamedKey | None = None,
        subject_uid: bytes = b"",
        with_subject_ids: bool = False,
        **options: Unpack[StreamOptions],
    ) -> _parts.BreachReport:
        """Which subjects one principal, certificate or node touched between two times, and how; or whose data lay under a key.

        All of the log is read for it, and no index is asked: what is not reported is not in the log.

        Args:
            start_time: from this time on; with a time zone.
            end_time: before this time.
            principal: a certificate's URI, or ``local:`` and an account. Exactly one of the five.
            certificate_sha256: of a certificate, 32 bytes.
            node: a node's name.
            key: one that somebody else may have: what was touched while it was in use, and whose data lay under it.
            subject_uid: nobody is suspected: all that was done to this subject.
            with_subject_ids: also answer your own names of the subjects that the vault still knows.
            options: see StreamOptions.
        """
        fields: Fields = {
            **_audit_requests.suspect(principal, certificate_sha256, node, key, subject_uid),
            "start_time": _audit_requests.time("start_time", start_time),
            "end_time": _audit_requests.time("end_time", end_time),
            "with_subject_ids": with_subject_ids,
        }
        return _parts.BreachReport(self._in_parts("BreachReport", fields, options))

    def export(
        self,
        *,
        start_index: int = 0,
        end_index: int = 0,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        known_size: int = 0,
        **options: Unpack[StreamOptions],
    ) -> Generator[ExportPiece, None, None]:
        """The files of a bundle that `pdvault audit verify` checks offline, piece by piece, file after file.

        Args:
            start_index: the first entry that is wanted.
            end_index: one beyond the last; all up to the newest checkpoint if 0.
            start_time: instead of indexes; with a time zone.
            end_time: instead of indexes; with a time zone.
            known_size: the size of a checkpoint seen before, to prove consistency with; 0 if none.
            options: see StreamOptions.

        Raises:
            VaultError: the vault refused, or can't be reached any more: what came before is no bundle.
        """
        times = {"start_time": start_time, "end_time": end_time}
        fields: Fields = {
            "start_index": start_index,
            "end_index": end_index,
            "known_size": known_size,
            **{name: _audit_requests.time(name, given) for name, given in times.items() if given},
        }
        return _parts.export_pieces(self._in_parts("Export", fields, options))

    def add_cosignature(self, checkpoint: str, **options: Unpack[CallOptions]) -> tuple[str, ...]:
        """Bring a witness's cosignatures of one of the log's checkpoints; the names of those that are stored now.

        Args:
            checkpoint: a signed note: the checkpoint with the log's signature and the cosignatures.
            options: see CallOptions.

        Raises:
            CosignatureRefusedError: it is none of this log, or no configured witness has cosigned it.
            VaultError: any other refusal.
        """
        return _audit_answers.witnesses(self._call("AddCosignature", Hidden({"checkpoint": checkpoint}), **options))

    def _timeline(self, whom: Hidden[Fields], page_size: int, series: SeriesOptions) -> Iterator[Event]:
        options: CallOptions = {**series, "request_id": None}  # each page is a call of its own
        page_token = ""
        while True:
            page = self._timeline_page(whom, page_size, page_token, options)
            yield from page.events
            page_token = page.next_page_token
            if not page_token:
                return

    def _timeline_page(self, whom: Hidden[Fields], page_size: int, page_token: str, options: CallOptions) -> TimelinePage:
        fields: Hidden[Fields] = Hidden({**whom.content, "page_size": page_size, "page_token": page_token})
        return _audit_answers.timeline_page(self._call("SubjectTimeline", fields, **options))

    def _in_parts(self, method: str, fields: Fields, options: StreamOptions) -> _parts.Answers:
        body = Hidden(fields)
        options["timeout_s"] = checked_timeout(options.get("timeout_s") or MAX_STREAM_S, MAX_STREAM_S)
        options["request_id"] = options.get("request_id") or str(uuid.uuid4())  # the same for all attempts
        return _parts.answers(lambda: self._stream(method, body, **options), self._timeout_s, self._transport.policy)


def _paging(wanted: Hidden[Fields], page_size: int, page_token: str) -> Hidden[Fields]:
    return Hidden({"filter": wanted.content, "page_size": page_size, "page_token": page_token})
