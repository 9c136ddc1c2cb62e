"""What the vault asks of a KMS, and the ways in which a KMS says no. No protocol of any particular KMS is known here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from vault.crypto.keys import Key
from vault.errors import VaultError
from vault.kms.kek import Kek
from vault.v1 import common_pb2

SIGNATURE_BYTES: Final = 64
PUBLIC_KEY_BYTES: Final = 32

DENIED_RETRY_AFTER_S: Final = 10.0
"""A person mends a policy or a login: sooner makes no sense."""


class KmsUnavailableError(VaultError):
    """The KMS does not answer, or answers that it cannot serve now."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(common_pb2.ERROR_REASON_KMS_UNAVAILABLE, message, retry_after_s=retry_after_s)


class KmsSealedError(VaultError):
    """The KMS is sealed: it answers, but somebody must unseal it."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(common_pb2.ERROR_REASON_KMS_SEALED, message, retry_after_s=retry_after_s)


class KmsDeniedError(VaultError):
    """The KMS refused the vault's identity, or what it asked for."""

    def __init__(self, message: str) -> None:
        super().__init__(common_pb2.ERROR_REASON_KMS_DENIED, message, retry_after_s=DENIED_RETRY_AFTER_S)


class KmsIntegrityError(VaultError):
    """A wrapped key, a key's attributes or the keyring is not what the vault stored. Nothing of it is used."""

    def __init__(self, message: str) -> None:
        super().__init__(common_pb2.ERROR_REASON_INTEGRITY, message)


class AnchorMovedError(Exception):
    """The anchor is not at the version that was to be replaced: somebody else moved it. Read it, and decide again."""

    def __init__(self) -> None:
        super().__init__("the anchor was moved by somebody else")


@dataclass(frozen=True)
class Anchored:
    """What the anchor of a tenant's log holds.

    Attributes:
        text: the newest checkpoint, a signed note.
        version: how often it was written, at least 1.
    """

    text: str
    version: int


@dataclass(frozen=True)
class Wrapped:
    """A wrapped key.

    Attributes:
        blob: what to store (docs/formats-kms.md, "KMS-wrapped key"): at most 99 bytes.
        kek_version: the version of the tenant's KEK that wrapped it, at least 1.
    """

    blob: bytes
    kek_version: int


class KeyManager(Protocol):
    """What a server node may do: encrypt, decrypt, sign, use the anchor, note what it destroys. May be shared by threads.

    Every method may raise KmsUnavailableError, KmsSealedError or KmsDeniedError (which includes a tenant that has no keys), and
    ValueError when the tenant uid is not 16 bytes.
    """

    proves_destruction: bool
    """Whether a destroyed KEK version is out of the operator's reach, so that a receipt may say "horizon reached"."""

    def wrap(self, tenant_uid: bytes, items: Sequence[tuple[Key, bytes]]) -> list[Wrapped]:
        """Each (key, context) wrapped by the latest version of the tenant's KEK, in the same order.

        Raises:
            ValueError: a context is empty.
        """

    def unwrap(self, tenant_uid: bytes, items: Sequence[tuple[bytes, bytes]]) -> list[Key]:
        """The key of each (blob, context), in the same order. All or none.

        Raises:
            KmsIntegrityError: a blob is damaged, belongs to another tenant or context, or its KEK version is gone.
            ValueError: a context is empty.
        """

    def sign(self, tenant_uid: bytes, message: bytes) -> bytes:
        """The Ed25519 signature (RFC 8032, 64 bytes) of the message by the tenant's log key."""

    def log_public_key(self, tenant_uid: bytes) -> bytes:
        """The public half of the tenant's log key, 32 bytes."""

    def read_anchor(self, tenant_uid: bytes) -> Anchored | None:
        """What the anchor of the tenant's log holds; None if it was never written, which is wrong for a log that exists.

        Raises:
            KmsIntegrityError: what is there is no anchor, or was deleted or changed.
        """

    def write_anchor(self, tenant_uid: bytes, text: str, version: int) -> int:
        """Replace the anchor of the tenant's log if it is at ``version``; the new version, one more. 0 creates it.

        After KmsUnavailableError it may have been written or not: read it, and decide again.

        Raises:
            AnchorMovedError: it is at another version. Nothing was written.
            KmsIntegrityError: what is there is no anchor, or was deleted or changed.
            ValueError: the text is empty or longer than MAX_ANCHOR_BYTES, or the version is below 0.
        """

    def note_destroyed(self, tenant_uid: bytes, erasure_uid: bytes, text: str) -> None:
        """Keep, out of the database's reach, what an erasure is about to destroy. Written once: the same text again is no error.

        After KmsUnavailableError it may have been written or not: write it again.

        Raises:
            KmsIntegrityError: another text is there.
            ValueError: the erasure uid is not 16 bytes, or the text is empty or longer than MAX_DESTROYED_BYTES.
        """

    def destroyed_by(self, tenant_uid: bytes, erasure_uid: bytes) -> str | None:
        """The text that ``note_destroyed`` wrote for one erasure; None if there is none, or it was forgotten.

        Raises:
            KmsIntegrityError: what is there is no entry, or was deleted or changed.
            ValueError: the erasure uid is not 16 bytes.
        """

    def destroyed(self, tenant_uid: bytes) -> dict[bytes, str]:
        """Each text that ``note_destroyed`` wrote and the key worker has not had forgotten, by erasure uid.

        Raises:
            KmsIntegrityError: an entry is none, or was deleted or changed.
        """

    def noted(self, tenant_uid: bytes) -> frozenset[bytes]:
        """The uids of the erasures of which ``destroyed`` has a text, by one request where that takes one each.

        Raises:
            KmsIntegrityError: something else is among them.
        """

    def kek(self, tenant_uid: bytes) -> Kek:
        """The state of the tenant's KEK.

        Raises:
            KmsIntegrityError: it is not as the vault makes it.
        """

    def check(self) -> None:
        """Raise unless the KMS can serve now."""

    def close(self) -> None:
        """Let go of connections. The KeyManager is not used afterwards."""


class KeyProvisioner(Protocol):
    """What a separate identity may do: create a tenant's keys, never use them."""

    def create_tenant_keys(self, tenant_uid: bytes) -> None:
        """Create KEK and log key of the tenant; what exists already and is as it should be, stays.

        Raises:
            KmsIntegrityError: a key of that name exists and is of another kind.
            KmsUnavailableError, KmsSealedError, KmsDeniedError: as they say.
            ValueError: the tenant uid is not 16 bytes.
        """

    def close(self) -> None:
        """Let go of connections. The KeyProvisioner is not used afterwards."""
