"""The state of a tenant's KEK, as Transit tells it."""

from collections.abc import Mapping
from typing import Any, Final

from vault.kms.kek import Kek
from vault.kms.key_manager import KmsDeniedError, KmsIntegrityError
from vault.kms.transit.http import Reply
from vault.kms.transit.session import TransitSession

KEK_TYPE: Final = {"type": "aes256-gcm96", "derived": True}
PRIVATE: Final = {"exportable": False, "allow_plaintext_backup": False, "deletion_allowed": False}
_MICROSECONDS: Final = 1_000_000


def read_kek(session: TransitSession, path: str) -> Kek:
    """The state of the KEK at this path, which begins with the mount; see ``KeyManager.kek``.

    Raises:
        KmsIntegrityError: it is of another kind, or may leave the KMS.
    """
    reply = session.get(path)
    if reply.status != 200:
        raise KmsDeniedError(f"the KMS does not show the KEK (status {reply.status}): were this tenant's keys created?")
    check_attributes(path, reply, {**PRIVATE, **KEK_TYPE})
    try:
        return _kek(reply.data)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise KmsIntegrityError("what the KMS says of the KEK's versions is not as Transit says it") from None


def check_attributes(path: str, reply: Reply, expected: Mapping[str, Any]) -> None:
    """Raise unless the key in this answer is as expected.

    Raises:
        KmsIntegrityError: it is not; the message names it and what is wrong.
    """
    wrong = [attribute for attribute, value in expected.items() if reply.data.get(attribute) != value]
    if wrong:
        name = path.rpartition("/")[2]
        raise KmsIntegrityError(f"the key {name} in the KMS is not as it should be: {', '.join(sorted(wrong))}")


def _kek(data: Mapping[str, Any]) -> Kek:
    latest, available = int(data["latest_version"]), int(data["min_available_version"])
    made_us = {int(version): int(seconds) * _MICROSECONDS for version, seconds in data["keys"].items()}
    if not made_us or max(made_us) != latest or min(made_us) < max(1, available):
        raise ValueError("the latest version is not there, or one that was destroyed is")
    imported = bool(data.get("imported_key"))
    may_rotate = not imported or bool(data.get("imported_key_allow_rotation"))
    return Kek(latest, max(1, available), made_us, imported, may_rotate)
