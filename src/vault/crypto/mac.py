"""Row MACs: rows that say who may do what, authenticated against whoever can write to the database.

HMAC-SHA-256 (RFC 2104) over packed fields under a tenant's authority key (docs/formats.md, "Row MACs").
"""

import hmac
from typing import Final

from vault.crypto.encoding import pack
from vault.crypto.keys import Key

_LABEL: Final = "pdvault/v1/authority"


def mac(authority_key: Key, label: str, *fields: bytes | int | str) -> bytes:
    """The row's tag, 32 bytes.

    Args:
        authority_key: the tenant's authority key.
        label: the kind of row; it fixes number, order and types of the fields.
        fields: every field that carries authority, the tenant uid first.

    Raises:
        ValueError: an integer is out of range, or text is not valid Unicode.
    """
    return hmac.digest(authority_key.derive(_LABEL).raw, pack(label, *fields), "sha256")


def verify(authority_key: Key, tag: bytes, label: str, *fields: bytes | int | str) -> bool:
    """Whether ``tag`` is the row's tag, in constant time. A row that is refused is not used."""
    return hmac.compare_digest(tag, mac(authority_key, label, *fields))
