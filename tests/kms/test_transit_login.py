"""Logging in to a real OpenBao in each way, and keeping the token fresh."""

import base64
import datetime
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID
from deploy.local_stack.openbao_setup import Credentials, create_role

from vault.kms.key_manager import KmsDeniedError
from vault.kms.transit.config import AppRoleAuth, CertificateAuth, JwtAuth, KubernetesAuth, TokenAuth
from vault.kms.transit.key_manager import TransitKeyManager

PEM = serialization.Encoding.PEM


@pytest.fixture
def short_role(bao, tmp_path):
    """Makes an AppRole with the app's policy and tokens of a short life."""

    def make(name, ttl):
        files = Credentials(tmp_path / name / "role_id", tmp_path / name / "secret_id")
        create_role(bao.admin(), name, policy="app", ttl=ttl, credentials=files)
        return AppRoleAuth(files.role_id_file, files.secret_id_file)

    return make


@pytest.fixture
def times(audit):
    """How often a path was asked for since the test began."""
    return lambda path: sum(entry["request"]["path"] == path for entry in audit())


def let_two_thirds_pass(manager):
    """As if the token were that old: OpenBao counts in whole seconds, too coarse for a quick test."""
    manager._session._tokens._renew_at = 0.0


LOGIN, RENEWAL = "auth/approle/login", "auth/token/renew-self"


def test_one_login_serves_many_calls(configure, times):
    manager = TransitKeyManager(configure())
    for _ in range(10):
        manager.check()
    assert times(LOGIN) == 1


def test_eight_threads_that_begin_together_log_in_once(configure, times):
    manager, together = TransitKeyManager(configure()), threading.Barrier(8)

    def work(_):
        together.wait(timeout=60)
        manager.check()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert times(LOGIN) == 1


def test_a_revoked_token_is_replaced_without_a_failed_call(bao, configure, audit, times):
    manager = TransitKeyManager(configure())
    manager.check()
    for known in bao.admin().list("auth/token/accessors")["data"]["keys"]:
        token = bao.admin().auth.token.lookup_accessor(known)["data"]
        if token["policies"] == ["app"]:
            bao.admin().auth.token.revoke_accessor(known)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: manager.check(), range(8)))
    assert times(LOGIN) == 2


def test_an_expired_token_is_replaced_without_a_failed_call(configure, short_role, times, until):
    manager = TransitKeyManager(configure(auth=short_role("expiring", "1s")))
    manager.check()
    manager._session._tokens._renew_at = float("inf")  # as if no call came until the token had expired

    def logged_in_again():
        manager.check()
        return times(LOGIN) == 2

    until(logged_in_again)


def test_a_token_is_renewed_at_about_two_thirds_of_its_life(configure, times):
    manager = TransitKeyManager(configure())
    manager.check()
    tokens, now = manager._session._tokens, time.monotonic()
    assert 0.5 * 3600 < tokens._renew_at - now < 0.8 * 3600
    let_two_thirds_pass(manager)
    manager.check()
    manager.check()
    assert (times(RENEWAL), times(LOGIN)) == (1, 1)
    assert tokens._renew_at > now + 0.5 * 3600


def test_a_token_near_the_end_of_all_renewals_is_replaced_by_a_login(bao, configure, short_role, times):
    manager = TransitKeyManager(configure(auth=short_role("ending", "1h")))
    manager.check()
    bao.admin().auth.approle.create_or_update_approle("ending", token_ttl="10m", token_max_ttl="10m")
    let_two_thirds_pass(manager)
    manager.check()
    assert (times(RENEWAL), times(LOGIN)) == (1, 2)


