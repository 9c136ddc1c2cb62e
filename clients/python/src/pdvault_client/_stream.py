"""One call that the server answers with any number of messages."""

from collections.abc import Callable, Iterator
from typing import Protocol

import grpc
from google.protobuf.message import DecodeError

from pdvault_client import _status
from pdvault_client._answers import Answer
from pdvault_client._contract import Message
from pdvault_client._hidden import Hidden
from pdvault_client.errors import VaultError


class Call(Protocol):
    """What gRPC gives for such a call."""

    def __next__(self) -> bytes: ...

    def cancel(self) -> object:
        """End it."""


class Stream(Iterator[Answer]):
    """The messages, as they come. Closing it cancels the call; any thread may, also while another waits for a message."""

    def __init__(
        self, call: Call, decode: Callable[[bytes], Message], address: str, timeout_s: float | None, request_id: str
    ) -> None:
        self._call = call
        self._decode = decode
        self._address = address
        self._timeout_s = timeout_s
        self._request_id = request_id
        self._closed = False

    def __next__(self) -> Answer:
        """The next message.

        Raises:
            VaultError: the vault refused, can't be reached any more, or is none.
        """
        response = self._receive()
        try:
            return Answer(self._decode(response.content), self._request_id)
        except DecodeError:
            pass
        self.close()
        raise VaultError("the server's answer is not one of this method; is it a vault?", request_id=self._request_id)

    def _receive(self) -> Hidden[bytes]:
        """Raise outside the handler, so that gRPC's exception is dropped and not chained."""
        try:
            return Hidden(next(self._call))
        except grpc.RpcError as error:
            if self._closed:
                raise StopIteration from None
            failure = _status.from_call(error, address=self._address, timeout_s=self._timeout_s, request_id=self._request_id)
        except BaseException:  # Ctrl-C while waiting, and the end
            self.close()
            raise
        raise failure

    def close(self) -> None:
        """End the call, if it has not ended."""
        self._closed = True
        self._call.cancel()
