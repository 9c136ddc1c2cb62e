"""The same with keys that a real OpenBao holds, by the identity of a server node alone."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from deploy.local_stack.openbao import OpenBaoServer
from tests.erasure.test_erase import stored, uid_of
from tests.erasure.working import Working, erase, statement_of, working
from tests.harness import make_vault
from tests.use_cases.requests import new_subject, reveal

from vault.store import tables as t


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBaoServer]:
    """An OpenBao of this module's own."""
    with OpenBaoServer(tmp_path_factory.mktemp("openbao") / "server") as server:
        yield server


@pytest.fixture
def keyed(bao: OpenBaoServer, tmp_path: Path) -> Iterator[Working]:
    """A vault at work whose keys OpenBao holds."""

    def login(role: str) -> str:
        files = bao.credentials(role)
        return f'{{method = "approle", role_id_file = "{files.role_id_file}", secret_id_file = "{files.secret_id_file}"}}'

    kms = f'kind = "transit"\naddress = "{bao.address}"\nca_file = "{bao.ca_file}"\nauth = {login("app")}\n'
    with working(make_vault(tmp_path, kms=kms + f"provisioner = {login('provisioner')}\n")) as made:
        yield made


def test_the_kms_remembers_what_was_destroyed_and_the_receipt_says_that_it_can_prove_it(keyed: Working) -> None:
    subject_id = new_subject()
    uid = uid_of(keyed, stored(keyed, subject_id)[0])
    keys = [row.key_id.hex() for row in keyed.inside.rows(t.subject_key, subject_uid=uid)]
    said = statement_of(keyed.erase(subject_id))
    assert (said.horizon_provable, said.kek_imported) == (True, False)
    noted = json.loads(keyed.node.key_manager.destroyed(said.tenant_uid)[said.erasure_uid])
    assert noted == {"time_us": said.request_time.ToMicroseconds(), "subject_uid": uid.hex(), "key_ids": keys}
    assert keyed.verify(said.erasure_uid).anchored


def test_while_it_is_sealed_an_erasure_begins_and_waits(keyed: Working, bao: OpenBaoServer) -> None:
    subject_id = new_subject()
    tokens = stored(keyed, subject_id)
    uid, request = uid_of(keyed, tokens[0]), erase(subject_id)
    bao.seal()
    try:
        assert keyed.refused(request).reason_name in ("KMS_SEALED", "KMS_UNAVAILABLE")
        assert keyed.refused(reveal(tokens[0]), "all").reason_name == "SUBJECT_RESTRICTED"
        keyed.resume()
        assert keyed.left(uid)["subject_key"] == 1
    finally:
        bao.unseal()
    receipt = keyed.ask(request).receipt
    assert keyed.left(uid) == {}
    assert keyed.verify(statement_of(receipt).erasure_uid).anchored
