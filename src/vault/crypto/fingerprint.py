"""Keyed hashes, mostly under a tenant's index key: finding equal things without reading them.

HMAC-SHA-256 (RFC 2104) over packed fields, one derived key for each use (docs/formats.md, "Fingerprints and look-ups").
"""

import hmac
from collections.abc import Sequence

from vault.crypto.encoding import pack
from vault.crypto.keys import Key


def fingerprint(index_key: Key, data_class: str, normaliser_version: int, normalised: bytes) -> bytes:
    """32 bytes that are equal for equal values of one class, normaliser version and index key, and for nothing else."""
    return _hash(index_key, "pdvault/v1/fingerprint", data_class, normaliser_version, normalised)


def subject_lookup(index_key: Key, subject_id: str) -> bytes:
    """32 bytes by which the subject that callers name ``subject_id`` is found."""
    return _hash(index_key, "pdvault/v1/subject-lookup", subject_id)


def request_digest(digest_key: Key, method: str, request: bytes) -> bytes:
    """32 bytes by which a repeated request is recognised without keeping it.

    Args:
        digest_key: the request's own.
        method: what is asked, for example "vault.v1.TokenizeRequest": the full name of the request's message.
        request: its deterministic serialisation.
    """
    return _hash(digest_key, "pdvault/v1/request-digest", method, request)


def deterministic(index_key: Key, subject_uid: bytes, fingerprint: bytes, purposes: Sequence[str]) -> bytes:
    """32 bytes by which the deterministic token of a subject's value is found; purposes count as a set."""
    if isinstance(purposes, str):  # a str is a Sequence[str] too: "top" and "pot" would be equal sets of letters
        raise TypeError("purposes must be a sequence of names, not one name")
    return _hash(index_key, "pdvault/v1/deterministic", subject_uid, fingerprint, *sorted(set(purposes)))


def _hash(root_key: Key, label: str, *fields: bytes | int | str) -> bytes:
    return hmac.digest(root_key.derive(label).raw, pack(label, *fields), "sha256")
