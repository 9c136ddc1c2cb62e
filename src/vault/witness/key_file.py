"""A witness's name and Ed25519 key, in one file of one line that only its owner can read.

    PRIVATE+KEY+<name>+<key id in hex>+<base64 of type 04 and the 32 bytes of the private key>

Name and key belong together for ever: a cosignature does not name the witness, so a key may serve one name only.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vault.audit.note import COSIGNATURE, NoteError, Verifier, decode_base64, encode_base64, verifier
from vault.durable import create_file
from vault.witness.errors import WitnessError

_PREFIX = "PRIVATE+KEY+"
_SEED = 32
_MAX_FILE = 4096
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class WitnessKey:
    """The key a witness cosigns with, and what its cosignatures are checked against."""

    private_key: Ed25519PrivateKey
    verifier: Verifier

    def __repr__(self) -> str:
        return f"WitnessKey({self.verifier.vkey})"


def generate(name: str) -> WitnessKey:
    """A new key.

    Raises:
        WitnessError: the name can't be a key's.
    """
    return _with_name(name, Ed25519PrivateKey.generate())


def write(path: Path, key: WitnessKey) -> None:
    """A new key file, of mode 0600.

    Raises:
        WitnessError: there is a file already.
        OSError: it can't be written.
    """
    secret = encode_base64(bytes([COSIGNATURE]) + key.private_key.private_bytes_raw())
    try:
        create_file(path, f"{_PREFIX}{key.verifier.name}+{key.verifier.key_id.hex()}+{secret}\n")
    except FileExistsError:
        raise WitnessError(f"{path}: there is a file already, and no key is ever overwritten") from None


def read(path: Path) -> WitnessKey:
    """The key in a file.

    Raises:
        WitnessError: others may read the file, or it is not a key file.
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & _OTHERS:
            raise WitnessError(f"{path}: others than its owner may use this key file; make it private with chmod 600")
        content = file.read(_MAX_FILE)
    try:
        return _parse(content.decode())
    except ValueError:  # its text is not repeated: it may hold a key
        raise WitnessError(f"{path}: this is not a witness's key file") from None


def _parse(text: str) -> WitnessKey:
    name, key_id, encoded = text.removeprefix(_PREFIX).removesuffix("\n").split("+", 2)
    material = decode_base64(encoded)
    if not text.startswith(_PREFIX) or len(material) != 1 + _SEED or material[0] != COSIGNATURE:
        raise ValueError("not a key file")
    key = _with_name(name, Ed25519PrivateKey.from_private_bytes(material[1:]))
    if key.verifier.key_id.hex() != key_id:
        raise ValueError("not a key file")
    return key


def _with_name(name: str, private_key: Ed25519PrivateKey) -> WitnessKey:
    try:
        return WitnessKey(private_key, verifier(name, private_key.public_key().public_bytes_raw(), COSIGNATURE))
    except NoteError:
        raise WitnessError("a witness's name is not empty and holds neither spaces nor '+'; such as witness.example.org") from None
