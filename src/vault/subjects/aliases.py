"""Other names of subjects: sealed under the subject's store key, each bound to its own row (docs/formats.md, "Associated data")."""

from vault.admission import Admitted
from vault.crypto import binding
from vault.crypto.envelope import DecryptionError, key_version, seal, unseal
from vault.crypto.fingerprint import subject_lookup
from vault.crypto.keys import LABEL_SUBJECT_ID
from vault.errors import VaultError
from vault.safe import altered, new_uid, subject_key
from vault.store.reads import Known
from vault.store.rows import AliasRow
from vault.store.sealing import sealed
from vault.v1 import common_pb2

MAX_ALIASES = 100
"""Other names of one subject."""


def add(admitted: Admitted, known: Known, name: str) -> None:
    """Let a name that leads nowhere yet lead to a subject that was found FOR UPDATE, or is new; written with the call."""
    tenant, subject, key, uid = admitted.tenant, known.subject, known.key, new_uid()
    lookup = subject_lookup(admitted.keys.index(tenant.index_key_version), name)
    bound = binding.alias(tenant.uid, subject.uid, uid, key.version)
    envelope = seal(subject_key(admitted, key).derive(LABEL_SUBJECT_ID), key.version, name.encode(), bound)
    row = AliasRow(tenant.uid, subject.uid, uid, lookup, tenant.index_key_version, envelope)
    admitted.writes.inserted.append(sealed(admitted.keys.authority, row))


def open_alias(admitted: Admitted, known: Known, alias: AliasRow) -> str:
    """The name itself.

    Raises:
        VaultError: INTEGRITY.
    """
    key = subject_key(admitted, known.key).derive(LABEL_SUBJECT_ID)
    try:
        bound = binding.alias(alias.tenant_uid, alias.subject_uid, alias.uid, key_version(alias.subject_id))
        return unseal(key, alias.subject_id, bound).decode()
    except DecryptionError:
        raise altered("name of a subject") from None


def need_room(count: int) -> None:
    """Refuse more names than a subject may have.

    Raises:
        VaultError: WRONG_STATE.
    """
    if count > MAX_ALIASES:
        raise VaultError(
            common_pb2.ERROR_REASON_WRONG_STATE, f"a subject has at most {MAX_ALIASES} other names; unlink those that nobody uses"
        )


def taken(admitted: Admitted, *subjects: Known) -> VaultError:
    """The refusal of a name that leads to another subject; ``subjects`` are those that the event names."""
    reason = common_pb2.ERROR_REASON_ALIAS_TAKEN
    for known in subjects:
        admitted.draft.touch_subject("", known.subject.uid, reason=reason)
    return VaultError(reason, "this name leads to another subject already; unlink it there first, or take another one")
