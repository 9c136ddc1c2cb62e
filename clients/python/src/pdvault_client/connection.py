"""What the clients have in common: a connection, the purpose and the deadline of calls that say none."""

import os
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import ClassVar, Self, TypeVar

from pdvault_client._answers import Answer, results
from pdvault_client._contract import Message
from pdvault_client._hidden import Hidden
from pdvault_client._requests import Context, Fields
from pdvault_client._stream import Stream
from pdvault_client._transport import Transport
from pdvault_client.channel import StrPath, open_channel
from pdvault_client.options import CallOptions
from pdvault_client.results import Results
from pdvault_client.retry import RetryPolicy, checked_timeout
from pdvault_client.types import Atomicity

T = TypeVar("T")

_RETRY = RetryPolicy()
_ENVIRONMENT = ("PDVAULT_ADDRESS", "PDVAULT_CACERT", "PDVAULT_CERT", "PDVAULT_KEY")


class Connection:
    """A connection to one service of the vault."""

    _service: ClassVar[str]

    def __init__(
        self,
        address: str,
        *,
        ca_file: StrPath,
        certificate_file: StrPath,
        key_file: StrPath,
        purpose: str | None = None,
        timeout_s: float = 10.0,
        retry: RetryPolicy = _RETRY,
    ) -> None:
        """Prepare a connection, which is made at the first call.

        Args:
            address: "host:port" of the vault.
            ca_file: PEM certificates of the CAs that may have issued the server's certificate.
            certificate_file: the client's PEM certificate, its intermediates after it.
            key_file: its PEM private key, not encrypted, readable by its owner only.
            purpose: the purpose of calls that name none.
            timeout_s: seconds for a call with its retries, at most 60.
            retry: how calls are tried again.

        Raises:
            OSError: a file cannot be read.
            ValueError: a file does not hold what it should; timeout_s is out of range.
        """
        self._purpose = purpose
        self._timeout_s = checked_timeout(timeout_s)
        channel = open_channel(address, ca_file=ca_file, certificate_file=certificate_file, key_file=key_file)
        self._closed = False
        self._transport = Transport(channel, self._service, address, retry)

    @classmethod
    def from_environment(cls, *, purpose: str | None = None, timeout_s: float = 10.0) -> Self:
        """A client by PDVAULT_ADDRESS, PDVAULT_CACERT, PDVAULT_CERT and PDVAULT_KEY.

        Raises:
            ValueError: some of them are not set; else as the constructor.
        """
        found = [os.environ.get(name, "") for name in _ENVIRONMENT]
        if not all(found):
            missing = [name for name, value in zip(_ENVIRONMENT, found, strict=True) if not value]
            raise ValueError(f"set the environment variables {', '.join(missing)}")
        address, ca_file, certificate_file, key_file = found
        return cls(
            address,
            ca_file=ca_file,
            certificate_file=certificate_file,
            key_file=key_file,
            purpose=purpose,
            timeout_s=timeout_s,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        self._closed = True
        self._transport.close()

    def _call(
        self,
        method: str,
        body: Hidden[Fields],
        *,
        purpose: str | None = None,
        request_id: str | None = None,
        ground: str = "",
        reference: str = "",
        recipient: str = "",
        timeout_s: float | None = None,
    ) -> Answer:
        context = self._context(purpose, request_id, ground, reference, recipient)
        timeout_s = self._timeout_s if timeout_s is None else checked_timeout(timeout_s)
        return self._transport.call(method, body, context, timeout_s)

    def _many(
        self,
        method: str,
        body: Hidden[Fields],
        count: int,
        read: Callable[[Message], T],
        atomicity: Atomicity,
        options: CallOptions,
    ) -> Results[T]:
        return results(self._call(method, body, **options), count, read, atomicity)

    def _stream(
        self,
        method: str,
        body: Hidden[Fields],
        *,
        purpose: str | None = None,
        request_id: str | None = None,
        ground: str = "",
        reference: str = "",
        recipient: str = "",
        timeout_s: float | None = None,
    ) -> Stream:
        context = self._context(purpose, request_id, ground, reference, recipient)
        return self._transport.stream(method, body, context, timeout_s)

    def _context(self, purpose: str | None, request_id: str | None, ground: str, reference: str, recipient: str) -> Context:
        why = purpose or self._purpose
        if not why:
            raise ValueError("a call needs a purpose: give it one, or give one to the client")
        return Context(why, request_id or str(uuid.uuid4()), ground, reference, recipient)
