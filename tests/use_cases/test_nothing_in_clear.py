"""No column of any table holds a value or a subject_id in any spelling; nor does the log, an error, or the file."""

import base64
import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog
from tests.use_cases.inside import Inside
from tests.use_cases.requests import (
    DETERMINISTIC,
    LENIENT,
    PER_ITEM,
    delete,
    describe,
    new_subject,
    reveal,
    search,
    tokenize,
    tokens_of,
    update,
    verify,
)

from vault.store import tables as t

CANARIES = {
    "cn_resident_id": "999999190001010031",
    "phone": "+447700900987",
    "email": "canary.singing@example.org",
    "bank_account": "DE89370400440532013000",
    "payment_card": "378282246310005",
    "person_name": "Canaria Vogelsang",
    "free_text": "the canary note sings",
}
TEMPLATE = bytes(range(100, 116)) * 128
OTHER_EMAIL, ILL_FORMED = "second.canary@example.org", "canary without address"


def spellings(secret: bytes) -> Iterator[bytes]:
    """The secret as bytes, hexadecimal, and base64 at each alignment, of both alphabets."""
    yield secret
    yield from (secret.hex().encode(), secret.hex().upper().encode())
    for shift, encode in itertools.product(range(3), (base64.b64encode, base64.urlsafe_b64encode)):
        yield encode(bytes(shift) + secret)[4 if shift else 0 : -4]


def dump(vault: Inside) -> dict[str, bytes]:
    """Each table's cells as bytes, one after the other."""
    tables = {}
    for table in t.metadata.sorted_tables:
        cells = (cell for row in vault.rows(table) for cell in row)
        tables[table.name] = b"\0".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in cells)
    return tables


def use(vault: Inside, subject: str) -> tuple[list[str], list[str]]:
    """Every method on every canary, done and refused; the tokens and the texts of refusals."""
    refusals = []

    def refused(request: Any, who: str = "all") -> None:
        (answer,) = vault.answers([vault.call(request, who)])
        refusals.append(str(answer.to_status()))  # type: ignore[union-attr]

    items = [(subject, name, content) for name, content in CANARIES.items()]
    tokens = tokens_of(vault.ask(tokenize(*items, max_reveals=3)))
    tokens += tokens_of(vault.ask(tokenize((subject, "face_template", TEMPLATE))))
    tokens += tokens_of(vault.ask(tokenize((subject, "email", CANARIES["email"]), token_kind=DETERMINISTIC)))
    tokens += tokens_of(vault.ask(tokenize((subject, "email", ILL_FORMED), validation=LENIENT)))
    vault.ask(reveal(*tokens))
    vault.ask(describe(*tokens))
    vault.ask(search(("", None, subject), ("email", CANARIES["email"], None)))
    vault.ask(verify((tokens[2], CANARIES["email"])))
    vault.ask(update((tokens[2], OTHER_EMAIL)))
    refused(tokenize((subject, "cn_resident_id", CANARIES["email"]), (subject, "shoe_size", CANARIES["phone"])))
    refused(update((tokens[1], CANARIES["free_text"])))
    refused(search(("phone", CANARIES["email"], None)))
    refused(verify((tokens[0], CANARIES["person_name"])))
    refused(reveal(*tokens), "app")
    refused(search((CANARIES["email"], CANARIES["email"], None)))
    bad = reveal(CANARIES["cn_resident_id"])
    bad.context.reference = CANARIES["cn_resident_id"]
    refused(bad)
    bad.context.reference, bad.context.purpose = "", CANARIES["email"]
    refused(bad)
    vault.ask(tokenize((subject, "email", ILL_FORMED), atomicity=PER_ITEM))
    vault.ask(delete(tokens[-1]))
    return tokens, refusals


def test_values_subject_ids_and_the_log_s_tokens_are_nowhere_in_clear(open_vault: Inside) -> None:
    subject = new_subject()
    printed = io.StringIO()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(printed), cache_logger_on_first_use=False)
    try:
        tokens, refusals = use(open_vault, subject)
    finally:
        structlog.reset_defaults()
    secrets = [content.encode() for content in (*CANARIES.values(), OTHER_EMAIL, ILL_FORMED, subject)]
    secrets += [TEMPLATE[:32], *(content.encode("utf-16-le") for content in CANARIES.values())]
    tables = dump(open_vault)
    assert any(spelling in tables["item"] for spelling in spellings(b"payout")), "the search finds what is in clear"
    assert all(len(tables[name]) > 1000 for name in ("item", "token", "audit_pending", "idempotency"))
    places = {**tables, "refusals": "\n".join(refusals).encode(), "log": printed.getvalue().encode()}
    for name, content in places.items():
        assert [secret for secret in secrets for spelling in spellings(secret) if spelling in content] == [], name
    assert [token for token in tokens if token.encode() in places["audit_pending"] + places["idempotency"]] == []


def test_the_sqlite_file_shows_not_even_the_names_of_tables(open_vault: Inside) -> None:
    open_vault.ask(tokenize((new_subject(), "email", CANARIES["email"])))
    folder: Path = open_vault.vault.folder
    files = [path for path in folder.iterdir() if path.name.startswith("vault.db") and not path.name.endswith(".key")]
    if open_vault.is_postgres:
        assert files == []
        return
    assert {path.name for path in files} >= {"vault.db", "vault.db-wal"}
    for path in files:
        content = path.read_bytes()
        assert all(word not in content for word in (b"audit_pending", b"SQLite format 3", CANARIES["email"].encode()))
        assert path.stat().st_mode & 0o077 == 0, path.name
