"""Bringing a KEK into Transit: how it travels, and how it shows that what Transit holds then is that very key.

A key travels as RSA-OAEP (SHA-256; RFC 8017 section 7.1) of a passing AES-256 key under Transit's wrapping key, followed by the
KEK under that in AES-KWP (NIST SP 800-38F section 6.3). Whether a version of the KEK is a certain key is found out by letting
Transit encrypt, and decrypting here.
"""

import hmac
import secrets
import struct
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from vault.crypto.keys import KEY_BYTES, Key
from vault.kms.key_manager import KmsIntegrityError

HASH: Final = "SHA256"
"""As Transit's import calls the hash of OAEP."""

_WRAPPING_KEY_BITS: Final = 4096
_PROBE_CONTEXT: Final = b"pdvault/v1/kek-probe"
_NONCE_BYTES: Final = 12


def sealed_for_import(key: Key, wrapping_key: str) -> str:
    """The key as Transit's import takes it, in base64.

    Args:
        key: the KEK.
        wrapping_key: Transit's public wrapping key (PEM).

    Raises:
        KmsIntegrityError: the wrapping key is no RSA key of 4,096 bits.
    """
    public_key = _rsa(wrapping_key)
    passing = secrets.token_bytes(KEY_BYTES)
    sealed = public_key.encrypt(passing, OAEP(MGF1(SHA256()), SHA256(), label=None))
    return b64encode(sealed + aes_key_wrap_with_padding(passing, key.raw)).decode()


def probe(version: int) -> dict[str, Any]:
    """What to let Transit encrypt by a version of a KEK, to see which key that is: nothing, by a context of its own."""
    return {"plaintext": "", "context": b64encode(_PROBE_CONTEXT).decode(), "key_version": version}


def is_made_by(key: Key, kdf: str, ciphertext: str) -> bool:
    """Whether what Transit made of a ``probe`` was made by this key.

    Args:
        key: the KEK it may be.
        kdf: how Transit says that it derives from that KEK.
        ciphertext: what it answered.

    Raises:
        KmsIntegrityError: it is no ciphertext, or the derivation is not known.
    """
    derive = _KDFS.get(kdf)
    try:
        sealed = b64decode(ciphertext.split(":")[2], validate=True)
    except (IndexError, Base64Error):
        sealed = b""
    if derive is None or len(sealed) <= _NONCE_BYTES:
        raise KmsIntegrityError("the KMS does not encrypt by an imported KEK as Transit does")
    try:
        AESGCM(derive(key, _PROBE_CONTEXT)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
    except InvalidTag:
        return False
    return True


def _hkdf(key: Key, context: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=context).derive(key.raw)


def _counter(key: Key, context: bytes) -> bytes:
    """One round of NIST SP 800-108 section 4.1 with HMAC-SHA-256, counting from 0: what Transit does by KEKs it did not make."""
    return hmac.digest(key.raw, struct.pack(">I", 0) + context + struct.pack(">I", KEY_BYTES * 8), "sha256")


_KDFS: Final[Mapping[str, Callable[[Key, bytes], bytes]]] = {"hkdf_sha256": _hkdf, "hmac-sha256-counter": _counter}


def _rsa(pem: str) -> RSAPublicKey:
    try:
        public_key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        public_key = None
    if not isinstance(public_key, RSAPublicKey) or public_key.key_size != _WRAPPING_KEY_BITS:
        raise KmsIntegrityError(f"the KMS's wrapping key is no RSA key of {_WRAPPING_KEY_BITS} bits")
    return public_key
