"""Each identity can do its work at OpenBao and nothing else, and OpenBao's own audit log agrees."""

import base64
import re
import secrets
from pathlib import Path

import hvac
import pytest
import requests

from vault.crypto.keys import Key
from vault.kms.key_manager import KmsDeniedError, KmsIntegrityError
from vault.kms.transit.administrator import TransitAdministrator
from vault.kms.transit.key_manager import TransitKeyManager, kek_name, log_key_name
from vault.kms.transit.provisioner import TransitProvisioner

PATHS = Path(__file__).parents[2] / "deploy" / "openbao" / "paths.txt"
CONTEXT = b"context"
KEK_BODY = {"type": "aes256-gcm96", "derived": True}

ALL_IDENTITIES = ("app", "provisioner", "key-worker")
FORBIDDEN_TO_ALL = [
    ("get", "transit/export/encryption-key/{kek}", None),
    ("get", "transit/export/signing-key/{log}", None),
    ("get", "transit/backup/{kek}", None),
    ("post", "transit/restore", {"backup": "x"}),
    ("post", "transit/restore/{kek}", {"backup": "x", "force": True}),
    ("get", "transit/byok-export/{kek}/{log}", None),
    ("delete", "transit/keys/{kek}", None),
    ("post", "transit/keys/{kek}/soft-delete", {}),
    ("post", "transit/keys/{log}/rotate", {}),
    ("post", "transit/keys/{log}/config", {"min_decryption_version": 1}),
    ("post", "transit/keys/{log}/trim", {"min_available_version": 1}),
    ("post", "transit/keys/{log}/import_version", {"ciphertext": "x"}),
    ("post", "transit/keys/log-new/import", {"ciphertext": "x"}),
    ("post", "transit/keys/{kek}/config", {"exportable": True}),
    ("post", "transit/keys/{kek}/config", {"allow_plaintext_backup": True}),
    ("post", "transit/keys/{kek}/config", {"deletion_allowed": True}),
    ("post", "transit/config/keys", {"disable_upsert": False}),
    ("post", "transit/rewrap/{kek}", {"batch_input": []}),
    ("post", "transit/datakey/plaintext/{kek}", {"context": "eA=="}),
    ("post", "transit/hmac/{kek}", {"input": "eA=="}),
    ("list", "transit/keys", None),
    ("get", "secret/data/of-others", None),
    ("get", "cubbyhole/mine", None),
    ("post", "sys/seal", {}),
    ("get", "sys/mounts", None),
    ("post", "sys/mounts/other", {"type": "transit"}),
    ("get", "sys/policies/acl/app", None),
    ("post", "sys/policies/acl/app", {"policy": 'path "*" { capabilities = ["sudo"] }'}),
    ("post", "sys/audit-hash/log", {"input": "x"}),
    ("get", "sys/audit", None),
    ("post", "auth/token/create", {}),
    ("post", "auth/approle/role/app/secret-id", {}),
]
USES = [
    ("post", "transit/encrypt/{kek}", {"batch_input": [{"plaintext": "eA==", "context": "eA=="}]}),
    ("post", "transit/decrypt/{kek}", {"batch_input": [{"ciphertext": "vault:v1:x", "context": "eA=="}]}),
    ("post", "transit/sign/{log}", {"input": "eA=="}),
]
KEY_WORK = [
    ("post", "transit/keys/{kek}/rotate", {}),
    ("post", "transit/keys/{kek}/config", {"min_decryption_version": 1}),
    ("post", "transit/keys/{kek}/config", {"min_encryption_version": 1}),
    ("post", "transit/keys/{kek}/trim", {"min_available_version": 1}),
]
IMPORT = {"ciphertext": "x", "hash_function": "SHA256", **KEK_BODY}
IMPORTS = [
    ("get", "transit/wrapping_key", None),
    ("post", "transit/keys/kek-new/import", IMPORT),
    ("post", "transit/keys/{kek}/import_version", {"ciphertext": "x", "hash_function": "SHA256"}),
]
ANCHOR = "pdvault/data/anchor/{anchor}"
ANCHOR_WRITE = ("post", ANCHOR, {"options": {"cas": 0}, "data": {"checkpoint": "x"}})
ANCHOR_TAMPERING = [
    ("delete", ANCHOR, None),
    ("patch", ANCHOR, {"options": {"cas": 1}, "data": {"checkpoint": "y"}}),
    ("post", "pdvault/delete/anchor/{anchor}", {"versions": [1]}),
    ("post", "pdvault/undelete/anchor/{anchor}", {"versions": [1]}),
    ("post", "pdvault/destroy/anchor/{anchor}", {"versions": [1]}),
    ("get", "pdvault/metadata/anchor/{anchor}", None),
    ("post", "pdvault/metadata/anchor/{anchor}", {"max_versions": 1, "delete_version_after": "1s"}),
    ("delete", "pdvault/metadata/anchor/{anchor}", None),
    ("list", "pdvault/metadata/anchor", None),
    ("get", "pdvault/config", None),
    ("post", "pdvault/config", {"cas_required": False}),
    ("post", "pdvault/data/anchor/{anchor}/below", {"options": {"cas": 0}, "data": {}}),
    ("post", "pdvault/data/other", {"options": {"cas": 0}, "data": {}}),
    ("get", "pdvault/data/other", None),
    ("post", "sys/mounts/pdvault/tune", {"options": {"version": "1"}}),
    ("delete", "sys/mounts/pdvault", None),
]
DESTROYED = "pdvault/data/destroyed/{anchor}/{anchor}"
DESTROYED_WRITE = {"options": {"cas": 0}, "data": {"destroyed": "x"}}
DESTROYED_LIST = ("list", "pdvault/metadata/destroyed/{anchor}", None)
DESTROYED_TAMPERING = [
    ("post", DESTROYED, DESTROYED_WRITE),
    ("post", DESTROYED, {**DESTROYED_WRITE, "options": {"cas": 1}}),
    ("delete", DESTROYED, None),
    ("patch", DESTROYED, {**DESTROYED_WRITE, "options": {"cas": 1}}),
    ("post", "pdvault/delete/destroyed/{anchor}/{anchor}", {"versions": [1]}),
    ("post", "pdvault/undelete/destroyed/{anchor}/{anchor}", {"versions": [1]}),
    ("post", "pdvault/destroy/destroyed/{anchor}/{anchor}", {"versions": [1]}),
    ("get", "pdvault/metadata/destroyed/{anchor}/{anchor}", None),
    ("post", "pdvault/metadata/destroyed/{anchor}/{anchor}", {"delete_version_after": "1s"}),
    ("delete", "pdvault/metadata/destroyed/{anchor}", None),
    ("list", "pdvault/metadata/destroyed", None),
    ("list", "pdvault/metadata", None),
    ("post", "pdvault/data/destroyed/{anchor}", DESTROYED_WRITE),
    ("post", "pdvault/data/destroyed/{anchor}/{anchor}/below", DESTROYED_WRITE),
]
FORGETTING = ("delete", "pdvault/metadata/destroyed/{anchor}/{anchor}", None)
CREATION = [("post", "transit/keys/kek-new", KEK_BODY), ("post", "transit/keys/log-new", {"type": "ed25519"})]
FORBIDDEN = (
    [(role, *request) for role in ALL_IDENTITIES for request in FORBIDDEN_TO_ALL + ANCHOR_TAMPERING + DESTROYED_TAMPERING]
    + [("provisioner", *request) for request in [("get", ANCHOR, None), ANCHOR_WRITE, ("get", DESTROYED, None), DESTROYED_LIST]]
    + [("provisioner", "post", "pdvault/data/destroyed/{anchor}/of-a-new-erasure", DESTROYED_WRITE)]
    + [(role, *request) for role in ("app", "provisioner") for request in [*KEY_WORK, *IMPORTS, FORGETTING]]
    + [("app", *request) for request in CREATION]
    + [("app", "post", "transit/encrypt/kek-unknown", USES[0][2])]
    + [("app", "post", "transit/encrypt/{kek}", {"plaintext": "eA==", "context": "eA=="})]
    + [("app", "post", "transit/encrypt/{kek}", {**USES[0][2], "convergent_encryption": True})]
    + [("app", "post", "transit/sign/foreign", {"input": "eA=="})]
    + [("provisioner", *request) for request in USES]
    + [("provisioner", *request[:2], {**(request[2] or {}), **KEK_BODY}) for request in KEY_WORK]
    + [("provisioner", "post", "transit/keys/kek-new", {**KEK_BODY, "exportable": True})]
    + [("provisioner", "post", "transit/keys/kek-new", {**KEK_BODY, "allow_plaintext_backup": True})]
    + [("provisioner", "post", "transit/keys/kek-new", {"type": "aes256-gcm96", "derived": False})]
    + [("provisioner", "post", "transit/keys/kek-new", {"type": "rsa-4096"})]
    + [("key-worker", *request) for request in CREATION]
    + [("key-worker", "post", "transit/keys/kek-new/import", {**IMPORT, "exportable": True})]
    + [("key-worker", "post", "transit/keys/kek-new/import", {**IMPORT, "allow_plaintext_backup": True})]
    + [("key-worker", "post", "transit/keys/kek-new/import", {**IMPORT, "allow_rotation": True})]
    + [("key-worker", "post", "transit/keys/kek-new/import", {**IMPORT, "derived": False})]
    + [("key-worker", "post", "transit/keys/kek-new/import", {**IMPORT, "type": "ed25519"})]
    + [("key-worker", "post", "transit/encrypt/{kek}", {"plaintext": "eA==", "context": "eA=="})]
    + [("key-worker", "post", "transit/encrypt/{kek}", {**USES[0][2], "convergent_encryption": True})]
    + [("key-worker", "post", "transit/sign/foreign", {"input": "eA=="})]
)


