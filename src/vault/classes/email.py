"""E-mail addresses (RFC 5321, 6531), compared as most people read them: without regard to case."""

import unicodedata

from email_validator import EmailNotValidError, validate_email

from vault.classes.data_class import MAX_BYTES_FINGERPRINTED, DataClass, InvalidValueError
from vault.classes.text import accepts, fold, masker, normaliser, partial_forms

_MAX_CHARACTERS = 320  # 64 + @ + 255; keeps the validator's work bounded


def _canonical(text: str) -> str:
    # Strictly, only the receiving host may say that Anna@ and anna@ are one mailbox; in practice they are, and a search
    # that misses one of them helps nobody. The stored value keeps its case. Folded before validated, so that the
    # canonical form is itself valid. The domain is left to IDNA 2008, which tells straße.example from strasse.example.
    local, at, domain = unicodedata.normalize("NFKC", text).strip().rpartition("@")
    address = _validated(fold(local) + at + domain)
    if address is None:
        raise InvalidValueError("must be an e-mail address: local part, @, domain name")
    return address


def _validated(address: str) -> str | None:
    if len(address) > _MAX_CHARACTERS:
        return None
    try:
        parts = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return f"{parts.local_part}@{parts.ascii_domain}"


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _mask(address: str) -> str:
    # Of the domain only its first letter and the top level: a domain may be one person's own, so `domain` is a form of
    # its own that policies can withhold.
    local, _, domain = address.rpartition("@")
    first = local[0] if len(local) > 1 else ""
    return f"{first}***@{domain[0]}***.{domain.rpartition('.')[2]}"


def _recognises(text: str) -> bool:
    return "@" in text and accepts(_canonical, text)


# At least the local parts of four letters and digits, the first known from the mask. These are well-formed addresses,
# not likely ones: at a domain of one person's own, the domain is the person. docs/classes.md says what to do about it.
_REMAINING = {frozenset({"domain"}): 36**3}

EMAIL = DataClass(
    name="email",
    title="E-mail address",
    token_prefix="eml",  # noqa: S106 - no password: our tokens begin so
    sensitivity="normal",
    kind="text",
    max_bytes=MAX_BYTES_FINGERPRINTED,
    normaliser_version=1,
    fingerprinted=True,
    normalise=normaliser(_canonical),
    mask=masker(_canonical, _mask),
    partial_forms=partial_forms(_canonical, domain=_domain),
    mask_reveals=frozenset(),
    remaining=_REMAINING,
    floor=1_000,
    retention_hint="as long as the person is to be reached",
    recognises=_recognises,
)
