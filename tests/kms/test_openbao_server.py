"""The throw-away OpenBao is a real one: private files, TLS, sealed after a restart, and its data stays."""

import stat

import hvac
import pytest
import requests
from deploy.local_stack.openbao import OpenBaoError, OpenBaoServer
from deploy.local_stack.openbao_setup import ROLES


def test_its_files_are_private(bao):
    files = [bao.credentials(role).role_id_file for role in ROLES] + [bao.credentials(role).secret_id_file for role in ROLES]
    for file in [*files, bao.audit_log, bao.ca_file.parent / "server.key", bao.ca_file.parents[1] / "init.json"]:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700, file.parent.name


def test_it_stays_at_its_address_with_its_data_after_a_restart(bao):
    address = bao.address
    bao.admin().secrets.transit.create_key("remembered")
    bao.stop()
    with pytest.raises(requests.ConnectionError):
        bao.admin().sys.read_health_status()
    bao.start()
    assert bao.address == address
    assert bao.admin().secrets.transit.read_key("remembered")["data"]["name"] == "remembered"


def test_it_starts_once(bao):
    with pytest.raises(OpenBaoError, match="running already"):
        bao.start()


def test_it_is_not_trusted_without_its_own_authority(bao):
    with pytest.raises(requests.exceptions.SSLError):
        hvac.Client(bao.address, token="").sys.read_health_status()


def test_a_server_that_cannot_start_shows_its_log(tmp_path):
    server = OpenBaoServer(tmp_path / "broken")
    server._configure()
    server._configuration.write_text('storage "nothing" {}')
    with pytest.raises(OpenBaoError, match="storage type nothing"), server:
        pass
