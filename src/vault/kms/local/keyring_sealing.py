"""The bytes of a keyring file: a header in clear, and an envelope that authenticates it (docs/formats-kms.md)."""

import contextlib
import struct
from collections.abc import Callable, Mapping
from typing import Final

from vault.crypto.encoding import pack
from vault.crypto.envelope import MAX_ENVELOPE_BYTES, DecryptionError, seal, unseal
from vault.crypto.keys import Key
from vault.kms.key_manager import KmsDeniedError, KmsIntegrityError
from vault.kms.local import keyring_v1
from vault.kms.local.keyring import Keyring, KeyringFormatError, TenantEntry, decode, encode
from vault.kms.local.keyring_secret import SALT_BYTES, Argon2Parameters, KeyringSecret

_HEADER: Final = struct.Struct(f">8sBBQIIB{SALT_BYTES}s")
MAX_FILE_BYTES: Final = _HEADER.size + MAX_ENVELOPE_BYTES

_MAGIC: Final = b"pdvkring"
_VERSION: Final = 2
_DECODERS: Final[Mapping[int, Callable[[bytes], dict[bytes, TenantEntry]]]] = {1: keyring_v1.decode, _VERSION: decode}
_BY_PASSPHRASE: Final = 1
_BY_KEY: Final = 2
_NO_ARGON2: Final = (0, 0, 0, bytes(SALT_BYTES))
_LABEL: Final = "pdvault/v1/keyring"
_KEY_LABEL: Final = "pdvault/v1/key/keyring"


def seal_keyring(keyring: Keyring, secret: KeyringSecret, parameters: Argon2Parameters | None) -> bytes:
    """The bytes of a keyring file.

    Args:
        keyring: what it holds.
        secret: what opens it.
        parameters: of the file it replaces, so that Argon2id need not run again, or new ones.

    Raises:
        ValueError: the secret does not go with the parameters, or there are too many tenants for one file.
    """
    header = _header(keyring.generation, parameters)
    return header + seal(subkey(secret, parameters, _KEY_LABEL), 0, encode(keyring.tenants), pack(_LABEL, header))


def subkey(secret: KeyringSecret, parameters: Argon2Parameters | None, label: str) -> Key:
    """A key of a keyring file with these parameters, for one use.

    Raises:
        ValueError: the secret does not go with the parameters.
    """
    root_key = secret.root_key(parameters)
    if root_key is None:
        raise ValueError("the secret does not go with the parameters")
    return root_key.derive(label)


def unseal_keyring(data: bytes, secret: KeyringSecret) -> tuple[Keyring, Argon2Parameters | None]:
    """What a keyring file holds, and its Argon2 parameters.

    Raises:
        KmsIntegrityError: damaged, truncated, of an unknown version, or the secret is wrong.
        KmsDeniedError: a passphrase was given for a file that needs a key, or the reverse.
    """
    version, generation, parameters = _read_header(data)
    root_key = secret.root_key(parameters)
    if root_key is None:
        needed = "a key" if parameters is None else "a passphrase"
        raise KmsDeniedError(f"this keyring is opened by {needed}, and the other was configured")
    header, envelope = data[: _HEADER.size], data[_HEADER.size :]
    return Keyring(generation, _open(root_key, version, header, envelope)), parameters


def _open(root_key: Key, version: int, header: bytes, envelope: bytes) -> dict[bytes, TenantEntry]:
    try:
        return _DECODERS[version](unseal(root_key.derive(_KEY_LABEL), envelope, pack(_LABEL, header)))
    except DecryptionError:
        problem = "wrong secret, or the file was changed"
    except KeyringFormatError:
        problem = "its content is not that of a keyring"
    # Raised out here so that no frame which held the content comes along as the context.
    raise KmsIntegrityError(f"the keyring cannot be opened: {problem}")


def _header(generation: int, parameters: Argon2Parameters | None) -> bytes:
    if parameters is None:
        return _HEADER.pack(_MAGIC, _VERSION, _BY_KEY, generation, *_NO_ARGON2)
    argon2 = (parameters.memory_kib, parameters.passes, parameters.lanes, parameters.salt)
    return _HEADER.pack(_MAGIC, _VERSION, _BY_PASSPHRASE, generation, *argon2)


def _read_header(data: bytes) -> tuple[int, int, Argon2Parameters | None]:
    """Version, generation and Argon2 parameters, not yet authenticated but within bounds."""
    if not _HEADER.size < len(data) <= MAX_FILE_BYTES:
        raise KmsIntegrityError("the keyring file is truncated or too large")
    magic, version, sealing, generation, *argon2 = _HEADER.unpack_from(data)
    if magic != _MAGIC or version not in _DECODERS:
        raise KmsIntegrityError("the file is no keyring, or of a version this release does not know")
    if sealing == _BY_KEY and tuple(argon2) == _NO_ARGON2 and generation:
        return version, generation, None
    if sealing == _BY_PASSPHRASE and generation:
        memory_kib, passes, lanes, salt = argon2
        with contextlib.suppress(ValueError):
            return version, generation, Argon2Parameters(salt, memory_kib, passes, lanes)
    raise KmsIntegrityError("the keyring's header was changed: its values are out of bounds")
