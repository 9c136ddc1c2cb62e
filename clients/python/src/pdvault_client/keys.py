"""The client of KeyService: a tenant's keys, their rotation and destruction, and the end of all service."""

from datetime import timedelta
from typing import Unpack

from pdvault_client import _key_answers
from pdvault_client._contract import KEY
from pdvault_client._hidden import Hidden
from pdvault_client._requests import Fields, duration, text
from pdvault_client.connection import Connection
from pdvault_client.key_types import Approval, KeySchedule, KeyStatus, Operation
from pdvault_client.options import CallOptions


class KeyClient(Connection):
    """A connection for security officers. Any number of threads may use it; make it after forking. Use it in ``with``, or close it.

    Every method raises VaultError, or the subclass for its reason. UNAVAILABLE is retried within the deadline. What takes long is
    an operation: follow it with an OperationClient.
    """

    _service = KEY

    def status(self, **options: Unpack[CallOptions]) -> KeyStatus:
        """The tenant's keys, what each still wraps or fingerprints, and what is due. With many rows it takes a while."""
        return _key_answers.status(self._call("Status", Hidden({}), **options))

    def rotate(self, *, max_rows_per_second: int = 0, **options: Unpack[CallOptions]) -> Operation:
        """Begin a new KEK version, epoch and index key, and move everything live over to them; 0 rows a second is no limit.

        Raises:
            VaultError: with reason OPERATION_UNDER_WAY, a rotation has not ended.
        """
        return _key_answers.begun(self._call("Rotate", Hidden({"max_rows_per_second": max_rows_per_second}), **options))

    def rekey(self, subject_id: str = "", *, max_rows_per_second: int = 0, **options: Unpack[CallOptions]) -> Operation:
        """Begin to give one subject, or all, new subject keys, and encrypt their items again.

        Raises:
            SubjectNotFoundError: the vault knows no subject of this id.
            VaultError: with reason OPERATION_UNDER_WAY, a re-keying has not ended.
        """
        body: Hidden[Fields] = Hidden({"subject_id": text("subject_id", subject_id), "max_rows_per_second": max_rows_per_second})
        del subject_id  # error reporters print the locals of frames
        return _key_answers.begun(self._call("Rekey", body, **options))

    def ask_to_destroy(self, keep_from_version: int, **options: Unpack[CallOptions]) -> Approval:
        """Ask for the end of all KEK versions before this one; another principal is to approve it.

        Raises:
            VaultError: with reason KEY_IN_USE, something live hangs on them; the message says what.
        """
        return _key_answers.asked(self._call("Destroy", Hidden({"keep_from_version": keep_from_version}), **options))

    def destroy(self, keep_from_version: int, approval_uid: bytes, **options: Unpack[CallOptions]) -> Operation:
        """Begin to destroy all KEK versions before this one, which can't be undone, by the approval that was given to you for it.

        Raises:
            VaultError: with reason APPROVAL_NEEDED or WRONG_STATE, the approval is none for this, or no longer good.
        """
        body: Hidden[Fields] = Hidden({"keep_from_version": keep_from_version, "approval_uid": approval_uid})
        return _key_answers.begun(self._call("Destroy", body, **options))

    def seal(self, **options: Unpack[CallOptions]) -> None:
        """End all service of the tenant with the next call on every node."""
        self._call("Seal", Hidden({}), **options)

    def ask_to_unseal(self, **options: Unpack[CallOptions]) -> Approval:
        """Ask for service again; another principal is to approve it.

        Raises:
            VaultError: with reason WRONG_STATE, the tenant is not sealed.
        """
        return _key_answers.asked(self._call("Unseal", Hidden({}), **options))

    def unseal(self, approval_uid: bytes, **options: Unpack[CallOptions]) -> None:
        """Begin service again, by the approval that was given to you for it.

        Raises:
            VaultError: with reason APPROVAL_NEEDED or WRONG_STATE, the approval is none for this, or no longer good.
        """
        self._call("Unseal", Hidden({"approval_uid": approval_uid}), **options)

    def set_schedule(self, schedule: KeySchedule, **options: Unpack[CallOptions]) -> None:
        """Say how often keys are to rotate, and how long copies live outside the vault."""
        parts: dict[str, timedelta | None] = {name: getattr(schedule, name) for name in schedule.__slots__}
        fields: Fields = {name: duration(part) for name, part in parts.items() if part is not None}
        self._call("SetSchedule", Hidden({"schedule": fields}), **options)
