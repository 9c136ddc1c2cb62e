"""docs/formats.md, the vectors and the script that made them say the same."""

import json
import re
import runpy

import pytest

BLOCK = re.compile(r"^```vector (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def sections(vectors):
    return json.loads((vectors / "crypto.json").read_text("utf-8"))


@pytest.fixture
def blocks(vectors):
    """The document's examples: id → field → value, without remarks and spaces."""
    document = (vectors.parents[1] / "docs" / "formats.md").read_text("utf-8")
    return {name: parse_block(body) for name, body in BLOCK.findall(document)}


def parse_block(body):
    fields = {}
    for line in body.splitlines():
        content = line.split(";")[0]
        if "=" in content:
            name, content = (part.strip() for part in content.split("=", 1))
            fields[name] = ""
        fields[name] += content.replace(" ", "")
    return fields


def plain(value):
    """A vector's field as the document writes it."""
    return str(next(iter(value.values())) if isinstance(value, dict) else value)


def test_every_example_of_the_document_is_a_vector(blocks, sections):
    by_id = {case["id"]: case for name, cases in sections.items() if name != "_about" for case in cases if "id" in case}
    wrong = []
    for name, fields in blocks.items():
        vector = by_id[name] | by_id[name].get("arguments", {}) if name.startswith("binding") else by_id[name]
        wrong += [(name, field) for field, value in fields.items() if plain(vector[field]) != value]
    assert wrong == []
    assert sum(len(fields) for fields in blocks.values()) >= 25


def test_the_document_works_through_every_kind_of_vector(blocks, sections):
    kinds = {name for name, cases in sections.items() if name != "_about" and "id" in cases[0]}
    shown = {name for name in kinds for case in sections[name] if case["id"] in blocks}
    assert shown == kinds
    assert len(kinds) == 10


def test_the_script_makes_the_vectors_that_are_here(vectors, sections):
    script = runpy.run_path(str(vectors / "make_crypto.py"))
    assert script["build"]() == sections


def test_the_script_uses_no_code_of_the_vault(vectors):
    imports = re.findall(r"^\s*(?:from|import) (\w+)", (vectors / "make_crypto.py").read_text("utf-8"), re.MULTILINE)
    assert sorted(imports) == ["base64", "cryptography", "hashlib", "hmac", "json", "pathlib", "typing"]
