"""What must hold of a KEK before and after it is changed. Pure: no KMS is asked."""

from vault.kms.kek import Kek
from vault.kms.key_manager import KmsDeniedError, KmsIntegrityError


def has_left(kek: Kek, from_version: int) -> bool:
    """Whether the version after ``from_version`` is the latest already; if not, ``from_version`` is.

    Raises:
        KmsIntegrityError: neither of the two is the latest.
    """
    if kek.latest not in (from_version, from_version + 1):
        raise KmsIntegrityError(
            f"the KEK's latest version is {kek.latest}, where {from_version} was expected: it was changed by somebody else"
        )
    return kek.latest == from_version + 1


def check_there(kek: Kek, version: int) -> None:
    """Raise unless this version exists, in use or not.

    Raises:
        ValueError: it was destroyed, or never made.
    """
    if not kek.oldest <= version <= kek.latest:
        raise ValueError(f"the KEK has the versions from {kek.oldest} to {kek.latest}: {version} is none of them")


def check_rotates(kek: Kek) -> None:
    """Raise unless the KMS may make a new version.

    Raises:
        KmsDeniedError: the KEK was imported.
    """
    if not kek.may_rotate:
        raise KmsDeniedError("this tenant's KEK was imported, and so must be its new versions: import one instead of rotating")


def check_imports(kek: Kek) -> None:
    """Raise unless a new version may be imported.

    Raises:
        KmsDeniedError: the KMS made the KEK.
    """
    if not kek.imported:
        raise KmsDeniedError("this tenant's KEK was made by the KMS, and so must be its new versions: rotate instead of importing")
