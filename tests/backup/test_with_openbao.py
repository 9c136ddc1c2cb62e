"""The same with keys that a real OpenBao holds, by the identity of a server node alone."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from deploy.local_stack.openbao import OpenBaoServer
from tests.backup.places import Site, erase, head, integrate, reconcile
from tests.use_cases.inside import inside
from tests.use_cases.requests import reveal

from vault.server.backends import key_administrator


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBaoServer]:
    """An OpenBao of this module's own."""
    with OpenBaoServer(tmp_path_factory.mktemp("openbao") / "server") as server:
        yield server


@pytest.fixture
def keyed_site(bao: OpenBaoServer, tmp_path: Path, new_postgres_url: Callable[[], str]) -> Site:
    """A vault whose keys OpenBao holds."""

    def login(role: str) -> str:
        files = bao.credentials(role)
        return f'{{method = "approle", role_id_file = "{files.role_id_file}", secret_id_file = "{files.secret_id_file}"}}'

    kms = f'kind = "transit"\naddress = "{bao.address}"\nca_file = "{bao.ca_file}"\nauth = {login("app")}\n'
    kms += f"provisioner = {login('provisioner')}\nkey_worker = {login('key-worker')}\n"
    return Site(tmp_path, lambda _: f'url = "{new_postgres_url()}"', kms)


def test_the_erased_stay_erased_and_once_its_keys_are_destroyed_the_backup_is_refused(keyed_site: Site) -> None:
    kept, erased, *_ = keyed_site.store()
    keyed_site.grow()
    backup, before = keyed_site.back_up(), head(keyed_site.old)
    erase(keyed_site.old, erased)
    keyed_site.store()
    keyed_site.grow()
    vault = keyed_site.restored(backup)
    with inside(vault) as opened:
        assert opened.refused(reveal(kept)) == "RESTORED_NOT_RECONCILED"
    done = reconcile(vault)
    assert done.code == 0, done.err
    with inside(vault) as opened:
        assert opened.ask(reveal(kept)).results[0].value.text
        assert opened.refused(reveal(erased)) == "TOKEN_NOT_FOUND"
        integrate(opened.node)
    assert head(vault).origin == f"{before.origin}/r1"
    with inside(keyed_site.old) as opened:
        assert opened.refused(reveal(kept)) == "LOG_BEHIND_ANCHOR"
    with closing(key_administrator(vault.config)) as administrator:
        administrator.rotate(vault.tenants["globex"].uid, 1)
        administrator.destroy_before(vault.tenants["globex"].uid, 2)
    refused = keyed_site.restore(backup, keyed_site.empty("later"))
    assert refused.code == 1
    assert "the backup is older than the horizon" in refused.err
    assert "[INTEGRITY]" in refused.err
