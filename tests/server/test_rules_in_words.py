"""Whoever breaks one of the contract's patterns is told in words what is allowed, and not what they wrote."""

import re
from pathlib import Path

import protovalidate
import pytest

from vault.server.rules_in_words import WORDS, in_words
from vault.v1.common_pb2 import CallContext, Form

PROTOS = Path(__file__).parent.parent.parent / "proto" / "vault" / "v1"


def test_every_pattern_of_the_contract_has_its_words() -> None:
    found = {pattern for file in PROTOS.glob("*.proto") for pattern in re.findall(r'pattern(?: =|:) "([^"]+)"', file.read_text())}
    assert found == set(WORDS)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("purpose", "Pay out", "lower-case letters"),
        ("ground", "Contract", "or empty"),
        ("reference", "Li Na, 4711", "without spaces"),
        ("recipient", "the bank", "without spaces"),
    ],
)
def test_a_context_that_breaks_one_is_told_what_is_allowed(name: str, text: str, words: str) -> None:
    (violation,) = protovalidate.collect_violations(_context(**{name: text}))
    said = in_words(violation)
    assert words in said
    assert text not in said
    assert "^" not in said


def test_other_rules_keep_the_contract_s_own_words() -> None:
    (uuid,) = protovalidate.collect_violations(_context(request_id="x"))
    assert in_words(uuid) == "must be a valid UUID"
    (partial,) = protovalidate.collect_violations(Form(kind="FORM_KIND_PARTIAL"))
    assert in_words(partial) == "partial_name is required with PARTIAL and forbidden otherwise"


def _context(**fields: str) -> CallContext:
    return CallContext(**({"purpose": "support", "request_id": "0b5c8c1e-5b1c-4b0e-8a5e-0c7d1f0b6a11"} | fields))
