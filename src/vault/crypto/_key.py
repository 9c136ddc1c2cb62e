"""A key that cannot get out by accident: not by print, log, comparison, copy or pickle."""

import hmac
import secrets
from typing import Final, NoReturn, final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vault.crypto.encoding import utf8

KEY_BYTES: Final = 32


@final
class Key:
    """32 secret bytes. May be shared by threads.

    Python cannot wipe memory: drop the last reference to a key as soon as it has served.
    """

    __slots__ = ("_aead", "_derived", "_raw")

    def __init__(self, raw: bytes) -> None:
        if type(raw) is not bytes or len(raw) != KEY_BYTES:
            raise ValueError("a key must be exactly 32 bytes")
        self._raw = raw
        self._derived: dict[str, Key] = {}
        self._aead: AESGCM | None = None

    @classmethod
    def generate(cls) -> "Key":
        """A new key from the operating system's random number generator."""
        return cls(secrets.token_bytes(KEY_BYTES))

    @property
    def raw(self) -> bytes:
        """The 32 bytes, for whoever wraps them or hands them to a primitive."""
        return self._raw

    @property
    def aead(self) -> AESGCM:
        """AES-256-GCM (NIST SP 800-38D) under this very key, built once."""
        if self._aead is None:
            self._aead = AESGCM(self._raw)
        return self._aead

    def derive(self, label: str) -> "Key":
        """The key for one use: HKDF-SHA256 (RFC 5869) without salt, info = label, 32 bytes.

        Args:
            label: a constant of the vault, never a caller's text, since each result is kept as long as this key.
        """
        derived = self._derived.get(label)
        if derived is None:
            kdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=utf8(label))
            derived = self._derived[label] = Key(kdf.derive(self._raw))
        return derived

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same bytes, in constant time."""
        return hmac.compare_digest(self._raw, other._raw) if isinstance(other, Key) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # a hash would tell something about the bytes

    def __repr__(self) -> str:
        return "<Key>"

    def __getstate__(self) -> NoReturn:
        raise TypeError("a key is neither copied nor pickled; wrap it")
