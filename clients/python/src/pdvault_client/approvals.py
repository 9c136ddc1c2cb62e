"""The client of ApprovalService: deciding on what another principal asks for."""

from typing import Unpack

from pdvault_client import _key_answers
from pdvault_client._contract import APPROVAL
from pdvault_client._hidden import Hidden
from pdvault_client.connection import Connection
from pdvault_client.key_types import Approval
from pdvault_client.options import CallOptions


class ApprovalClient(Connection):
    """A connection of who decides. Any number of threads may use it; make it after forking. Use it in ``with``, or close it.

    Every method raises VaultError, or the subclass for its reason. UNAVAILABLE is retried within the deadline. Nobody decides on
    what they asked for themselves.
    """

    _service = APPROVAL

    def list(self, **options: Unpack[CallOptions]) -> tuple[Approval, ...]:
        """What is asked for, and not decided or not used yet: newest first, at most 100."""
        return _key_answers.approvals(self._call("ListApprovals", Hidden({}), **options))

    def approve(self, approval_uid: bytes, **options: Unpack[CallOptions]) -> None:
        """Let it be done, once, by whoever asked."""
        self._call("Approve", Hidden({"approval_uid": approval_uid}), **options)

    def deny(self, approval_uid: bytes, **options: Unpack[CallOptions]) -> None:
        """Refuse it; also what was approved and is not used yet."""
        self._call("Deny", Hidden({"approval_uid": approval_uid}), **options)
