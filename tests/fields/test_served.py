"""Over gRPC, as backends call it: and no file of server or database holds what was encrypted."""

import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import sqlalchemy as sa
from deploy.local_stack.postgres import PostgresServer
from google.protobuf.message import Message
from tests.fields.requests import decrypt, encrypt, reencrypt
from tests.harness import Caller, NewVault, Server, Vault, make_vault
from tests.server.canaries import SUBJECT, VALUES, traces
from tests.server.refusal import refusal_of, refused

from vault.v1 import field_service_pb2 as v1

BOUND = b"canary of a row and a column"


@pytest.fixture(scope="module")
def cluster() -> Iterator[PostgresServer]:
    """A PostgreSQL of this module's own, in whose files nothing else stands."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, new_vault: NewVault, tmp_path: Path) -> tuple[Vault, set[Path]]:
    """A vault, and the folders where it leaves something."""
    if request.param == "sqlite":
        return new_vault("sqlite", tmp_path), {tmp_path}
    url = request.getfixturevalue("cluster").create_database("vault")
    return make_vault(tmp_path, database=f'url = "{url}"'), {tmp_path, Path(str(sa.make_url(url).query["host"]))}


def use(caller: Caller) -> list[bytes]:
    """Encrypt, decrypt and re-encrypt every canary, with success and without; the ciphertexts."""
    items = [(SUBJECT, data_class, content) for data_class, content in VALUES.items()]
    ciphertexts = [result.ciphertext for result in caller.call(encrypt(*items, associated_data=BOUND)).results]
    results = caller.call(decrypt(*ciphertexts, associated_data=BOUND)).results
    assert [result.value.text or result.value.data for result in results] == list(VALUES.values())
    assert not any(result.changed for result in caller.call(reencrypt(*ciphertexts, associated_data=BOUND)).results)
    for request in (decrypt(*ciphertexts), decrypt(ciphertexts[0][:-1]), encrypt((SUBJECT, "email", VALUES["phone"]))):
        refused(lambda request=request: caller.call(request))
    refused(lambda: caller.raw("Encrypt", b"\xff" + SUBJECT.encode(), service="FieldService"))
    return ciphertexts


def test_no_value_subject_id_or_associated_data_is_in_any_file(place: tuple[Vault, set[Path]]) -> None:
    vault, folders = place
    began = time.time()
    with Server(vault) as server:
        ciphertexts = use(server.caller("all"))
        server.kill()  # so that write-ahead logs stay as they are
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.stat().st_mtime > began - 1]
    needles = (SUBJECT, *VALUES.values(), BOUND, *(ciphertext[-40:] for ciphertext in ciphertexts))
    assert "server.log" in {path.name for path in files}
    assert {path: found for path in files if (found := traces(path.read_bytes(), *needles))} == {}


@pytest.fixture(scope="module")
def caller(new_vault: NewVault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """Somebody who may do everything, at a server."""
    with Server(new_vault("sqlite", tmp_path_factory.mktemp("vault"))) as server:
        yield server.caller("all")


@pytest.mark.parametrize("method", ["Encrypt", "Decrypt", "Reencrypt"])
def test_a_request_with_one_bit_changed_is_answered_or_refused_and_never_an_error_nobody_foresaw(
    caller: Caller, method: str
) -> None:
    item = (SUBJECT, "email", VALUES["email"])
    ciphertext = caller.call(encrypt(item)).results[0].ciphertext
    request: Message = {"Encrypt": encrypt(item), "Decrypt": decrypt(ciphertext), "Reencrypt": reencrypt(ciphertext)}[method]
    raw, reasons = request.SerializeToString(), set()
    for bit in range(0, len(raw) * 8, 41):
        damaged = bytearray(raw)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            caller.raw(method, bytes(damaged), service="FieldService")
        except grpc.RpcError as error:
            reasons.add(refusal_of(error).reason)
    assert {"INTERNAL", ""} & reasons == set()
    assert reasons & {"MALFORMED_REQUEST", "CIPHERTEXT_REFUSED"}


def test_an_empty_request_and_bytes_that_are_none_are_refused(caller: Caller) -> None:
    assert refused(lambda: caller.call(v1.DecryptRequest())).reason == "INVALID_FIELD"
    assert refused(lambda: caller.raw("Decrypt", b"\xff", service="FieldService")).reason == "MALFORMED_REQUEST"
