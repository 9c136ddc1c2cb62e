"""What the endpoint does with malformed, greedy, slow and silent clients, and with certificates that change."""

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from http.client import HTTPException
from urllib.request import urlopen

import pytest
from cryptography import x509
from tests.harness import NewVault, Server, Vault, add_tenant, context
from tests.log_http.checker import Reader
from tests.log_http.site import Site, site
from tests.log_http.test_files import BAD

from vault.access.issuing import create_ca, issue_server
from vault.errors import VaultError
from vault.server.log_http.bounds import MAX_OF_TENANT, MAX_REQUESTS, Slots
from vault.v1 import vault_service_pb2

Until = Callable[[Callable[[], object]], None]
BOUNDS = """
from vault.server import serve
from vault.server.log_http import serving
serve.REFRESH_S = serving.REFRESH_S = 0.2
serving.MAX_CONNECTIONS = 20
"""
HASTY = """
import socket
from vault import http_bounds
from vault.server.log_http import bounds
http_bounds.LIMITS["keepalive_timeout"] = 1.0
http_bounds.SENDING_S = 0.5
http_bounds.MIN_BYTES_PER_S = 1 << 30
bounds.MAX_UNSENT = 4096
class Short(bounds._Connection):
    def connection_made(self, transport):
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
bounds._Connection = Short
"""
"""Has little patience, for tests in which nobody is to be answered: on a busy machine an honest client may need longer. Answers
are short of room soon; the system alone would take megabytes of them for a reader who takes none."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, new_vault: NewVault, until: Until) -> Iterator[Site]:
    vault = new_vault("postgres", tmp_path_factory.mktemp("bounds"))
    with site(vault, "public = true", BOUNDS) as served:
        stranger = served.reader(None)
        until(lambda: served.published_size(reader=stranger) >= 2)
        yield served


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory, new_vault: NewVault) -> Iterator[Site]:
    with site(new_vault("postgres", tmp_path_factory.mktemp("hasty")), "public = true", HASTY) as served:
        yield served


@pytest.fixture
def stranger(found: Site) -> Iterator[Reader]:
    reader = found.reader(None)
    yield reader
    reader.close()


def raw(found: Site, receive_buffer: int = 0) -> ssl.SSLSocket:
    """A connection without an HTTP library."""
    host, _, port = found.address.rpartition(":")
    tls = ssl.create_default_context(cadata=found.vault.server_ca.certificate_pem.decode())
    connection = socket.socket()
    connection.settimeout(60)
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.connect((host, int(port)))
    return tls.wrap_socket(connection, server_hostname=host)


def everything(connection: ssl.SSLSocket) -> bytes:
    """All that comes until the server hangs up."""
    received = b""
    while True:
        try:
            data = connection.recv(65536)
        except (ssl.SSLEOFError, ConnectionResetError):
            return received
        if not data:
            return received
        received += data


def metric(found: Site, name: str, **labels: str) -> float:
    """A metric's sum over all samples with these labels."""
    with urlopen(f"http://{found.server.metrics_address()}/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + "{") and all(w in line for w in wanted))


def lines_logged(found: Site, level: str) -> list[dict[str, str]]:
    lines = [json.loads(line) for line in found.server.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["level"] == level]


# Requests.


URLS = [path for path in BAD if path.startswith("/") and path.isascii() and path.isprintable() and len(path) < 1000]


@pytest.mark.parametrize("path", URLS)
def test_what_is_no_path_of_a_log_is_not_found(path: str, found: Site) -> None:
    answer = found.principal().ask(path)
    assert (answer.status, answer.body) == (404, b"MALFORMED_REQUEST\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_nothing_but_get_and_head_is_answered(method: str, found: Site, stranger: Reader) -> None:
    answer = stranger.ask(f"/{found.uid().hex()}/checkpoint", method, b"x" * 100_000 if method in ("POST", "PUT") else None)
    assert (answer.status, answer.body, answer.headers["allow"]) == (405, b"MALFORMED_REQUEST\n", "GET, HEAD")


@pytest.mark.parametrize("file", ["checkpoint", "tile/0/000.p/1"])
def test_head_says_what_get_would_without_a_body(file: str, found: Site, stranger: Reader) -> None:
    path = f"/{found.uid().hex()}/{file}"
    get, head = stranger.ask(path), stranger.ask(path, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert {**head.headers, "date": ""} == {**get.headers, "date": ""}


def test_the_body_of_a_request_is_ignored(found: Site, stranger: Reader) -> None:
    assert stranger.ask(f"/{found.uid().hex()}/checkpoint", "GET", b"what is this").status == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"x" * 3000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 9000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(100)) + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["garbage", "no path", "no version", "long line", "long header", "many headers", "two lengths", "HTTP/2"],
)
def test_what_is_no_http_is_told_so_and_nothing_of_it_comes_back(request_bytes: bytes, found: Site) -> None:
    with raw(found) as connection:
        connection.sendall(request_bytes)
        answer = everything(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 "))
    assert body == b"MALFORMED_REQUEST\n"
    assert b"Python" not in head
    assert b"aiohttp" not in head


def test_plain_http_gets_no_answer(found: Site) -> None:
    host, _, port = found.address.rpartition(":")
    with socket.create_connection((host, int(port)), 30) as connection:
        connection.sendall(f"GET /{found.uid().hex()}/checkpoint HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        assert b"HTTP" not in connection.recv(1000)


def test_tls_before_1_3_is_refused(found: Site) -> None:
    host, _, port = found.address.rpartition(":")
    tls = ssl.create_default_context(cadata=found.vault.server_ca.certificate_pem.decode())
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection((host, int(port)), 30) as connection, pytest.raises(ssl.SSLError):
        tls.wrap_socket(connection, server_hostname=host)


# Clients that take without giving.


def test_a_client_that_says_nothing_is_dropped(hasty: Site) -> None:
    with raw(hasty) as connection:
        assert everything(connection) == b""


def test_a_client_that_never_ends_its_head_is_dropped(hasty: Site) -> None:
    with raw(hasty) as connection:
        connection.sendall(f"GET /{hasty.uid().hex()}/checkpoint HTTP/1.1\r\nHost: h\r\n".encode())
        assert everything(connection) == b""


@pytest.mark.parametrize("file", ["tile/0/000", "no/path"])
def test_a_client_that_does_not_take_its_answers_is_dropped(file: str, hasty: Site, until: Until) -> None:
    caller = hasty.server.caller()
    for _ in range(256):
        caller.call(vault_service_pb2.ListDataClassesRequest(context=context()))
    until(lambda: published(hasty) >= 256)
    gone = metric(hasty, "vault_calls_total", reason="CALLER_GONE")
    request = f"GET /{hasty.uid().hex()}/{file} HTTP/1.1\r\nHost: h\r\n\r\n".encode()
    with raw(hasty, receive_buffer=4096) as connection, suppress(OSError):
        while True:
            connection.sendall(request)
    until(lambda: metric(hasty, "vault_calls_total", reason="CALLER_GONE") > gone)


def test_no_more_connections_are_taken_than_there_may_be(found: Site, until: Until, stranger: Reader) -> None:
    connections = [raw(found) for _ in range(25)]
    try:
        closed = [connection for connection in connections if is_closed(connection)]
        assert len(closed) >= 5
    finally:
        for connection in connections:
            connection.close()
    until(lambda: can_read(found))


def is_closed(connection: ssl.SSLSocket) -> bool:
    connection.settimeout(0.05)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def published(hasty: Site) -> int:
    """How many leaves are published; 0 if the answer took too long."""
    with suppress(OSError, HTTPException), closing(hasty.reader(None)) as reader:
        return hasty.published_size(reader=reader)
    return 0


def can_read(found: Site) -> bool:
    reader = found.reader(None)
    try:
        return reader.ask(f"/{found.uid().hex()}/checkpoint").status == 200
    except OSError:
        return False
    finally:
        reader.close()


def test_one_reader_takes_no_more_than_its_share(sqlite_vault: Vault) -> None:
    prelude = "from vault.server.log_http import bounds; bounds.MAX_OF_ONE = 0"
    with site(sqlite_vault, "public = true", prelude) as found:
        for reader, file in ((found.reader(None), "checkpoint"), (found.principal(), "tile/entries/000.p/1")):
            answer = reader.ask(f"/{found.uid().hex()}/{file}")
            assert (answer.status, answer.body) == (429, b"OVERLOADED\n")
            assert answer.headers["retry-after"] == "1"


def check_overloaded(work: Callable[[], object]) -> None:
    with pytest.raises(VaultError) as refused:
        work()
    assert refused.value.reason_name == "OVERLOADED"


def test_one_tenant_takes_no_more_than_its_share_however_many_certificates_it_has() -> None:
    slots, held = Slots(), ExitStack()
    greedy, other = b"g" * 16, b"o" * 16

    def take(reader: str, tenant_uid: bytes) -> None:
        held.enter_context(slots.taken_by(reader, tenant_uid))

    with held:
        for number in range(MAX_OF_TENANT):
            take(f"certificate {number}", greedy)
        check_overloaded(lambda: take("another certificate", greedy))
        for number in range(MAX_OF_TENANT):
            take(f"certificate {number} of another tenant", other)
    with held:
        for number in range(MAX_OF_TENANT):
            take(f"certificate {number}", greedy)


def test_strangers_share_no_tenants_share() -> None:
    with ExitStack() as held:
        slots = Slots()
        for number in range(MAX_REQUESTS):
            held.enter_context(slots.taken_by(f"192.0.2.{number}"))
        check_overloaded(lambda: held.enter_context(slots.taken_by("192.0.2.250")))


def test_auditors_of_one_tenant_share_its_slots(sqlite_vault: Vault) -> None:
    prelude = "from vault.server.log_http import bounds; bounds.MAX_OF_TENANT = 0"
    with site(sqlite_vault, "public = true", prelude) as found:
        answer = found.principal().ask(f"/{found.uid().hex()}/tile/entries/000.p/1")
        assert (answer.status, answer.body) == (429, b"OVERLOADED\n")
        assert found.reader(None).ask(f"/{found.uid().hex()}/checkpoint").status == 200


# What is gone.


def test_without_its_database_the_endpoint_says_so(sqlite_vault: Vault) -> None:
    prelude = """
import sqlalchemy as sa
from vault.server.log_http import files
class Gone:
    def __init__(self, engine, patience_s): pass
    def __enter__(self): raise sa.exc.OperationalError("secret statement", {}, Exception("secret"))
    def __exit__(self, *_): pass
files.reading = Gone
"""
    with site(sqlite_vault, "public = true", prelude) as found:
        answer = found.reader(None).ask(f"/{found.uid().hex()}/checkpoint")
        assert (answer.status, answer.body) == (503, b"DATABASE_UNAVAILABLE\n")
        assert answer.headers["retry-after"] == "1"


def test_a_server_that_ends_does_not_wait_for_readers_that_stay(sqlite_vault: Vault) -> None:
    with site(sqlite_vault) as found:
        assert found.principal().ask(f"/{found.uid().hex()}/checkpoint").status == 200
        with raw(found) as silent:
            assert found.server.stop() == 0
            assert everything(silent) == b""


def test_an_address_in_use_is_said_before_anything_is_served(sqlite_vault: Vault, found: Site) -> None:
    file = sqlite_vault.folder / "vault.toml"
    file.write_text(f'{file.read_text()}\n[log]\naddress = "{found.address}"\n')
    with pytest.raises(AssertionError, match=r"log\.address: can't listen"):
        Server(sqlite_vault)


# Certificates that change.


def served_certificate(found: Site, ca: bytes) -> bytes | None:
    host, _, port = found.address.rpartition(":")
    tls = ssl.create_default_context(cadata=ca.decode())
    try:
        with tls.wrap_socket(socket.create_connection((host, int(port)), 30), server_hostname=host) as connection:
            return connection.getpeercert(binary_form=True)
    except ssl.SSLError:
        return None


def test_certificates_and_tenants_that_come_later_are_taken_without_a_restart(changing: Vault, until: Until) -> None:
    with site(changing, prelude=BOUNDS) as found:
        with changing.node() as node:
            changing.tenants["initech"] = add_tenant(node, "initech")
        uid = found.uid("initech").hex()

        def lets_the_new_in() -> bool:
            reader = found.reader(changing.tenants["initech"].clients["auditor"])
            try:
                return reader.ask(f"/{uid}/checkpoint").status == 200
            except OSError:
                return False
            finally:
                reader.close()

        until(lets_the_new_in)

        ca = create_ca("the next server CA", 30)
        new = issue_server(ca, ["127.0.0.1"], 30)
        (changing.folder / "server.key").write_bytes(new.key_pem)  # for a moment the two do not fit
        until(lambda: any("can't be loaded anew" in line["event"] for line in lines_logged(found, "warning")))
        assert served_certificate(found, changing.server_ca.certificate_pem)
        (changing.folder / "server.pem").write_bytes(new.certificate_pem)
        until(lambda: served_certificate(found, ca.certificate_pem))
        der = served_certificate(found, ca.certificate_pem)
        assert der
        expected = x509.load_pem_x509_certificate(new.certificate_pem)
        assert x509.load_der_x509_certificate(der) == expected


@pytest.fixture
def changing(tmp_path_factory: pytest.TempPathFactory, new_vault: NewVault) -> Vault:
    return new_vault("postgres", tmp_path_factory.mktemp("changing"))
