"""One logical call: encoded once, tried again with the same request_id where that is safe, answered or explained."""

from functools import cache

import grpc
from google.protobuf.message import DecodeError

from pdvault_client import _status
from pdvault_client._answers import Answer
from pdvault_client._contract import Method, contract
from pdvault_client._hidden import Hidden
from pdvault_client._requests import Context, Fields
from pdvault_client._stream import Stream
from pdvault_client.channel import MAX_MESSAGE_BYTES
from pdvault_client.errors import UnavailableError, VaultError
from pdvault_client.retry import MAX_TIMEOUT_S, RetryPolicy, retrying

_ROUNDED_S = 0.2
_LONGEST_S = MAX_TIMEOUT_S - _ROUNDED_S
"""gRPC rounds deadlines up by as much as 100 ms on the wire, and the server refuses more than 60 s."""


@cache
def _method(service: str, name: str) -> Method:
    return contract().method(service, name)


class Transport:
    """Makes calls of one service over a channel. Any number of threads may."""

    def __init__(self, channel: grpc.Channel, service: str, address: str, policy: RetryPolicy) -> None:
        self.policy = policy
        self._channel = channel
        self._service = service
        self._address = address
        self._is_closed = False

    def call(self, name: str, body: Hidden[Fields], context: Context, timeout_s: float) -> Answer:
        """Make a call.

        Args:
            name: the method's name.
            body: the request's fields but its context.
            context: the request's context.
            timeout_s: seconds for everything.

        Raises:
            ValueError: the request exceeds 4 MiB.
            VaultError: the vault refused, or could not be reached.
        """
        method = _method(self._service, name)
        request = _encode(method, body, context)

        def attempt(remaining_s: float) -> Hidden[bytes]:
            return self._attempt(method.path, request, remaining_s, context.request_id)

        response = retrying(attempt, timeout_s, self.policy)
        try:
            return Answer(method.decode(response.content), context.request_id)
        except DecodeError:
            pass
        raise VaultError("the server's answer is not one of this method; is it a vault?", request_id=context.request_id)

    def stream(self, name: str, body: Hidden[Fields], context: Context, timeout_s: float | None) -> Stream:
        """Begin a call that is answered by any number of messages. It is never tried again.

        Args:
            name: the method's name.
            body: the request's fields but its context.
            context: the request's context.
            timeout_s: seconds for the whole answer; None for ever.

        Raises:
            ValueError: the request exceeds 4 MiB.
        """
        method = _method(self._service, name)
        request = _encode(method, body, context)
        stub: grpc.UnaryStreamMultiCallable[bytes, bytes] = self._channel.unary_stream(method.path)
        deadline_s = None if timeout_s is None else timeout_s - _ROUNDED_S
        return Stream(stub(request.content, timeout=deadline_s), method.decode, self._address, timeout_s, context.request_id)

    def _attempt(self, path: str, request: Hidden[bytes], timeout_s: float, request_id: str) -> Hidden[bytes]:
        """Raise outside the handler: gRPC's exception, with frames that hold the request, is dropped and not chained."""
        stub: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(path)
        try:
            return Hidden(stub(request.content, timeout=min(timeout_s, _LONGEST_S)))
        except grpc.RpcError as error:
            failure = _status.from_call(error, address=self._address, timeout_s=timeout_s, request_id=request_id)
        if failure.code is grpc.StatusCode.CANCELLED and not self._is_closed:  # so gRPC ends the last calls of a server
            text = f"the vault at {self._address} was ended; the call may have taken effect"
            failure = UnavailableError(text, code=failure.code, request_id=request_id)
        raise failure

    def close(self) -> None:
        """Close the channel; calls in flight are cancelled."""
        self._is_closed = True
        self._channel.close()


def _encode(method: Method, body: Hidden[Fields], context: Context) -> Hidden[bytes]:
    request = Hidden(method.encode({**body.content, "context": context.fields()}))
    if len(request.content) > MAX_MESSAGE_BYTES:
        raise ValueError(f"the request has {len(request.content)} bytes; the vault takes {MAX_MESSAGE_BYTES}: send fewer items")
    return request
