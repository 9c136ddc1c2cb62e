"""A KMS that is away, slow, sealed or wrong: each gets its reason, soon, and the vault finds back by itself."""

import base64
import json
import secrets
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from deploy.local_stack.openbao_tls import make_certificates

from vault.crypto.keys import Key
from vault.kms.key_manager import KmsDeniedError, KmsIntegrityError, KmsSealedError, KmsUnavailableError
from vault.kms.transit.config import CertificateAuth, TransitConfig
from vault.kms.transit.key_manager import TransitKeyManager

TENANT, CONTEXT = b"t" * 16, b"context"
QUICK = {"timeout_s": (0.3, 0.3), "budget_s": 1.0, "breaker_open_s": 0.2}


@pytest.fixture
def behind(proxy, configure):
    """A KeyManager behind the proxy, quick to give up."""
    managers = []

    def make(**changes):
        managers.append(TransitKeyManager(configure(address=proxy.address, **{**QUICK, **changes})))
        return managers[-1]

    yield make
    for manager in managers:
        manager.close()


def test_nobody_at_the_address_is_unavailable(configure, bounded):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        address = f"https://127.0.0.1:{unused.getsockname()[1]}"
    manager = TransitKeyManager(configure(address=address))
    with pytest.raises(KmsUnavailableError, match="cannot be reached") as failed:
        bounded(manager.check)
    assert failed.value.reason_name == "KMS_UNAVAILABLE"
    assert failed.value.retry_after_s > 0
    assert failed.value.__context__ is None


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("stall", "did not answer in time"),
        ("drip", "did not answer in time"),
        ("cut", "connection broke|TLS failed"),
        ("reset", "connection broke|TLS failed"),
    ],
)
@pytest.mark.parametrize("connected", [False, True])
def test_a_broken_line_is_unavailable(behind, proxy, bounded, mode, message, connected):
    manager = behind()
    if connected:
        manager.check()
        manager.close()
    proxy.mode = mode
    with pytest.raises(KmsUnavailableError, match=message):
        bounded(manager.check)


def test_a_line_that_stops_during_a_call_is_unavailable(behind, proxy, bounded):
    manager = behind()
    manager.check()
    proxy.mode = "stall"
    with pytest.raises(KmsUnavailableError, match="did not answer in time"):
        bounded(lambda: manager.wrap(TENANT, [(Key.generate(), CONTEXT)]))


def test_a_single_broken_connection_is_not_noticed(behind, proxy, transit_kms):
    tenant, key = transit_kms.tenant(), Key.generate()
    manager = behind()
    (wrapped,) = manager.wrap(tenant, [(key, CONTEXT)])
    proxy.cuts_left = 1
    assert manager.unwrap(tenant, [(wrapped.blob, CONTEXT)]) == [key]
    assert proxy.cuts_left == 0


def test_one_connection_serves_many_calls_of_a_thread(behind, proxy, transit_kms):
    tenant = transit_kms.tenant()
    manager = behind()
    for _ in range(20):
        manager.wrap(tenant, [(Key.generate(), CONTEXT)])
    assert proxy.connections == 1


def test_a_sealed_kms_says_so_and_serves_again_once_unsealed(bao, configure, bounded):
    manager = TransitKeyManager(configure())
    manager.check()
    bao.seal()
    try:
        for _ in range(10):  # more than the breaker's threshold: a sealed KMS answers, so it is not a failure
            with pytest.raises(KmsSealedError, match="unseal it") as failed:
                bounded(manager.check)
        assert failed.value.reason_name == "KMS_SEALED"
        assert failed.value.retry_after_s > 0
        with pytest.raises(KmsSealedError):
            bounded(TransitKeyManager(configure()).check)
    finally:
        bao.unseal()
    manager.check()


def test_a_restarted_kms_is_found_again(bao, configure, until):
    manager = TransitKeyManager(configure(breaker_open_s=0.1))
    manager.check()
    bao.stop()
    try:
        with pytest.raises(KmsUnavailableError):
            manager.check()
    finally:
        bao.start()
    until(lambda: serves(manager))


def serves(manager):
    try:
        manager.check()
    except KmsUnavailableError:
        return False
    return True


