"""What gRPC hands over about a client leads to the right tenant."""

import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import grpc
import pytest

from vault.access import issuing
from vault.access.identity import TrustBundle, TrustedCa, read_leaf

A, B = b"A" * 16, b"B" * 16
CALL = "/test/Who"


class Who(grpc.GenericRpcHandler):
    """Answers the tenant uid and the name of whoever calls."""

    def __init__(self, bundle: TrustBundle) -> None:
        self._bundle = bundle

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """The same answer to every method."""
        return grpc.unary_unary_rpc_method_handler(self._who)

    def _who(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        leaf = read_leaf(context.auth_context()["x509_pem_cert"][0])
        return self._bundle.identify(leaf, datetime.now(UTC)).tenant_uid + leaf.name.encode()


def trusted(tenant_uid: bytes, ca: issuing.Issued) -> TrustedCa:
    """A CA as a tenant's row has it."""
    return TrustedCa.from_der(tenant_uid, ssl.PEM_cert_to_DER_cert(ca.certificate_pem.decode()))


@contextmanager
def serving(bundle: TrustBundle) -> Iterator[Callable[[issuing.Issued], bytes]]:
    """A server that trusts the bundle; yields a function that calls it with a client certificate."""
    server_ca = issuing.create_ca("Server CA", 1)
    certificate = issuing.issue_server(server_ca, ["localhost", "127.0.0.1"], 1)
    pairs = [(certificate.key_pem, certificate.certificate_pem)]
    server = grpc.server(ThreadPoolExecutor(1), handlers=[Who(bundle)])
    credentials = grpc.ssl_server_credentials(pairs, root_certificates=bundle.pem, require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()

    def call(client: issuing.Issued) -> bytes:
        identity = grpc.ssl_channel_credentials(server_ca.certificate_pem, client.key_pem, client.certificate_pem)
        with grpc.secure_channel(f"127.0.0.1:{port}", identity) as channel:
            return channel.unary_unary(CALL)(b"", timeout=60)

    try:
        yield call
    finally:
        server.stop(None).wait()


def test_a_client_is_identified_over_mutual_tls_although_two_cas_have_one_name():
    first, second = issuing.create_ca("Same", 1), issuing.create_ca("Same", 1)
    bundle = TrustBundle([trusted(A, first), trusted(B, second)])
    names = [issuing.principal_uri("acme", "billing"), issuing.principal_uri("umbrella", "billing")]
    with serving(bundle) as call:
        assert call(issuing.issue_client(first, names[0], 1)) == A + names[0].encode()
        assert call(issuing.issue_client(second, names[1], 1)) == B + names[1].encode()


def test_a_client_of_an_unknown_ca_gets_no_answer():
    known, unknown = issuing.create_ca("Same", 1), issuing.create_ca("Same", 1)
    client = issuing.issue_client(unknown, issuing.principal_uri("acme", "billing"), 1)
    bundle = TrustBundle([trusted(A, known)])
    with serving(bundle) as call, pytest.raises(grpc.RpcError) as caught:
        call(client)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
