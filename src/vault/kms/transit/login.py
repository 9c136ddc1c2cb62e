"""Being somebody at the KMS: the ways to log in, and keeping the token fresh."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import SystemRandom
from typing import Any, Final

import structlog

from vault.errors import VaultError
from vault.kms.key_manager import KmsDeniedError, KmsUnavailableError
from vault.kms.transit.config import AppRoleAuth, Auth, CertificateAuth, JwtAuth, KubernetesAuth, TokenAuth
from vault.kms.transit.http import Reply, ReplyAdapter
from vault.kms.transit.link import TransitLink

_RENEW_AT: Final = 2 / 3
_JITTER: Final = 0.1
_MAX_SECRET_BYTES: Final = 64 * 1024
_log = structlog.get_logger(__name__)
_random = SystemRandom()


@dataclass(frozen=True)
class _Grant:
    """A token, how many seconds it lives (0: for ever) and whether it can be renewed."""

    token: str = field(repr=False)
    ttl_s: float
    renewable: bool


def _secret(path: Path, what: str) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError), path.open("rb") as file:
        return file.read(_MAX_SECRET_BYTES).decode().strip()
    raise KmsDeniedError(f"cannot log in to the KMS: the {what} is missing or cannot be read")


def _token(adapter: ReplyAdapter, auth: TokenAuth) -> Reply:
    adapter.token = _secret(auth.token_file, "token file")
    reply: Reply = adapter.methods.token.lookup_self()
    granted = {
        "client_token": adapter.token,
        "lease_duration": reply.data.get("ttl"),
        "renewable": reply.data.get("renewable"),
    }
    return Reply(reply.status, {"auth": granted})


def _approle(adapter: ReplyAdapter, auth: AppRoleAuth) -> Reply:
    role_id, secret_id = _secret(auth.role_id_file, "role_id file"), _secret(auth.secret_id_file, "secret_id file")
    reply: Reply = adapter.methods.approle.login(role_id, secret_id, use_token=False, mount_point=auth.mount)
    return reply


def _kubernetes(adapter: ReplyAdapter, auth: KubernetesAuth) -> Reply:
    jwt = _secret(auth.jwt_file, "service account token file")
    reply: Reply = adapter.methods.kubernetes.login(auth.role, jwt, use_token=False, mount_point=auth.mount)
    return reply


def _jwt(adapter: ReplyAdapter, auth: JwtAuth) -> Reply:
    jwt = _secret(auth.jwt_file, "JWT file")
    reply: Reply = adapter.methods.jwt.jwt_login(auth.role, jwt, use_token=False, path=auth.mount)
    return reply


def _certificate(adapter: ReplyAdapter, auth: CertificateAuth) -> Reply:
    reply: Reply = adapter.methods.cert.login(auth.role, use_token=False, mount_point=auth.mount)
    return reply


_LOGINS: Final[Mapping[type, Callable[[ReplyAdapter, Any], Reply]]] = {
    TokenAuth: _token,
    AppRoleAuth: _approle,
    KubernetesAuth: _kubernetes,
    JwtAuth: _jwt,
    CertificateAuth: _certificate,
}


class TokenKeeper:
    """The one token that all threads use: made at first need, renewed at about two thirds of its life, replaced when refused."""

    def __init__(self, link: TransitLink, auth: Auth) -> None:
        self._link = link
        self._auth = auth
        self._lock = threading.Lock()
        self._grant: _Grant | None = None
        self._renew_at = 0.0

    def current(self) -> str:
        """A token that is probably good. One thread renews; the others go on with the old one meanwhile.

        Raises:
            KmsDeniedError: the KMS refuses the login.
            KmsUnavailableError, KmsSealedError: as they say.
        """
        grant = self._grant
        if grant is None:
            with self._locked():
                return (self._grant or self._login()).token
        if time.monotonic() >= self._renew_at and self._lock.acquire(blocking=False):
            try:
                grant = self._renew(grant)
            finally:
                self._lock.release()
        return grant.token

    def replace(self, refused: str) -> str:
        """A new token instead of one that the KMS refused with 403, unless the token is good and the policy said no.

        Raises:
            KmsDeniedError: the policy said no, or the KMS refuses the login.
            KmsUnavailableError, KmsSealedError: as they say.
        """
        with self._locked():
            if self._grant is not None and self._grant.token != refused:
                return self._grant.token
            known = self._link.exchange(refused, lambda adapter: adapter.methods.token.lookup_self())
            if known.status == 200:
                raise KmsDeniedError("the KMS's policy forbids this: were the keys created, is the policy deploy/openbao's?")
            return self._login().token

    def _renew(self, grant: _Grant) -> _Grant:
        """The grant to go on with. A failure is no reason to fail a call: the old token still has a third of its life."""
        self._schedule(grant.ttl_s * (1 - _RENEW_AT))
        try:
            if grant.renewable:
                reply = self._link.exchange(grant.token, lambda adapter: adapter.methods.token.renew_self())
                renewed_s = _granted(reply).ttl_s if reply.status == 200 else 0.0
                if renewed_s > grant.ttl_s * _RENEW_AT:
                    self._schedule(renewed_s)
                    self._grant = replace(grant, ttl_s=max(grant.ttl_s, renewed_s))
                    return self._grant
            return self._login()  # not renewable, or near the end of all renewals
        except VaultError as error:
            _log.warning("kms_token_not_renewed", reason=error.reason_name)
            return grant

    def _login(self) -> _Grant:
        reply = self._link.exchange(None, lambda adapter: _LOGINS[type(self._auth)](adapter, self._auth))
        if reply.status != 200:
            raise KmsDeniedError(f"the KMS refuses the vault's login (status {reply.status}): check role and credentials")
        grant = self._grant = _granted(reply)
        self._schedule(grant.ttl_s)
        return grant

    def _schedule(self, life_s: float) -> None:
        """Renew at two thirds of the life, a little earlier or later so that nodes do not come at once; never if it is 0."""
        share = _RENEW_AT + _random.uniform(-_JITTER, _JITTER)
        self._renew_at = time.monotonic() + life_s * share if life_s else float("inf")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=self._link.remaining_s()):
            raise KmsUnavailableError("the KMS is unavailable: another call's login takes too long", retry_after_s=1.0)
        try:
            yield
        finally:
            self._lock.release()


def _granted(reply: Reply) -> _Grant:
    granted = reply.body.get("auth")
    if not isinstance(granted, dict) or not isinstance(granted.get("client_token"), str):
        raise KmsDeniedError("the KMS's answer to the login holds no token")
    return _Grant(granted["client_token"], float(granted.get("lease_duration") or 0), bool(granted.get("renewable")))