def test_after_failures_in_a_row_nobody_is_asked_until_the_breaker_closes(behind, proxy, bounded, until):
    manager = behind(breaker_failures=4, breaker_open_s=2.0)
    manager.check()
    manager.close()
    proxy.mode = "reset"
    for _ in range(2):
        with pytest.raises(KmsUnavailableError):
            bounded(manager.check)
    asked = proxy.connections
    for _ in range(20):
        with pytest.raises(KmsUnavailableError, match="not asked again yet") as failed:
            bounded(manager.check)
        assert 0 < failed.value.retry_after_s <= 2.0
    assert proxy.connections == asked == 1 + 4
    proxy.mode = "pass"
    until(lambda: serves(manager))


def test_while_the_breaker_is_open_one_call_at_a_time_finds_out(behind, proxy, until):
    manager = behind(breaker_failures=1, breaker_open_s=0.5)
    proxy.mode = "reset"
    with pytest.raises(KmsUnavailableError):
        manager.check()
    before = proxy.connections
    until(lambda: not serves(manager) and proxy.connections > before)
    before = proxy.connections
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: serves(manager), range(64)))
    assert proxy.connections - before <= 1


def test_eight_threads_survive_a_kms_that_comes_and_goes(behind, proxy, transit_kms, until):
    tenant, key = transit_kms.tenant(), Key.generate()
    manager = behind(breaker_failures=3)
    (wrapped,) = manager.wrap(tenant, [(key, CONTEXT)])

    def work(number):
        if number == 40:
            proxy.mode = "cut"
        if number == 80:
            proxy.mode = "pass"
        try:
            return manager.unwrap(tenant, [(wrapped.blob, CONTEXT)]) == [key]
        except KmsUnavailableError:
            return None

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(200)))
    assert False not in results
    assert True in results
    until(lambda: work(0) is True)


def test_another_authoritys_certificate_is_not_trusted(configure, tmp_path, bounded):
    make_certificates(tmp_path / "other")
    manager = TransitKeyManager(configure(ca_file=tmp_path / "other" / "ca.pem"))
    with pytest.raises(KmsUnavailableError, match="not trusted"):
        bounded(manager.check)


def test_a_missing_ca_file_or_certificate_is_named(configure, tmp_path, bounded):
    certificate = CertificateAuth(tmp_path / "none.pem", tmp_path / "none.key")
    for changes in ({"ca_file": tmp_path / "none.pem"}, {"auth": certificate}):
        with pytest.raises(KmsUnavailableError, match="CA file or the client certificate cannot be read"):
            bounded(TransitKeyManager(configure(**changes)).check)


def test_the_environment_changes_neither_proxy_nor_trust_nor_login(configure, monkeypatch, tmp_path, bounded):
    nowhere = "http://127.0.0.1:9"
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, nowhere)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none"))
    monkeypatch.setenv("VAULT_TOKEN", "s.somebody-else")
    monkeypatch.setenv("VAULT_ADDR", nowhere)
    bounded(TransitKeyManager(configure()).check)


def test_plain_http_and_senseless_numbers_are_refused(configure):
    good = configure()
    with pytest.raises(ValueError, match="https"):
        TransitConfig("http://127.0.0.1:8200", good.ca_file, good.auth)
    for wrong in ({"budget_s": 0}, {"timeout_s": (1, 0)}, {"retries": -1}, {"breaker_failures": 0}, {"breaker_open_s": 0}):
        with pytest.raises(ValueError, match="must"):
            configure(**wrong)


SEALED = b'{"errors": ["Vault is sealed"]}'
MARK = "marker-of-the-answer"


@pytest.mark.parametrize(
    ("status", "body", "times", "error"),
    [
        (500, b'{"errors": ["marker-of-the-answer"]}', 3, KmsUnavailableError),
        (502, b"<html>marker-of-the-answer</html>", 3, KmsUnavailableError),
        (503, b'{"errors": ["marker-of-the-answer"]}', 3, KmsUnavailableError),
        (503, SEALED, 1, KmsSealedError),
        (429, b'{"errors": ["marker-of-the-answer"]}', 1, KmsUnavailableError),
        (412, b'{"errors": ["marker-of-the-answer"]}', 1, KmsUnavailableError),
        (200, b"marker-of-the-answer", 3, KmsUnavailableError),
        (200, b'["marker-of-the-answer"]', 3, KmsUnavailableError),
        (200, b'{"data": "' + b"x" * (4 * 1024 * 1024) + b'"}', 3, KmsUnavailableError),
        (400, b'{"errors": ["marker-of-the-answer"]}', 1, KmsDeniedError),
        (404, b'{"errors": []}', 1, KmsDeniedError),
    ],
)
def test_each_answer_gets_its_error_and_only_failures_are_asked_again(scripted, scripted_manager, status, body, times, error):
    scripted.answer = (status, {}, body)
    with pytest.raises(error) as failed:
        scripted_manager.wrap(TENANT, [(Key.generate(), CONTEXT)])
    assert scripted.asked == [f"/v1/transit/encrypt/kek-{TENANT.hex()}"] * times
    assert MARK not in str(failed.value)
    assert scripted.address not in str(failed.value)


