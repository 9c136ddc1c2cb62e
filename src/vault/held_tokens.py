"""From the text of a token to what stands behind it, in the same words for every use case."""

import re
from collections.abc import Iterable

from vault.admission import Admitted
from vault.classes.data_class import DataClass
from vault.classes.taxonomy import Taxonomy
from vault.crypto.token import TokenFormatError, parse
from vault.errors import VaultError
from vault.safe import checked
from vault.store.reads import Held
from vault.v1 import common_pb2

_TOKEN_LIKE = re.compile(r"[a-z]{2,4}_[0-9A-Z]{27}")


def well_formed(texts: Iterable[str]) -> frozenset[str]:
    """The texts that could be tokens; no others are worth asking the database for."""
    return frozenset(text for text in texts if _prefix(text))


def recognised(taxonomy: Taxonomy, text: str) -> str | None:
    """What a text looks like that must not stand in the log: a data class, or a token; None for all others."""
    return taxonomy.recognises(text) or ("token" if any(map(_prefix, _TOKEN_LIKE.findall(text))) else None)


def class_by_prefix(taxonomy: Taxonomy, text: str) -> DataClass | None:
    """The class whose tokens look like this one."""
    prefix = _prefix(text)
    return next((data_class for data_class in taxonomy if data_class.token_prefix == prefix), None)


def hold(admitted: Admitted, text: str) -> Held:
    """What stands behind a token, checked.

    Raises:
        VaultError: TOKEN_NOT_FOUND for unknown, foreign, deleted and erased tokens alike; INTEGRITY.
    """
    held = admitted.rows.tokens.get(text)
    if held is None:
        raise not_found()
    return checked(admitted, held)


def permit(admitted: Admitted, action: str, held: Held, form: common_pb2.Form | None = None) -> None:
    """Let a policy decide about an item.

    Raises:
        VaultError: the policy's refusal; TOKEN_NOT_FOUND instead, if the token is also dead: only principals who may use a class
            learn what became of its tokens.
    """
    try:
        admitted.permit(
            action,
            held.item.data_class,
            form=form,
            state=held.subject.state,
            collected=admitted.collected(held.item.purposes),
        )
    except VaultError as refusal:
        if is_expired(admitted, held) or is_used_up(held):
            raise not_found(audited_as=refusal.reason) from None
        raise


def note_refusal(admitted: Admitted, text: str, error: VaultError, form: common_pb2.Form | None = None) -> None:
    """Note in the audit event that an item was refused, and why, with its uids if the token is one."""
    held = admitted.rows.tokens.get(text)
    if held:
        touch(admitted, held, form=form, reason=error.audited_as)
    else:
        admitted.draft.touch_unknown("", error.audited_as, form)


def need_alive(admitted: Admitted, held: Held) -> None:
    """Refuse a token whose time is over.

    Raises:
        VaultError: TOKEN_EXPIRED.
    """
    if is_expired(admitted, held):
        raise VaultError(common_pb2.ERROR_REASON_TOKEN_EXPIRED, "the token's time is over; tokenise the value again")


def need_unspent(held: Held) -> None:
    """Refuse a token that was revealed as often as it may.

    Raises:
        VaultError: TOKEN_USED_UP.
    """
    if is_used_up(held):
        raise VaultError(
            common_pb2.ERROR_REASON_TOKEN_USED_UP,
            f"the token has had its {held.token.max_reveals} reveals",
        )


def is_expired(admitted: Admitted, held: Held) -> bool:
    """Whether the token's time is over, by the database's clock."""
    return held.token.expire_us is not None and held.token.expire_us <= admitted.rows.now_us


def is_used_up(held: Held) -> bool:
    """Whether a limited token has no reveal left."""
    return 0 < held.token.max_reveals <= held.token.reveals_used


def touch(
    admitted: Admitted,
    held: Held,
    *,
    form: common_pb2.Form | None = None,
    reason: int = 0,
    change: int = 0,
    envelope: bytes | None = None,
    mismatched: bool = False,
) -> None:
    """Note in the audit event that an item was used or written."""
    admitted.draft.touch(
        held.item.data_class,
        held.subject.uid,
        held.token.uid,
        form=form,
        reason=reason,
        change=change,
        envelope=envelope,
        mismatched=mismatched,
    )


def not_found(audited_as: int | None = None) -> VaultError:
    """The one answer for tokens that are unknown, foreign, deleted or erased."""
    text = "no such token; it is unknown, or its item is gone"
    return VaultError(common_pb2.ERROR_REASON_TOKEN_NOT_FOUND, text, audited_as=audited_as)


def _prefix(text: str) -> str:
    try:
        return parse(text)
    except TokenFormatError:
        return ""
