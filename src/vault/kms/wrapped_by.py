"""Which KEK version wrapped a key, as the wrapped key itself says: whoever changes that makes it unreadable."""

import re
from typing import Final

from vault.crypto.envelope import DecryptionError, key_version

_TRANSIT: Final = re.compile(rb"vault:v([1-9][0-9]{0,9}):")


def wrapped_by(blob: bytes) -> int:
    """The KEK version of a wrapped key (docs/formats-kms.md, "KMS-wrapped key").

    Raises:
        ValueError: it is no wrapped key.
    """
    if blob.startswith(b"v"):
        match = _TRANSIT.match(blob)
        if match:
            return int(match[1])
    else:
        try:
            return key_version(blob)
        except DecryptionError:
            pass
    raise ValueError("this is no key that a KMS has wrapped")
