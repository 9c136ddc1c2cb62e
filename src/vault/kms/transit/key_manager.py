"""The KeyManager over the Transit engine of HashiCorp Vault or OpenBao: KEKs never leave it (docs/formats-kms.md).

Contexts, not associated data, bind a wrapped key: Transit's own rewrap honours only contexts.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from vault.crypto.keys import Key
from vault.kms.arguments import check_contexts, check_tenant_uid
from vault.kms.kek import Kek
from vault.kms.key_manager import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, Anchored, KmsDeniedError, KmsIntegrityError, Wrapped
from vault.kms.transit.anchors import TransitAnchors
from vault.kms.transit.config import TransitConfig
from vault.kms.transit.destroyed import TransitDestroyed
from vault.kms.transit.http import Payload, Reply
from vault.kms.transit.kek import read_kek
from vault.kms.transit.session import TransitSession

MAX_BATCH: Final = 249
"""OpenBao refuses requests of more than 1,000 JSON strings; each item has 4, and the list's own name is one."""

LOG_KEY_VERSION: Final = "1"
"""A rotated log key would be another log identity, so only the first version is ever used."""

_BLOB: Final = re.compile(rb"vault:v([1-9][0-9]{0,9}):[A-Za-z0-9+/]{80}")
_SIGNATURE: Final = re.compile(rf"vault:v{LOG_KEY_VERSION}:([A-Za-z0-9+/]{{86}}==)")
_Item = TypeVar("_Item")


def kek_name(tenant_uid: bytes) -> str:
    """The name of the tenant's KEK in Transit."""
    check_tenant_uid(tenant_uid)
    return f"kek-{tenant_uid.hex()}"


def log_key_name(tenant_uid: bytes) -> str:
    """The name of the tenant's log key in Transit."""
    check_tenant_uid(tenant_uid)
    return f"log-{tenant_uid.hex()}"


class TransitKeyManager:
    """A server node at Transit. See ``vault.kms.key_manager.KeyManager``; the time budget is one for each 249 items."""

    proves_destruction = True

    def __init__(self, config: TransitConfig) -> None:
        self._mount = config.mount
        self._session = TransitSession(config)
        self._anchors = TransitAnchors(self._session, config.anchor_mount)
        self._destroyed = TransitDestroyed(self._session, config.anchor_mount)

    def wrap(self, tenant_uid: bytes, items: Sequence[tuple[Key, bytes]]) -> list[Wrapped]:
        """See ``KeyManager.wrap``."""
        path = f"{self._mount}/encrypt/{kek_name(tenant_uid)}"
        check_contexts(items)
        wrapped: list[Wrapped] = []
        for batch in _batches(items):
            batch_input = Payload(batch_input=[{"plaintext": _text(k.raw), "context": _text(c)} for k, c in batch])
            reply = self._session.post(path, batch_input)
            if reply.status != 200:
                raise _refused(reply)
            wrapped += _wrapped(reply, len(batch))
        return wrapped

    def unwrap(self, tenant_uid: bytes, items: Sequence[tuple[bytes, bytes]]) -> list[Key]:
        """See ``KeyManager.unwrap``."""
        path = f"{self._mount}/decrypt/{kek_name(tenant_uid)}"
        check_contexts(items)
        for number, (blob, _) in enumerate(items):
            if not _BLOB.fullmatch(blob):
                raise KmsIntegrityError(f"wrapped key {number} is not a Transit ciphertext of 32 bytes")
        keys: list[Key] = []
        for batch in _batches(items):
            batch_input = [{"ciphertext": blob.decode(), "context": _text(context)} for blob, context in batch]
            reply = self._session.post(path, Payload(batch_input=batch_input))
            if reply.status != 200:
                raise _refused(reply, first=len(keys))
            keys += _keys(reply, len(batch))
        return keys

    def sign(self, tenant_uid: bytes, message: bytes) -> bytes:
        """See ``KeyManager.sign``."""
        reply = self._session.post(f"{self._mount}/sign/{log_key_name(tenant_uid)}", Payload(input=_text(message)))
        if reply.status != 200:
            raise _refused(reply)
        match = _SIGNATURE.fullmatch(str(reply.data.get("signature")))
        signature = b64decode(match[1]) if match else b""
        if len(signature) != SIGNATURE_BYTES:
            raise KmsIntegrityError("the log key in the KMS is not Ed25519 at version 1: it was rotated or replaced")
        return signature

    def log_public_key(self, tenant_uid: bytes) -> bytes:
        """See ``KeyManager.log_public_key``."""
        reply = self._session.get(f"{self._mount}/keys/{log_key_name(tenant_uid)}")
        if reply.status != 200:
            raise _refused(reply)
        try:
            public_key = b64decode(reply.data["keys"][LOG_KEY_VERSION]["public_key"], validate=True)
        except (KeyError, TypeError, Base64Error):
            public_key = b""
        if len(public_key) != PUBLIC_KEY_BYTES:
            raise KmsIntegrityError("the log key in the KMS is not Ed25519 with a version 1")
        return public_key

    def read_anchor(self, tenant_uid: bytes) -> Anchored | None:
        """See ``KeyManager.read_anchor``."""
        return self._anchors.read(tenant_uid)

    def write_anchor(self, tenant_uid: bytes, text: str, version: int) -> int:
        """See ``KeyManager.write_anchor``."""
        return self._anchors.write(tenant_uid, text, version)

    def note_destroyed(self, tenant_uid: bytes, erasure_uid: bytes, text: str) -> None:
        """See ``KeyManager.note_destroyed``."""
        self._destroyed.note(tenant_uid, erasure_uid, text)

    def destroyed_by(self, tenant_uid: bytes, erasure_uid: bytes) -> str | None:
        """See ``KeyManager.destroyed_by``."""
        return self._destroyed.one(tenant_uid, erasure_uid)

    def destroyed(self, tenant_uid: bytes) -> dict[bytes, str]:
        """See ``KeyManager.destroyed``."""
        return self._destroyed.all(tenant_uid)

    def noted(self, tenant_uid: bytes) -> frozenset[bytes]:
        """See ``KeyManager.noted``."""
        return self._destroyed.uids(tenant_uid)

    def kek(self, tenant_uid: bytes) -> Kek:
        """See ``KeyManager.kek``."""
        return read_kek(self._session, f"{self._mount}/keys/{kek_name(tenant_uid)}")

    def check(self) -> None:
        """See ``KeyManager.check``."""
        self._session.check()

    def close(self) -> None:
        """See ``KeyManager.close``."""
        self._session.close()


