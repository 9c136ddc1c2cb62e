"""The logs' anchors in a KV engine, version 2, of HashiCorp Vault or OpenBao (docs/formats-kms.md, "Anchor").

Every write is a check-and-set, and the line repeats requests whose answer was lost. So a mismatch says little by itself: what
is stored now tells whether it was our own write, sent twice.
"""

import contextlib
from typing import Final

from vault.kms.arguments import check_anchor, check_tenant_uid
from vault.kms.key_manager import Anchored, AnchorMovedError, KmsDeniedError, KmsIntegrityError
from vault.kms.transit.http import Payload, Reply
from vault.kms.transit.session import TransitSession

_FIELD: Final = "checkpoint"


class TransitAnchors:
    """See ``KeyManager.read_anchor`` and ``write_anchor``. The time budget is one for writing and one for looking what is there."""

    def __init__(self, session: TransitSession, mount: str) -> None:
        self._session = session
        self._mount = mount

    def read(self, tenant_uid: bytes) -> Anchored | None:
        """See ``KeyManager.read_anchor``."""
        reply = self._session.get(self._path(tenant_uid))
        if reply.status == 200:
            return _anchored(reply)
        if reply.status != 404 or reply.body.get("errors"):
            raise _refused(reply)
        if reply.data:  # a version that was deleted or destroyed is answered with 404 and its metadata
            raise KmsIntegrityError("the newest version of a log's anchor was deleted from the KMS: somebody must investigate")
        return None

    def write(self, tenant_uid: bytes, text: str, version: int) -> int:
        """See ``KeyManager.write_anchor``."""
        path = self._path(tenant_uid)
        check_anchor(text, version)
        reply = self._session.post(path, Payload(options={"cas": version}, data={_FIELD: text}))
        if reply.status == 400:
            return self._written_before(reply, tenant_uid, Anchored(text, version + 1))
        if reply.status != 200:
            raise _refused(reply)
        if reply.data.get("version") != version + 1:
            raise KmsIntegrityError("the KMS did not number an anchor's version as one more")
        return version + 1

    def _written_before(self, refusal: Reply, tenant_uid: bytes, wanted: Anchored) -> int:
        """The version that a repeated request had written the first time; else the error that the refusal means."""
        found = self.read(tenant_uid)
        if found == wanted:
            return wanted.version
        if (found.version if found else 0) == wanted.version - 1:
            raise _refused(refusal)  # the version is the one that was to be replaced, so something else is wrong
        raise AnchorMovedError

    def _path(self, tenant_uid: bytes) -> str:
        check_tenant_uid(tenant_uid)
        return f"{self._mount}/data/anchor/{tenant_uid.hex()}"


def _anchored(reply: Reply) -> Anchored:
    data, metadata = reply.data.get("data"), reply.data.get("metadata")
    text = data.get(_FIELD) if isinstance(data, dict) else None
    version = metadata.get("version") if isinstance(metadata, dict) else None
    if type(text) is str and type(version) is int and version > 0:
        with contextlib.suppress(ValueError):
            check_anchor(text, version)
            return Anchored(text, version)
    raise KmsIntegrityError("what the KMS holds in the place of a log's anchor is none")


def _refused(reply: Reply) -> KmsDeniedError:
    return KmsDeniedError(f"the KMS refuses the anchor (status {reply.status}): is KV version 2 mounted there?")