@pytest.fixture(scope="session")
def send(bao):
    """The status of a request with a role's token."""
    tokens = {}

    def login(role):
        files = bao.credentials(role)
        client = hvac.Client(bao.address, token="", verify=str(bao.ca_file))
        return client.auth.approle.login(files.role_id_file.read_text(), files.secret_id_file.read_text())

    def request(role, method, path, body):
        if role not in tokens:
            tokens[role] = login(role)["auth"]["client_token"]
        headers = {"X-Vault-Token": tokens[role], **({"Content-Type": "application/merge-patch+json"} if method == "patch" else {})}
        url = f"{bao.address}/v1/{path}"
        return requests.request(method, url, json=body, headers=headers, verify=bao.ca_file, timeout=60).status_code

    return request


@pytest.fixture(scope="module")
def names(transit_kms):
    tenant = transit_kms.tenant()
    transit_kms.manager.write_anchor(tenant, "anchor\n", 0)
    transit_kms.manager.note_destroyed(tenant, tenant, "destroyed")
    return {"kek": kek_name(tenant), "log": log_key_name(tenant), "anchor": tenant.hex()}


@pytest.mark.parametrize(("role", "method", "path", "body"), FORBIDDEN)
def test_whatever_is_not_an_identitys_work_is_forbidden(send, names, role, method, path, body):
    assert send(role, method, path.format(**names), body) == 403


