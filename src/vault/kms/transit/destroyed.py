"""What erasures destroyed, in the KV engine of the anchors (docs/formats-kms.md, "Destroyed keys"): each entry written once.

Server nodes may create an entry and never update one. The line repeats requests whose answer was lost, and then a refusal says
little by itself: what is stored tells whether it was our own write, sent twice.
"""

import contextlib
import re
from collections.abc import Collection, Iterator
from typing import Any, Final

from vault.kms.arguments import check_destroyed, check_erasure_uid, check_tenant_uid
from vault.kms.key_manager import KmsDeniedError, KmsIntegrityError
from vault.kms.transit.http import Payload, Reply
from vault.kms.transit.session import TransitSession

_FIELD: Final = "destroyed"
_UID: Final = re.compile(r"[0-9a-f]{32}")


class TransitDestroyed:
    """See ``KeyManager.note_destroyed`` and ``destroyed``. The time budget is one for each request."""

    def __init__(self, session: TransitSession, mount: str) -> None:
        self._session = session
        self._mount = mount

    def note(self, tenant_uid: bytes, erasure_uid: bytes, text: str) -> None:
        """See ``KeyManager.note_destroyed``."""
        check_tenant_uid(tenant_uid)
        check_destroyed(erasure_uid, text)
        refused = self._create(self._path("data", tenant_uid, erasure_uid), text)
        if refused is None:
            return
        found = self._read(tenant_uid, erasure_uid)
        if found is None:
            raise refused
        if _text(found) != text:
            raise KmsIntegrityError("the KMS has noted something else for this erasure already: somebody must investigate")

    def one(self, tenant_uid: bytes, erasure_uid: bytes) -> str | None:
        """See ``KeyManager.destroyed_by``."""
        check_tenant_uid(tenant_uid)
        check_erasure_uid(erasure_uid)
        found = self._read(tenant_uid, erasure_uid)
        return None if found is None else _text(found)

    def all(self, tenant_uid: bytes) -> dict[bytes, str]:
        """See ``KeyManager.destroyed``."""
        return {uid: _text(found) for uid, found in self._entries(tenant_uid)}

    def forget(self, tenant_uid: bytes, erasure_uids: Collection[bytes]) -> int:
        """See ``KeyAdministrator.forget_destroyed``."""
        old = self.uids(tenant_uid).intersection(erasure_uids)
        for uid in old:
            reply = self._session.delete(self._path("metadata", tenant_uid, uid))
            if reply.status != 204:
                raise _refused(reply)
        return len(old)

    def _create(self, path: str, text: str) -> KmsDeniedError | None:
        """Why the entry was not created. Without the right to update, a second creation is denied; with it, a mismatch."""
        try:
            reply = self._session.post(path, Payload(options={"cas": 0}, data={_FIELD: text}))
        except KmsDeniedError as denied:
            return denied.with_traceback(None)
        return None if reply.status == 200 else _refused(reply)

    def _entries(self, tenant_uid: bytes) -> Iterator[tuple[bytes, Reply]]:
        """Each entry; one that is forgotten between the list and its reading is left out."""
        for uid in self.uids(tenant_uid):
            found = self._read(tenant_uid, uid)
            if found is not None:
                yield uid, found

    def uids(self, tenant_uid: bytes) -> frozenset[bytes]:
        """See ``KeyManager.noted``."""
        check_tenant_uid(tenant_uid)
        reply = self._session.list(f"{self._mount}/metadata/destroyed/{tenant_uid.hex()}")
        if reply.status == 404 and not reply.body.get("errors"):
            return frozenset()
        names = reply.data.get("keys")
        if reply.status != 200 or not isinstance(names, list):
            raise _refused(reply)
        if not all(isinstance(name, str) and _UID.fullmatch(name) for name in names):
            raise KmsIntegrityError("among what erasures destroyed, the KMS holds something that is no erasure's")
        return frozenset(map(bytes.fromhex, names))

    def _read(self, tenant_uid: bytes, erasure_uid: bytes) -> Reply | None:
        reply = self._session.get(self._path("data", tenant_uid, erasure_uid))
        if reply.status == 200:
            return reply
        if reply.status != 404 or reply.body.get("errors"):
            raise _refused(reply)
        if reply.data:  # a version that was deleted or destroyed is answered with 404 and its metadata
            raise KmsIntegrityError("what an erasure destroyed was deleted from the KMS: somebody must investigate")
        return None

    def _path(self, kind: str, tenant_uid: bytes, erasure_uid: bytes) -> str:
        return f"{self._mount}/{kind}/destroyed/{tenant_uid.hex()}/{erasure_uid.hex()}"


def _text(reply: Reply) -> str:
    data = reply.data.get("data")
    text = data.get(_FIELD) if isinstance(data, dict) else None
    if type(text) is str and _metadata(reply).get("version") == 1:
        with contextlib.suppress(ValueError):
            check_destroyed(bytes(16), text)
            return text
    raise KmsIntegrityError("what the KMS holds in the place of what an erasure destroyed is none, or was written twice")


def _metadata(reply: Reply) -> dict[str, Any]:
    metadata = reply.data.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _refused(reply: Reply) -> KmsDeniedError:
    return KmsDeniedError(f"the KMS refuses what an erasure destroys (status {reply.status}): is KV version 2 mounted there?")
