"""The state of a tenant's KEK as a KMS shows it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Kek:
    """The versions of a tenant's KEK.

    Attributes:
        latest: the version that wraps.
        oldest: the oldest version that still exists; all below have been destroyed.
        versions: by version, when it was made (microseconds since 1970; 0 if that is not known). Those that still open blobs:
            after a destruction that was interrupted, a version from ``oldest`` on may be missing here and not be destroyed.
        imported: whether it was brought along: who did that has a copy of every version.
        may_rotate: whether the KMS itself makes its new versions; if not, they are imported.
    """

    latest: int
    oldest: int
    versions: Mapping[int, int]
    imported: bool
    may_rotate: bool