def test_what_is_an_identitys_work_is_allowed(send, names):
    for role, method, path, body in (
        [("provisioner", *request) for request in CREATION]
        + [("provisioner", "get", "transit/keys/{kek}", None)]
        + [(role, *request) for role in ("app", "key-worker") for request in (USES[0], USES[2])]
        + [(role, "get", f"transit/keys/{{{key}}}", None) for role in ("app", "key-worker") for key in ("kek", "log")]
        + [(role, "get", ANCHOR, None) for role in ("app", "key-worker")]
        + [("app", "post", ANCHOR, {"options": {"cas": 1}, "data": {"checkpoint": "x"}})]
        + [("key-worker", "post", ANCHOR, {"options": {"cas": 2}, "data": {"checkpoint": "x"}})]
        + [(role, "post", f"pdvault/data/anchor/of-a-new-log-by-{role}", ANCHOR_WRITE[2]) for role in ("app", "key-worker")]
        + [(role, *request) for role in ("app", "key-worker") for request in [("get", DESTROYED, None), DESTROYED_LIST]]
        + [
            (role, "post", f"pdvault/data/destroyed/{{anchor}}/of-a-new-erasure-by-{role}", DESTROYED_WRITE)
            for role in ("app", "key-worker")
        ]
        + [("key-worker", *request) for request in KEY_WORK]
        + [(role, "get", "auth/token/lookup-self", None) for role in ALL_IDENTITIES]
        + [(role, "post", "auth/token/renew-self", {}) for role in ALL_IDENTITIES]
    ):
        assert send(role, method, path.format(**names), body) in (200, 204), (role, path)