def _batches(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    return (items[start : start + MAX_BATCH] for start in range(0, len(items), MAX_BATCH))


def _text(data: bytes) -> str:
    return b64encode(data).decode()


def _results(reply: Reply) -> list[dict[str, Any]]:
    results = reply.data.get("batch_results")
    return [result for result in results if isinstance(result, dict)] if isinstance(results, list) else []


def _wrapped(reply: Reply, count: int) -> list[Wrapped]:
    blobs = [str(result.get("ciphertext")).encode() for result in _results(reply)]
    matches = [_BLOB.fullmatch(blob) for blob in blobs]
    wrapped = [Wrapped(match[0], int(match[1])) for match in matches if match]
    if len(wrapped) != count:
        raise KmsIntegrityError("the KMS did not return one ciphertext for each key: is the KEK of type aes256-gcm96?")
    return wrapped


def _keys(reply: Reply, count: int) -> list[Key]:
    """The keys in an answer; no frame that raises holds them."""
    try:
        keys = [Key(b64decode(result["plaintext"], validate=True)) for result in _results(reply)]
    except (KeyError, TypeError, ValueError):
        keys = []
    if len(keys) != count:
        raise KmsIntegrityError("the KMS did not return one key of 32 bytes for each wrapped key")
    return keys


def _refused(reply: Reply, *, first: int = 0) -> KmsIntegrityError | KmsDeniedError:
    """Why a request got 400 or 404: items with errors are damaged; without items the request as a whole was refused."""
    damaged = [str(first + number) for number, result in enumerate(_results(reply)) if result.get("error")]
    if damaged:
        return KmsIntegrityError(
            f"the KMS refuses wrapped key {', '.join(damaged)}: damaged, of another tenant or context, or its KEK version is gone"
        )
    return KmsDeniedError(f"the KMS refuses the request (status {reply.status}): were this tenant's keys created?")
