"""The client's copy of the contract says what the server's says, and lives beside it whatever either says."""

import importlib
import subprocess
import sys

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

from pdvault_client import (
    Atomicity,
    Bucket,
    Change,
    Decision,
    Dimension,
    FormKind,
    KeyState,
    Provenance,
    TokenKind,
    Use,
    Validation,
    _contract,
)
from vault.v1 import audit_pb2, audit_service_pb2, common_pb2, field_service_pb2, vault_service_pb2

SERVER, CLIENT = "vault.v1.vault_service_pb2", "pdvault_client._contract"
VAULT_SERVICE = "vault/v1/vault_service.proto"


@pytest.fixture
def newer() -> descriptor_pb2.FileDescriptorSet:
    """The contract of a client that is one field ahead of the server in this process."""
    data = (_contract.resources.files("pdvault_client") / "_v1" / "contract.binpb").read_bytes()
    files = descriptor_pb2.FileDescriptorSet.FromString(data)
    service = next(file for file in files.file if file.name == VAULT_SERVICE)
    request = next(message for message in service.message_type if message.name == "TokenizeRequest")
    request.field.add(name="priority", number=99, type="TYPE_UINT32", label="LABEL_OPTIONAL")
    return files


def test_a_newer_contract_lives_beside_the_server_stubs(newer):
    method = _contract.Contract(newer.SerializeToString()).method(_contract.VAULT, "Tokenize")
    encoded = method.encode({"context": {"purpose": "payout"}, "priority": 7})
    assert vault_service_pb2.TokenizeRequest.FromString(encoded).context.purpose == "payout"
    assert "priority" not in vault_service_pb2.TokenizeRequest.DESCRIPTOR.fields_by_name


def test_the_default_pool_would_refuse_a_newer_contract(newer):
    service = next(file for file in newer.file if file.name == VAULT_SERVICE)
    with pytest.raises(TypeError, match="duplicate"):
        descriptor_pool.Default().AddSerializedFile(service.SerializeToString())


def run(code: str) -> None:
    """Run it in a fresh process that imports from where this one does."""
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


@pytest.mark.parametrize("names", [f"{SERVER}, {CLIENT}", f"{CLIENT}, {SERVER}"])
def test_both_import_in_either_order_in_a_fresh_process(names):
    run(f"import {names}; pdvault_client._contract.load().method(pdvault_client._contract.VAULT, 'Tokenize')")


def test_importing_the_client_adds_nothing_to_the_default_pool():
    run(
        "import pdvault_client._contract; pdvault_client._contract.load().method(pdvault_client._contract.VAULT, 'Tokenize')\n"
        "from google.protobuf import descriptor_pool\n"
        "try: descriptor_pool.Default().FindFileByName('vault/v1/common.proto')\n"
        "except KeyError: raise SystemExit(0)\n"
        "raise SystemExit('the contract is in the default pool')"
    )


def test_the_committed_contract_has_the_servers_methods_and_fields():
    contract = _contract.load()
    for module, service in (
        (vault_service_pb2, "VaultService"),
        (audit_service_pb2, "AuditService"),
        (field_service_pb2, "FieldService"),
    ):
        for method in module.DESCRIPTOR.services_by_name[service].methods:
            assert contract.method(f"vault.v1.{service}", method.name).path == f"/vault.v1.{service}/{method.name}"
    for module in (vault_service_pb2, audit_service_pb2, audit_pb2, field_service_pb2):
        for name, message in module.DESCRIPTOR.message_types_by_name.items():
            ours = contract.message(f"vault.v1.{name}").DESCRIPTOR
            assert [(f.name, f.number) for f in ours.fields] == [(f.name, f.number) for f in message.fields]


@pytest.mark.parametrize(
    ("ours", "name", "prefix", "unspecified"),
    [
        (Atomicity, "Atomicity", "ATOMICITY_", None),
        (FormKind, "FormKind", "FORM_KIND_", "UNKNOWN"),
        (Provenance, "Provenance", "PROVENANCE_", "UNKNOWN"),
        (TokenKind, "TokenKind", "TOKEN_KIND_", None),
        (Validation, "Validation", "VALIDATION_", None),
        (Decision, "Decision", "DECISION_", "UNKNOWN"),
        (Change, "Change", "CHANGE_", "NONE"),
        (Use, "Use", "USE_", "UNKNOWN"),
        (Bucket, "Bucket", "BUCKET_", None),
        (Dimension, "Dimension", "DIMENSION_", None),
        (KeyState, "KeyState", "KEY_STATE_", "UNKNOWN"),
    ],
)
def test_the_public_enums_have_the_contracts_names_and_numbers(ours, name, prefix, unspecified):
    expected = {key.removeprefix(prefix): number for key, number in _contract.load().enum(f"vault.v1.{name}").items()}
    zero = expected.pop("UNSPECIFIED")
    if unspecified:
        expected[unspecified] = zero
    assert {member.name: member.value for member in ours} == expected


def test_the_contracts_reasons_are_the_servers():
    assert _contract.load().enum("vault.v1.ErrorReason") == dict(common_pb2.ErrorReason.items())


def test_no_protobuf_type_is_public():
    package = importlib.import_module("pdvault_client")
    assert not [name for name in package.__all__ if "google" in getattr(package, name).__module__]