@pytest.mark.parametrize(
    ("said", "kept"), [("1", 1.0), ("99999", 30.0), ("0", 1.0), ("-5", 1.0), ("1e3", 1.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 1.0)]
)
def test_how_long_a_kms_wants_not_to_be_asked_is_passed_on_within_bounds(scripted, scripted_manager, said, kept):
    scripted.answer = (429, {"Retry-After": said}, b"")
    with pytest.raises(KmsUnavailableError, match="status 429") as failed:
        scripted_manager.sign(TENANT, b"message")
    assert failed.value.retry_after_s == kept


def test_a_kms_that_says_how_long_is_asked_by_nobody_for_so_long(scripted, scripted_manager, until):
    scripted.answer = (429, {"Retry-After": "1"}, b"")
    with pytest.raises(KmsUnavailableError):
        scripted_manager.sign(TENANT, b"message")
    for _ in range(10):
        with pytest.raises(KmsUnavailableError, match="asked too often") as failed:
            scripted_manager.read_anchor(TENANT)
        assert 0 < failed.value.retry_after_s <= 1
    assert len(scripted.asked) == 1
    scripted.answer = (404, {}, b"")
    until(lambda: is_unwritten(scripted_manager))
    assert len(scripted.asked) == 2


def is_unwritten(manager):
    try:
        return manager.read_anchor(TENANT) is None
    except KmsUnavailableError:
        return False


def test_a_redirect_is_not_followed(scripted, scripted_manager):
    scripted.answer = (307, {"Location": f"{scripted.address}/v1/elsewhere"}, b"")
    with pytest.raises(KmsUnavailableError, match="status 307"):
        scripted_manager.sign(TENANT, b"message")
    assert scripted.asked == [f"/v1/transit/sign/log-{TENANT.hex()}"]


def plaintexts(*keys):
    return {"batch_results": [{"plaintext": base64.b64encode(key).decode()} for key in keys]}


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"batch_results": []},
        {"batch_results": None},
        {"batch_results": [{}]},
        {"batch_results": [{"plaintext": "=not base64="}]},
        plaintexts(bytes(31)),
        plaintexts(bytes(33)),
        plaintexts(bytes(32), bytes(32)),
    ],
)
def test_an_answer_without_the_right_keys_is_refused(scripted, scripted_manager, data):
    scripted.answer = (200, {}, json.dumps({"data": data}).encode())
    blob = b"vault:v1:" + b"A" * 80
    with pytest.raises(KmsIntegrityError):
        scripted_manager.unwrap(TENANT, [(blob, CONTEXT)])


@pytest.mark.parametrize("ciphertext", [None, "", "vault:v0:" + "A" * 80, "vault:v1:" + "A" * 79, "vault:v1:" + "A" * 84])
@pytest.mark.parametrize("shape", [lambda results: results, lambda _: None, lambda _: "x", lambda results: [results]])
def test_an_answer_without_a_right_blob_is_refused(scripted, scripted_manager, ciphertext, shape):
    data = {"batch_results": shape([{"ciphertext": ciphertext}])}
    scripted.answer = (200, {}, json.dumps({"data": data}).encode())
    with pytest.raises(KmsIntegrityError):
        scripted_manager.wrap(TENANT, [(Key.generate(), CONTEXT)])


@pytest.mark.parametrize("public_key", [None, "AAAA", "not base64!", base64.b64encode(bytes(33)).decode()])
def test_an_answer_without_a_right_public_key_is_refused(scripted, scripted_manager, public_key):
    scripted.answer = (200, {}, json.dumps({"data": {"keys": {"1": {"public_key": public_key}}}}).encode())
    with pytest.raises(KmsIntegrityError):
        scripted_manager.log_public_key(TENANT)


@pytest.mark.parametrize("signature", [None, "vault:v2:" + "A" * 86 + "==", "vault:v1:" + "A" * 88, "vault:v1:AAAA"])
def test_an_answer_without_a_right_signature_is_refused(scripted, scripted_manager, signature):
    scripted.answer = (200, {}, json.dumps({"data": {"signature": signature}}).encode())
    with pytest.raises(KmsIntegrityError):
        scripted_manager.sign(TENANT, secrets.token_bytes(8))
