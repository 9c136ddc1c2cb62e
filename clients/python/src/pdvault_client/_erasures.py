"""The calls of SubjectService that are about erasures: a part of SubjectClient."""

from collections.abc import Sequence
from typing import Unpack

from pdvault_client import _erasure_answers, _key_answers
from pdvault_client._hidden import Hidden
from pdvault_client._requests import MAX_ITEMS, Fields, text
from pdvault_client.connection import Connection
from pdvault_client.erasure_types import ErasureCheck, ErasureReceipt
from pdvault_client.key_types import Operation
from pdvault_client.options import CallOptions


class ErasureCalls(Connection):
    """Erases people, and gets receipts."""

    def erase(self, subject_id: str, **options: Unpack[CallOptions]) -> ErasureReceipt:
        """Destroy a subject's keys, and with them everything about it, in every copy. This can't be undone.

        Within 24 hours the same request_id gets the same receipt. Keep ``text``: nothing else leads from the name to the erasure.

        Raises:
            SubjectNotFoundError: the vault knows no such subject; erased ones are unknown.
            VaultError: any other refusal; with reason SUBJECT_HELD, a hold keeps the subject.
        """
        body: Hidden[Fields] = Hidden({"subject_id": text("subject_id", subject_id)})
        named = Hidden(subject_id)
        del subject_id  # error reporters print the locals of frames
        return _erasure_answers.erased(self._call("Erase", body, **options), named)

    def bulk_erase(self, subject_ids: Sequence[str], **options: Unpack[CallOptions]) -> Operation:
        """Ask for 1 to 1,000 subjects to be erased, all or none of them.

        Within 24 hours ``erase`` with the same request_id and one of the names answers that subject's receipt.

        Raises:
            SubjectNotFoundError: one is unknown; nothing was done.
            VaultError: any other refusal; nothing was done.
        """
        if isinstance(subject_ids, str):
            raise TypeError("subject_ids must be a sequence; put a single one in a list")
        if len(subject_ids) > MAX_ITEMS:
            raise ValueError(f"subject_ids has {len(subject_ids)} entries; a call takes {MAX_ITEMS}: split it")
        body: Hidden[Fields] = Hidden({"subject_ids": [text("subject_ids", one) for one in subject_ids]})
        del subject_ids  # error reporters print the locals of frames
        return _key_answers.begun(self._call("BulkErase", body, **options))

    def erasure_receipt(self, erasure_uid: bytes, *, own: str | None = None, **options: Unpack[CallOptions]) -> ErasureReceipt:
        """The receipt of an erasure, with its proof once the log has it.

        Args:
            erasure_uid: 16 bytes.
            own: the text of the receipt that ``erase`` gave: the new one then says whom it is about, too.
            options: see CallOptions.

        Raises:
            ValueError: ``own`` is no receipt.
            VaultError: a refusal; or the vault's receipt does not say what ``own`` says.
        """
        held = None if own is None else Hidden(own)
        del own  # error reporters print the locals of frames
        kept = _erasure_answers.own_receipt(held) if held else None
        answer = self._call("GetErasureReceipt", Hidden({"erasure_uid": erasure_uid}), **options)
        return _erasure_answers.receipt(answer, erasure_uid, kept)

    def verify_erasure(self, erasure_uid: bytes, **options: Unpack[CallOptions]) -> ErasureCheck:
        """Have the vault look again whether anything is left."""
        return _erasure_answers.check(self._call("VerifyErasure", Hidden({"erasure_uid": erasure_uid}), **options))