def test_no_anchor_is_written_without_check_and_set(send, names):
    assert send("app", "post", ANCHOR.format(**names), {"data": {"checkpoint": "x"}}) == 400
    assert send("app", "post", ANCHOR.format(**names), {"options": {}, "data": {"checkpoint": "x"}}) == 400


def test_a_tokens_only_policy_is_its_own(bao):
    for role in ALL_IDENTITIES:
        files = bao.credentials(role)
        client = hvac.Client(bao.address, token="", verify=str(bao.ca_file))
        granted = client.auth.approle.login(files.role_id_file.read_text(), files.secret_id_file.read_text())["auth"]
        assert granted["policies"] == [role]


def work_with(configure, tenants):
    """All that the identities ever do; the keys that went through."""
    manager, provisioner = TransitKeyManager(configure("app")), TransitProvisioner(configure("provisioner"))
    administrator = TransitAdministrator(configure("key-worker"))
    keys = []
    for tenant in tenants:
        provisioner.create_tenant_keys(tenant)
        keys += [Key.generate() for _ in range(3)]
        wrapped = manager.wrap(tenant, [(key, CONTEXT) for key in keys[-3:]])
        assert manager.unwrap(tenant, [(one.blob, CONTEXT) for one in wrapped]) == keys[-3:]
        manager.sign(tenant, b"message")
        manager.log_public_key(tenant)
        assert manager.read_anchor(tenant) is None
        assert manager.write_anchor(tenant, "one\n", 0) == 1
        assert manager.write_anchor(tenant, "two\n", 1) == 2
        manager.check()
        assert manager.kek(tenant).latest == administrator.rotate(tenant, 1) - 1
        assert administrator.destroy_before(tenant, 2).oldest == 2
        manager.note_destroyed(tenant, tenant, "destroyed")
        assert manager.noted(tenant) == {tenant}
        assert manager.destroyed(tenant) == {tenant: "destroyed"}
        assert administrator.forget_destroyed(tenant, [tenant]) == 1
    brought, version = secrets.token_bytes(16), [Key.generate(), Key.generate()]
    administrator.import_kek(brought, version[0])
    assert administrator.import_version(brought, version[1], 1) == 2
    for each in (manager, provisioner, administrator):
        each.close()
    return keys + version


def allowed_paths():
    lines = [line.split() for line in PATHS.read_text().splitlines() if line and not line.startswith("#")]
    pattern = "|".join(re.escape(f"{operation} {path}").replace("<uid>", "[0-9a-f]{32}") for operation, path in lines)
    return re.compile(pattern), len(lines)


def test_openbaos_audit_log_holds_only_the_listed_paths(configure, audit):
    work_with(configure, [secrets.token_bytes(16), bytes(16)])
    listed, count = allowed_paths()
    used = {f"{entry['request']['operation']} {entry['request']['path']}" for entry in audit()}
    assert [path for path in used if not listed.fullmatch(path)] == []
    generic = {re.sub("[0-9a-f]{32}", "<uid>", path) for path in used}
    assert len(generic) == count - 1  # all but renew-self, which another test sees


def test_openbaos_audit_log_holds_no_key(configure, bao):
    keys = work_with(configure, [secrets.token_bytes(16)])
    log = bao.audit_log.read_text()
    assert len(keys) == 5
    assert "transit/decrypt/kek-" in log
    for key in keys:
        assert base64.b64encode(key.raw).decode() not in log
        assert key.raw.hex() not in log


