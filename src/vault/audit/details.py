"""The details of events by which one part of the vault finds what another has written; those for people alone have no name here."""

from typing import Final


class Detail:
    """The names of details (docs/formats.md, "Actions that are no methods")."""

    ERASURE: Final = "erasure"
    """Of ``Erased`` and ``ErasureRepeated``, and of the calls that begin an erasure: its uid in hexadecimal."""
    STATEMENT_SHA256: Final = "statement_sha256"
    """Of ``Erased``: in hexadecimal."""
    KEYS: Final = "keys"
    """Of ``Erased``, how many the statement lists; of ``KeysDestroyed``, their names (``key_name``), joined by commas."""
    ERASURES: Final = "erasures"
    """Of ``HorizonReached``: uids in hexadecimal, joined by commas."""
    OLDEST: Final = "oldest"
    """Of ``HorizonReached``: the oldest KEK version that is not destroyed."""
    EPOCH: Final = "epoch"
    """Of ``KeysRotated``, like the two that follow: the number of the key that it makes."""
    INDEX_KEY: Final = "index_key"
    KEK_VERSION: Final = "kek_version"


def key_name(kind: str, number: int) -> str:
    """What an epoch or index key is called: a detail of ``KeysRetired``, and in a list of ``KeysDestroyed``."""
    return f"{kind}_{number}"