def test_a_renewal_that_fails_fails_no_call(bao, configure, short_role, times):
    auth = short_role("unrenewable", "1h")
    bao.admin().auth.approle.create_or_update_approle("unrenewable", token_type="batch")
    manager = TransitKeyManager(configure(auth=auth))
    manager.check()
    auth.secret_id_file.write_text("no longer good")
    let_two_thirds_pass(manager)
    with structlog.testing.capture_logs() as events:
        manager.check()
        manager.check()
    assert events == [{"event": "kms_token_not_renewed", "reason": "KMS_DENIED", "log_level": "warning"}]
    assert times(LOGIN) == 2


def test_a_policys_no_is_no_reason_to_log_in_again(configure, transit_kms, times):
    tenant = transit_kms.tenant()
    before = times(LOGIN)
    manager = TransitKeyManager(configure("provisioner"))
    for _ in range(3):
        with pytest.raises(KmsDeniedError, match="policy"):
            manager.sign(tenant, b"message")
    assert times(LOGIN) - before == 1


def test_a_refused_login_names_neither_secret_nor_address(bao, configure, tmp_path):
    wrong = tmp_path / "secret_id"
    wrong.write_text("cc5a4a43-not-the-secret")
    auth = replace(configure().auth, secret_id_file=wrong)
    with pytest.raises(KmsDeniedError, match="refuses the vault's login") as refused:
        TransitKeyManager(configure(auth=auth)).check()
    for hidden in ("cc5a4a43", bao.address, configure().auth.role_id_file.read_text(), str(tmp_path)):
        assert hidden not in str(refused.value)
    assert refused.value.__context__ is None


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_login_file_that_cannot_be_read_is_named_by_its_use(configure, tmp_path, content):
    if content is not None:
        (tmp_path / "role_id").write_bytes(content)
    auth = replace(configure().auth, role_id_file=tmp_path / "role_id")
    with pytest.raises(KmsDeniedError, match="role_id file is missing or cannot be read"):
        TransitKeyManager(configure(auth=auth)).check()


def test_credentials_are_read_anew_at_each_login(configure, tmp_path):
    good = configure().auth
    auth = AppRoleAuth(tmp_path / "role_id", tmp_path / "secret_id")
    auth.role_id_file.write_text(good.role_id_file.read_text() + "\n")
    manager = TransitKeyManager(configure(auth=auth))
    with pytest.raises(KmsDeniedError):
        manager.check()
    auth.secret_id_file.write_text(good.secret_id_file.read_text() + "\n")
    manager.check()


def test_a_token_file_logs_in_and_is_read_again_when_the_token_is_revoked(bao, configure, tmp_path):
    def issue():
        return bao.admin().auth.token.create(policies=["app"], no_default_policy=True, ttl="1h")["auth"]["client_token"]

    file = tmp_path / "token"
    file.write_text(issue())
    manager = TransitKeyManager(configure(auth=TokenAuth(file)))
    manager.check()
    bao.admin().auth.token.revoke(file.read_text())
    with pytest.raises(KmsDeniedError):
        manager.check()
    file.write_text(issue())
    manager.check()


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def lifetime():
    now = int(time.time())
    return {"iat": now, "nbf": now, "exp": now + 600}


def test_a_token_met_late_in_its_life_gets_a_whole_one(bao, configure, tmp_path):
    created = bao.admin().auth.token.create(policies=["app"], no_default_policy=True, ttl="1m", period="1h")["auth"]
    (tmp_path / "token").write_text(created["client_token"])
    manager = TransitKeyManager(configure(auth=TokenAuth(tmp_path / "token")))
    manager.check()
    tokens = manager._session._tokens
    tokens._grant = replace(tokens._grant, ttl_s=60.0)
    let_two_thirds_pass(manager)
    manager.check()
    assert tokens._grant.ttl_s == 3600