@pytest.mark.parametrize(
    ("name", "attributes", "wrong"),
    [
        (kek_name, {"type": "aes256-gcm96"}, "derived"),
        (kek_name, {**KEK_BODY, "exportable": True}, "exportable"),
        (kek_name, {**KEK_BODY, "allow_plaintext_backup": True}, "allow_plaintext_backup"),
        (kek_name, {"type": "chacha20-poly1305", "derived": True}, "type"),
        (log_key_name, {"type": "ed25519", "derived": True}, "derived"),
        (log_key_name, {"type": "ed25519", "exportable": True}, "exportable"),
        (log_key_name, {"type": "ecdsa-p256"}, "type"),
    ],
)
def test_a_key_that_somebody_prepared_otherwise_is_not_accepted(bao, transit_kms, name, attributes, wrong):
    tenant = secrets.token_bytes(16)
    bao.admin().adapter.post(f"/v1/transit/keys/{name(tenant)}", json=attributes)
    with pytest.raises(KmsIntegrityError, match=f": {wrong}$"):
        transit_kms.provisioner.create_tenant_keys(tenant)


def test_the_app_identity_cannot_provision(configure):
    with pytest.raises(KmsDeniedError):
        TransitProvisioner(configure("app")).create_tenant_keys(secrets.token_bytes(16))


def test_the_app_identity_cannot_administer(configure, transit_kms):
    tenant, administrator = transit_kms.tenant(), TransitAdministrator(configure("app"))
    for call in (
        lambda: administrator.rotate(tenant, 1),
        lambda: administrator.import_kek(secrets.token_bytes(16), Key.generate()),
        lambda: administrator.forget_destroyed(tenant, [tenant]),
    ):
        transit_kms.manager.note_destroyed(tenant, tenant, "destroyed")
        with pytest.raises(KmsDeniedError, match="policy"):
            call()
    assert TransitAdministrator(configure("key-worker")).rotate(tenant, 1) == 2
    with pytest.raises(KmsDeniedError, match="policy"):
        administrator.destroy_before(tenant, 2)
    assert transit_kms.manager.kek(tenant).oldest == 1
    assert transit_kms.manager.destroyed(tenant) == {tenant: "destroyed"}


def test_the_provisioner_identity_cannot_wrap(configure, transit_kms):
    tenant = transit_kms.tenant()
    with pytest.raises(KmsDeniedError):
        TransitKeyManager(configure("provisioner")).wrap(tenant, [(Key.generate(), CONTEXT)])


def test_a_rotated_kek_wraps_by_its_new_version_and_opens_the_old(bao, transit_kms):
    tenant, key = transit_kms.tenant(), Key.generate()
    (old,) = transit_kms.manager.wrap(tenant, [(key, CONTEXT)])
    bao.admin().secrets.transit.rotate_key(kek_name(tenant))
    (new,) = transit_kms.manager.wrap(tenant, [(key, CONTEXT)])
    assert (old.kek_version, new.kek_version) == (1, 2)
    assert transit_kms.manager.unwrap(tenant, [(old.blob, CONTEXT), (new.blob, CONTEXT)]) == [key, key]


def test_a_blob_of_a_destroyed_kek_version_is_refused(bao, transit_kms):
    tenant = transit_kms.tenant()
    (old,) = transit_kms.manager.wrap(tenant, [(Key.generate(), CONTEXT)])
    admin = bao.admin().adapter
    name = kek_name(tenant)
    admin.post(f"/v1/transit/keys/{name}/rotate")
    admin.post(f"/v1/transit/keys/{name}/config", json={"min_decryption_version": 2, "min_encryption_version": 2})
    admin.post(f"/v1/transit/keys/{name}/trim", json={"min_available_version": 2})
    with pytest.raises(KmsIntegrityError, match="version is gone"):
        transit_kms.manager.unwrap(tenant, [(old.blob, CONTEXT)])


def test_a_rotated_log_key_does_not_sign(bao, transit_kms):
    tenant = transit_kms.tenant()
    public_key = transit_kms.manager.log_public_key(tenant)
    bao.admin().secrets.transit.rotate_key(log_key_name(tenant))
    with pytest.raises(KmsIntegrityError, match="rotated"):
        transit_kms.manager.sign(tenant, b"message")
    assert transit_kms.manager.log_public_key(tenant) == public_key
