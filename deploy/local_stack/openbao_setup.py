"""What an OpenBao needs before the vault can use it: Transit, KV for the anchors, policies, an AppRole for each identity."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import hvac

ROLES: Final = ("app", "provisioner", "key-worker")
"""The identities; each has the policy of its name, and no other."""

ANCHOR_MOUNT: Final = "pdvault"
"""Where KV version 2 is mounted for the logs' anchors; the policies name it too."""

_PATIENCE_S: Final = 60.0
_POLL_S: Final = 0.05
_MAX_TTL: Final = "24h"
_POLICIES: Final = Path(__file__).parent.parent / "openbao"


@dataclass(frozen=True)
class Credentials:
    """An AppRole's two files."""

    role_id_file: Path
    secret_id_file: Path


def credentials_of(folder: Path, role: str) -> Credentials:
    """Where a role's files lie below ``folder``."""
    return Credentials(folder / role / "role_id", folder / role / "secret_id")


def set_up(admin: hvac.Client, folder: Path) -> None:
    """Prepare a new OpenBao, and write the AppRoles' credentials below ``folder``."""
    admin.sys.enable_secrets_engine("transit")
    admin.adapter.post("/v1/transit/config/keys", json={"disable_upsert": True})
    admin.sys.enable_secrets_engine("kv", path=ANCHOR_MOUNT, options={"version": "2"})
    _require_check_and_set(admin)
    admin.sys.enable_auth_method("approle")
    for role in ROLES:
        admin.sys.create_or_update_policy(role, (_POLICIES / f"{role}.hcl").read_text())
        create_role(admin, role, policy=role, ttl="1h", credentials=credentials_of(folder, role))


def _require_check_and_set(admin: hvac.Client) -> None:
    """KV version 2 answers 400 for a moment after it was mounted, while it makes itself ready."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            admin.adapter.post(f"/v1/{ANCHOR_MOUNT}/config", json={"cas_required": True})
        except hvac.exceptions.InvalidRequest:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_S)
        else:
            return


def create_role(admin: hvac.Client, role: str, *, policy: str, ttl: str, credentials: Credentials) -> None:
    """An AppRole with one policy (not even OpenBao's default one) and tokens that live ``ttl`` and can be renewed for a day."""
    admin.auth.approle.create_or_update_approle(
        role, token_policies=[policy], token_no_default_policy=True, token_ttl=ttl, token_max_ttl=_MAX_TTL
    )
    role_id = admin.auth.approle.read_role_id(role)["data"]["role_id"]
    secret_id = admin.auth.approle.generate_secret_id(role)["data"]["secret_id"]
    write_private(credentials.role_id_file, role_id)
    write_private(credentials.secret_id_file, secret_id)


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, in folders of mode 0700."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
