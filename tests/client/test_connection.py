"""Only mutual TLS with a trusted server; what is wrong with files or certificates is said in words that help."""

import socket
import warnings
from concurrent import futures

import grpc
import pytest

import pdvault_client
from pdvault_client import RetryPolicy, UnavailableError, VaultClient
from vault.v1 import vault_service_pb2

ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def unavailable(connect):
    """Connect and fail: the message."""

    def fail(**overrides) -> str:
        with pytest.raises(UnavailableError) as caught:
            connect(retry=ONCE, **overrides).list_data_classes()
        assert caught.value.reason == ""
        return caught.value.message

    return fail


def test_a_client_certificate_of_another_ca_is_explained(unavailable, scripted, stranger):
    message = unavailable(certificate_file=stranger.directory / "client.pem", key_file=stranger.directory / "client.key")
    assert "refused the client certificate" in message
    assert scripted.address in message
    assert scripted.received == []


def test_a_server_of_another_ca_is_not_trusted_and_explained(unavailable, scripted, stranger):
    assert "issued by a CA in ca_file" in unavailable(ca_file=stranger.directory / "ca.pem")
    assert scripted.received == []


def test_a_server_of_another_name_is_not_trusted_and_explained(unavailable, scripted):
    assert "among its alternative names" in unavailable(address=f"localhost:{scripted.port}")
    assert scripted.received == []


def test_no_server_is_explained(unavailable):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        assert "is the server running" in unavailable(address=f"127.0.0.1:{reserved.getsockname()[1]}")


def test_an_unknown_host_is_explained(unavailable):
    assert "is the server running" in unavailable(address="vault.invalid:8443")


def test_a_server_without_tls_is_explained(unavailable):
    server = grpc.server(futures.ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        assert "does not speak TLS" in unavailable(address=f"127.0.0.1:{port}")
    finally:
        server.stop(None)


@pytest.mark.parametrize("argument", ["ca_file", "certificate_file", "key_file"])
def test_a_missing_file_is_an_os_error(connect, tmp_path, argument):
    with pytest.raises(FileNotFoundError):
        connect(**{argument: tmp_path / "absent.pem"})


@pytest.mark.parametrize("argument", ["ca_file", "certificate_file", "key_file"])
def test_a_file_without_pem_is_named(connect, tmp_path, argument):
    path = tmp_path / "garbage.pem"
    path.write_text("no PEM")
    with pytest.raises(ValueError, match=r"garbage\.pem"):
        connect(**{argument: path})


def test_a_key_of_another_certificate_is_refused(connect, stranger):
    with pytest.raises(ValueError, match="belong together"):
        connect(key_file=stranger.directory / "client.key")


def test_an_encrypted_key_is_refused_without_asking_for_its_password(connect, authority):
    with pytest.raises(ValueError, match="must not be encrypted"):
        connect(key_file=authority.directory / "encrypted.key")


def test_a_key_that_everybody_can_read_is_warned_about(connect, authority, tmp_path):
    path = tmp_path / "open.key"
    path.write_bytes((authority.directory / "client.key").read_bytes())
    path.chmod(0o644)
    with pytest.warns(UserWarning, match="chmod 600") as caught:
        connect(key_file=path)
    assert caught[0].filename == connect.__code__.co_filename


def test_a_key_that_only_its_owner_and_group_can_read_is_not_warned_about(connect, authority, tmp_path):
    path = tmp_path / "closed.key"
    path.write_bytes((authority.directory / "client.key").read_bytes())
    path.chmod(0o640)
    with warnings.catch_warnings(action="error"):
        connect(key_file=path)


@pytest.fixture
def environment(monkeypatch, authority, scripted):
    """The four variables."""
    files = authority.directory
    values = {
        "PDVAULT_ADDRESS": scripted.address,
        "PDVAULT_CACERT": files / "ca.pem",
        "PDVAULT_CERT": files / "client.pem",
        "PDVAULT_KEY": files / "client.key",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))
    return monkeypatch


def test_the_environment_configures_a_client(environment, scripted):
    scripted.script("ListDataClasses", vault_service_pb2.ListDataClassesResponse(edition="2026-01"))
    with VaultClient.from_environment(purpose="payout", timeout_s=5) as client:
        assert client.list_data_classes().edition == "2026-01"
    assert scripted.received[0].remaining_s < 6


def test_missing_variables_are_all_named(environment):
    environment.delenv("PDVAULT_CERT")
    environment.setenv("PDVAULT_KEY", "")
    with pytest.raises(ValueError, match=r"variables PDVAULT_CERT, PDVAULT_KEY$"):
        VaultClient.from_environment()


def test_a_closed_client_makes_no_calls(connect, scripted):
    with connect() as client:
        pass
    with pytest.raises(ValueError, match="closed"):
        client.list_data_classes()
    assert scripted.received == []


def test_everything_public_is_there_and_documented():
    assert all(getattr(pdvault_client, name).__doc__ for name in pdvault_client.__all__)
