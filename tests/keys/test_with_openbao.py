"""Keys that a real OpenBao holds: their status by a server node's own identity, and their end by two and the key worker's."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from deploy.local_stack.openbao import OpenBaoServer
from tests.harness import make_vault
from tests.keys.requests import approve, destroy, seal, status, unsealed
from tests.rotation.works import Stored, attested, rotate, worker
from tests.use_cases.inside import Inside, inside

from vault.keys.status import tell
from vault.store.key_usage import usage
from vault.v1 import key_service_pb2 as v1


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[Inside]:
    """A vault whose keys OpenBao holds."""
    with OpenBaoServer(tmp_path / "server") as bao:

        def login(role: str) -> str:
            files = bao.credentials(role)
            return f'{{method = "approle", role_id_file = "{files.role_id_file}", secret_id_file = "{files.secret_id_file}"}}'

        kms = f'kind = "transit"\naddress = "{bao.address}"\nca_file = "{bao.ca_file}"\nauth = {login("app")}\n'
        kms += f"provisioner = {login('provisioner')}\nkey_worker = {login('key-worker')}\n"
        (tmp_path / "vault").mkdir()
        with inside(make_vault(tmp_path / "vault", kms=kms)) as opened:
            yield opened


def _status(inside: Inside) -> v1.StatusResponse:
    response, uid = inside.ask(status(), "security"), inside.tenant().uid
    tell(response, usage(inside.engine, uid, 5.0), inside.node.key_manager.kek(uid))
    return response


def test_versions_are_told_as_the_kms_has_them_and_end_by_two(keyed: Inside) -> None:
    stored = Stored(keyed, people=1)
    (only,) = _status(keyed).kek_versions
    assert (only.version, only.destroyable) == (1, False)
    assert only.create_time.seconds > 0
    keyed.ask(seal(), "security")
    assert _status(keyed).tenant_state == "SEALED"
    unsealed(keyed)
    rotate(keyed)
    newest, oldest = _status(keyed).kek_versions
    assert (newest.version, newest.destroyable, oldest.version, oldest.destroyable) == (2, False, 1, True)
    asked = keyed.ask(destroy(2), "security").approval
    keyed.ask(approve(asked.approval_uid), "security-2")
    operation = keyed.ask(destroy(2, asked.approval_uid), "security").operation
    with worker(keyed) as working:
        working.look()
    assert list(attested(keyed, operation.name).destroyed_kek_versions) == [1]
    assert [version.version for version in _status(keyed).kek_versions] == [2]
    keyed.node.keys.clear()
    stored.check()
