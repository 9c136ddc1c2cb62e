"""The client of OperationService: how far long work is, and steering it."""

from typing import Unpack

from pdvault_client import _key_answers
from pdvault_client._answers import unfit
from pdvault_client._contract import OPERATION
from pdvault_client._hidden import Hidden
from pdvault_client.connection import Connection
from pdvault_client.key_types import Operation
from pdvault_client.options import CallOptions


class OperationClient(Connection):
    """A connection about long work. Any number of threads may use it; make it after forking. Use it in ``with``, or close it.

    Every method raises VaultError, or the subclass for its reason. UNAVAILABLE is retried within the deadline.
    """

    _service = OPERATION

    def get(self, name: str, **options: Unpack[CallOptions]) -> Operation:
        """How far an operation is, by its name: "operations/" and 32 hexadecimal digits."""
        answer = self._call("GetOperation", Hidden({"name": name}), **options)
        found = _key_answers.begun(answer)
        if found.name != name:
            raise unfit("the server answered another operation", answer.request_id)
        return found

    def list(self, **options: Unpack[CallOptions]) -> tuple[Operation, ...]:
        """The newest operations, at most 100."""
        return _key_answers.operations(self._call("ListOperations", Hidden({}), **options))

    def pause(self, name: str, **options: Unpack[CallOptions]) -> None:
        """Let it stand still where it is."""
        self._call("PauseOperation", Hidden({"name": name}), **options)

    def resume(self, name: str, **options: Unpack[CallOptions]) -> None:
        """Let it go on."""
        self._call("ResumeOperation", Hidden({"name": name}), **options)

    def cancel(self, name: str, **options: Unpack[CallOptions]) -> None:
        """End it where it is. What is done stays done."""
        self._call("CancelOperation", Hidden({"name": name}), **options)
