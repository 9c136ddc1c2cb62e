"""What opens a local keyring: a passphrase through Argon2id (RFC 9106), or a 32-byte key."""

import os
import secrets
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from argon2.low_level import Type, hash_secret_raw

from vault.crypto.keys import KEY_BYTES, Key
from vault.kms.key_manager import KmsDeniedError

SALT_BYTES: Final = 16
MIN_PASSPHRASE_BYTES: Final = 12
_MAX_SECRET_BYTES: Final = 4096


@dataclass(frozen=True)
class Argon2Parameters:
    """How dear a guess is, and the salt. The defaults are the second recommended ones of RFC 9106 section 4.

    Raises:
        ValueError: out of bounds (docs/formats-kms.md), checked because they are read from a file before it is authenticated.
    """

    salt: bytes
    memory_kib: int = 65_536
    passes: int = 3
    lanes: int = 4

    def __post_init__(self) -> None:
        if not (7_168 <= self.memory_kib <= 1_048_576 and 1 <= self.passes <= 16 and 1 <= self.lanes <= 16):
            raise ValueError("Argon2 parameters are out of bounds")

    @classmethod
    def generate(cls) -> "Argon2Parameters":
        """The defaults with a new salt."""
        return cls(salt=secrets.token_bytes(SALT_BYTES))


class KeyringSecret(Protocol):
    """Either of the two."""

    def new_parameters(self) -> Argon2Parameters | None:
        """What a new file says about how its root key is made; None if there is nothing to say."""

    def root_key(self, parameters: Argon2Parameters | None) -> Key | None:
        """The root key of a file with these parameters; None if the file needs the other kind of secret."""


def from_file(path: Path) -> bytes:
    """A secret kept in a file; a newline at its end does not count.

    Raises:
        KmsDeniedError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(_MAX_SECRET_BYTES + 1).removesuffix(b"\n")
    except OSError:
        raise KmsDeniedError("the file with the keyring's secret is missing or cannot be read") from None


def from_variable(name: str) -> bytes:
    """A secret kept in an environment variable.

    Raises:
        KmsDeniedError: it is not set.
    """
    secret = os.environb.get(name.encode())
    if secret is None:
        raise KmsDeniedError(f"the environment variable {name} with the keyring's secret is not set")
    return secret


class Passphrase:
    """A passphrase of 12 to 4,096 bytes. Argon2id runs once for each set of parameters met; calls come one at a time.

    Raises:
        KmsDeniedError: it is too short or too long.
    """

    def __init__(self, passphrase: bytes) -> None:
        if not MIN_PASSPHRASE_BYTES <= len(passphrase) <= _MAX_SECRET_BYTES:
            raise KmsDeniedError(f"the keyring's passphrase must be {MIN_PASSPHRASE_BYTES} to {_MAX_SECRET_BYTES} bytes long")
        self._passphrase = passphrase
        self._last: tuple[Argon2Parameters, Key] | None = None

    def new_parameters(self) -> Argon2Parameters:
        """See ``KeyringSecret``."""
        return Argon2Parameters.generate()

    def root_key(self, parameters: Argon2Parameters | None) -> Key | None:
        """See ``KeyringSecret``. Takes some 0.2 s and the parameters' memory the first time."""
        if parameters is None:
            return None
        if self._last is None or self._last[0] != parameters:
            self._last = parameters, Key(self._hash(parameters))
        return self._last[1]

    def _hash(self, parameters: Argon2Parameters) -> bytes:
        return hash_secret_raw(
            self._passphrase,
            parameters.salt,
            time_cost=parameters.passes,
            memory_cost=parameters.memory_kib,
            parallelism=parameters.lanes,
            hash_len=KEY_BYTES,
            type=Type.ID,
        )


class RawKey:
    """32 bytes in base64 (RFC 4648 section 4), for whoever has a better place for keys than a person's memory.

    Raises:
        KmsDeniedError: it is something else.
    """

    def __init__(self, text: bytes) -> None:
        try:
            self._key = Key(b64decode(text, validate=True))
        except ValueError:
            raise KmsDeniedError(f"the keyring's key must be {KEY_BYTES} bytes in base64") from None

    def new_parameters(self) -> None:
        """See ``KeyringSecret``."""

    def root_key(self, parameters: Argon2Parameters | None) -> Key | None:
        """See ``KeyringSecret``."""
        return self._key if parameters is None else None