def test_a_json_web_token_logs_in(bao, configure, tmp_path):
    signer = ed25519.Ed25519PrivateKey.generate()
    public = signer.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    admin = bao.admin()
    admin.sys.enable_auth_method("jwt")
    admin.auth.jwt.configure(jwt_validation_pubkeys=[public], jwt_supported_algs=["EdDSA"])
    admin.auth.jwt.create_role(
        "node", "sub", None, role_type="jwt", bound_audiences=["openbao"], bound_subject="node-1", token_policies=["app"]
    )

    def issue(audience):
        claims = {"sub": "node-1", "aud": audience, **lifetime()}
        signed = ".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "EdDSA", "typ": "JWT"}, claims))
        return f"{signed}.{encoded(signer.sign(signed.encode()))}"

    file = tmp_path / "jwt"
    manager = TransitKeyManager(configure(auth=JwtAuth("node", file)))
    file.write_text(issue("another audience"))
    with pytest.raises(KmsDeniedError):
        manager.check()
    file.write_text(issue("openbao"))
    manager.check()


@pytest.fixture
def token_reviewer():
    """The one call of Kubernetes' API that OpenBao makes: whose service account token is this?"""

    class Reviewer(BaseHTTPRequestHandler):
        def do_POST(self):
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            user = {"username": "system:serviceaccount:pdvault:server", "uid": "1"}
            genuine = review["spec"]["token"].endswith(encoded(b"genuine"))
            status = {"authenticated": True, "user": user} if genuine else {"error": "who?"}
            body = json.dumps({**review, "status": status}).encode()
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Reviewer)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_kubernetes_service_account_logs_in(bao, configure, tmp_path, token_reviewer):
    admin = bao.admin()
    admin.sys.enable_auth_method("kubernetes")
    admin.auth.kubernetes.configure(token_reviewer, bao.ca_file.read_text(), "reviewer", disable_local_ca_jwt=True)
    admin.auth.kubernetes.create_role("server", ["server"], ["pdvault"], policies=["app"])
    account = {"namespace": "pdvault", "serviceaccount": {"name": "server", "uid": "1"}}
    claims = {
        "iss": "kubernetes/serviceaccount",
        "sub": "system:serviceaccount:pdvault:server",
        "kubernetes.io": account,
        **lifetime(),
    }
    file = tmp_path / "token"
    manager = TransitKeyManager(configure(auth=KubernetesAuth("server", file)))
    for signature, accepted in ((b"forged", False), (b"genuine", True)):
        parts = [json.dumps({"alg": "RS256"}).encode(), json.dumps(claims).encode(), signature]
        file.write_text(".".join(map(encoded, parts)))
        if accepted:
            manager.check()
        else:
            with pytest.raises(KmsDeniedError):
                manager.check()


def client_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node-1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "client.pem", folder / "client.key"
    paths[0].write_bytes(certificate.public_bytes(PEM))
    paths[1].write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return paths


def test_a_client_certificate_logs_in_and_renews(bao, configure, tmp_path, times):
    (tmp_path / "known").mkdir()
    known, stranger = client_certificate(tmp_path / "known"), client_certificate(tmp_path)
    admin = bao.admin()
    admin.sys.enable_auth_method("cert")
    role = {"certificate": known[0].read_text(), "token_policies": ["app"], "token_ttl": "1h"}
    admin.adapter.post("/v1/auth/cert/certs/node", json=role)
    with pytest.raises(KmsDeniedError):
        TransitKeyManager(configure(auth=CertificateAuth(*stranger, role="node"))).check()
    manager = TransitKeyManager(configure(auth=CertificateAuth(*known, role="node")))
    manager.check()
    let_two_thirds_pass(manager)
    manager.check()
    assert times(RENEWAL) == 1
    assert times("auth/cert/login") == 2  # the stranger's and the known one's


def test_no_secret_shows_in_a_representation(configure):
    config = configure()
    manager = TransitKeyManager(config)
    manager.check()
    tokens = manager._session._tokens
    shown = "".join(map(repr, (config, manager, tokens, tokens._grant, vars(tokens))))
    assert tokens._grant.token not in shown
    assert config.auth.secret_id_file.read_text() not in shown
