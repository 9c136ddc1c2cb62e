"""docs/formats.md, tests/vectors/stored.json, the script that made it, and the vault say the same about what is stored."""

import base64
import json
import re
import runpy
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.audit.verifier import announcement as announced
from tests.audit.verifier import leaf_hash as hash_of
from tests.audit.verifier import verify_log

from vault.audit import chain as chains
from vault.audit.chain import Chain, announcement
from vault.audit.events import Caller, Draft
from vault.audit.merkle import leaf_hash
from vault.classes.taxonomy import BUILT_IN
from vault.crypto.fingerprint import request_digest
from vault.crypto.keys import Key
from vault.idempotency import FAILED, Done
from vault.kms.tenant_keys import Authority, TenantKeys
from vault.search import Search
from vault.store.request_results import RESULT
from vault.store.rows import RETENTION_US, TABLES
from vault.store.sealing import check, sealed
from vault.subjects.list_subjects import open_page_token, page_token
from vault.v1 import audit_pb2, common_pb2, vault_service_pb2

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```stored (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
AUTHORITY = Authority(1, {1: Key(bytes(range(0x60, 0x80)))})
NOT_COVERED = {"envelope": b"", "mac": b""}
PROGRESS = {
    "erasure": "request_id principal_uid opening",
    "operation": "live_kind state phase cursor done total update_us result holder until_us",
}
"""What is under no MAC: whoever rests on it looks at the tables, or it is taken away after a day and opens by itself."""


def covered(table: str, columns: Sequence[str]) -> list[str]:
    """Those of a table's columns that its MAC covers."""
    return [name for name in columns if name not in NOT_COVERED and name not in PROGRESS.get(table, "").split()]


@pytest.fixture
def sections() -> Any:
    return json.loads((ROOT / "tests" / "vectors" / "stored.json").read_text("utf-8"))


@pytest.fixture
def by_id(sections: Any) -> dict[str, Any]:
    return {case["id"]: case for name, cases in sections.items() if name != "_about" for case in cases}


def blocks() -> dict[str, dict[str, str]]:
    """The document's examples: id → field → value, without remarks and spaces."""
    found = {}
    for name, body in BLOCK.findall((ROOT / "docs" / "formats.md").read_text("utf-8")):
        fields: dict[str, str] = {}
        for line in body.splitlines():
            content = line.split(";")[0]
            if re.match(r"\w+ +=", content):
                key, content = (part.strip() for part in content.split("=", 1))
                fields[key] = ""
            fields[key] += content.replace(" ", "")
        found[name] = fields
    return found


def test_every_example_of_the_document_is_a_vector(by_id: dict[str, Any]) -> None:
    shown = blocks()
    assert {name: {field: by_id[name][field] for field in fields} for name, fields in shown.items()} == shown
    assert set(shown) == {
        "boot-announcement",
        "leaf-tokenize",
        "row-token",
        "idempotency-delete",
        "page-token",
        "subject-page",
        "erasure-statement",
    }


def test_the_script_makes_the_vectors_that_are_here_without_any_code_of_the_vault(sections: Any) -> None:
    script = ROOT / "tests" / "vectors" / "make_stored.py"
    assert runpy.run_path(str(script))["build"]() == sections
    imports = re.findall(r"^\s*(?:from|import) (\w+)", script.read_text("utf-8"), re.MULTILINE)
    assert set(imports) == {"base64", "cryptography", "hashlib", "hmac", "json", "pathlib"}


def test_the_vault_writes_the_leaves_of_the_vectors(sections: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "token_bytes", lambda size: b"\x99" * size)
    boot = sections["boot"][0]
    chain = Chain("node-1")
    chain.boot_id = bytes.fromhex(boot["boot_id"])
    chain._key = Ed25519PrivateKey.from_private_bytes(bytes(range(0x80, 0xA0)))
    chain.public_key = chain._key.public_key().public_bytes_raw()
    tenant_uid, endorsement = bytes.fromhex(boot["tenant_uid"]), bytes.fromhex(boot["endorsement"])
    draft = tokenize_draft(sections["leaf"][2]["leaf"], tenant_uid)
    opening = chain.extend([draft], {tenant_uid: endorsement}, 1_700_000_000_000_000)
    assert opening.leaves[0].leaf.hex() == sections["leaf"][0]["leaf"]
    assert len(opening.leaves) == 3
    chain._ends[tenant_uid] = chains._End(2, bytes.fromhex(sections["leaf"][1]["hash"]), endorsed=True)
    (leaf,) = chain.extend([draft], {tenant_uid: endorsement}, 1_700_000_000_000_001).leaves
    assert leaf.leaf.hex() == sections["leaf"][2]["leaf"]
    assert leaf_hash(leaf.leaf).hex() == sections["leaf"][2]["hash"]


def tokenize_draft(leaf: str, tenant_uid: bytes) -> Draft:
    """The draft of the vectors' Tokenize event."""
    event = audit_pb2.AuditEvent.FromString(bytes.fromhex(leaf))
    context = common_pb2.CallContext(
        purpose=event.purpose, reference=event.reference, request_id="88888888-8888-8888-8888-888888888888"
    )
    caller = Caller(tenant_uid, event.principal, b"", event.certificate_sha256)
    draft = Draft(caller, "Tokenize", context, principal_uid=event.principal_uid, policy_ids=set(event.policy_ids))
    (touched,) = event.touched
    draft.touch("email", touched.subject_uids, touched.token_uids, change=touched.change, envelope=b"an envelope")
    return draft


def test_the_leaves_of_the_vectors_are_a_whole_chain(sections: Any) -> None:
    boot = sections["boot"][0]
    leaves = [bytes.fromhex(case["leaf"]) for case in sections["leaf"]]
    tenant_uid, log_key = bytes.fromhex(boot["tenant_uid"]), bytes.fromhex(boot["log_public_key"])
    assert verify_log(leaves, tenant_uid, log_key) == []
    assert [hash_of(leaf).hex() for leaf in leaves] == [case["hash"] for case in sections["leaf"]]
    arguments = (tenant_uid, bytes.fromhex(boot["boot_id"]), bytes.fromhex(boot["boot_public_key"]))
    assert announcement(*arguments) == announced(*arguments) == bytes.fromhex(boot["announcement"])
    assert [audit_pb2.AuditEvent.FromString(leaf).SerializeToString(deterministic=True) for leaf in leaves] == leaves


def unspell(column: Any) -> Any:
    """A column that the vectors wrote with its type."""
    if column is None:
        return None
    return bytes.fromhex(column["bytes"]) if "bytes" in column else column["value"]


def test_the_vault_seals_the_rows_of_the_vectors(sections: Any) -> None:
    kinds = {table.name: kind for kind, table in TABLES.items()}
    for case in sections["row"]:
        kind: Any = kinds[case["table"]]
        names = covered(case["table"], kind._fields)
        columns: dict[str, Any] = (
            dict.fromkeys(kind._fields) | NOT_COVERED | dict(zip(names, map(unspell, case["columns"]), strict=True))
        )
        row = kind(**{name: columns[name] for name in kind._fields})
        assert sealed(AUTHORITY, row).mac.hex() == case["mac"], case["id"]
        check(AUTHORITY, sealed(AUTHORITY, row))
    assert {case["table"] for case in sections["row"]} == {name for name, kind in kinds.items() if "mac" in kind._fields}


def test_the_document_names_every_column_of_every_row_in_its_order() -> None:
    document = (ROOT / "docs" / "formats.md").read_text("utf-8").partition("### Which rows and which fields")[2]
    document = document.partition("\n## ")[0]
    for kind, table in TABLES.items():
        if "mac" in kind._fields:
            (line,) = re.findall(rf"^\| `{table.name}` \| (.*) \|$", document, re.MULTILINE)
            named = [re.match(r"\w+", part.strip())[0] for part in line.split("·")]  # type: ignore[index]
            assert named == covered(table.name, table.columns.keys())
            nullable = [name for name, part in zip(named, line.split("·"), strict=True) if part.strip().endswith("?")]
            assert nullable == [name for name in named if table.columns[name].nullable]


def test_the_vault_remembers_requests_as_in_the_vectors(sections: Any) -> None:
    (case,) = sections["idempotency"]
    request = vault_service_pb2.DeleteRequest.FromString(bytes.fromhex(case["request"]))
    raw = request.SerializeToString(deterministic=True)
    key = Key(bytes.fromhex(case["digest_key"]))
    assert request_digest(key, request.DESCRIPTOR.full_name, raw).hex() == case["digest"]
    done = [Done(b"\x22" * 16, b"\x55" * 16, 1, 0), Done(*FAILED, common_pb2.ERROR_REASON_TOKEN_NOT_FOUND)]
    assert b"".join(RESULT.pack(*one) for one in done).hex() == case["results"]
    assert RETENTION_US == 24 * 3600 * 1_000_000


def test_the_vault_takes_the_page_token_of_the_vectors(sections: Any) -> None:
    (case,) = sections["page_token"]
    request = vault_service_pb2.SearchRequest(page_token=case["text"])
    request.queries.append(vault_service_pb2.SearchQuery.FromString(bytes.fromhex(case["query"])))
    assert case["text"] == base64.urlsafe_b64encode(bytes.fromhex(case["envelope"])).decode()
    keys = TenantKeys(b"\x11" * 16, 1, {}, {}, AUTHORITY, b"", b"", 1)
    assert Search(request, BUILT_IN)._open_page_token(keys) == (b"\x33" * 16, b"\x55" * 16)


def test_the_vault_writes_and_takes_the_page_token_of_all_subjects_of_the_vectors(sections: Any) -> None:
    (case,) = sections["subject_page"]
    tenant_uid, subject_uid = bytes.fromhex(case["tenant_uid"]), bytes.fromhex(case["subject_uid"])
    assert page_token(tenant_uid, subject_uid) == case["text"]
    assert open_page_token(tenant_uid, case["text"]) == subject_uid
