"""One authenticated call to the KMS, with every refusal turned into one of the room's errors."""

from typing import Final

from vault.kms.key_manager import KmsDeniedError
from vault.kms.transit.config import TransitConfig
from vault.kms.transit.http import Payload, Reply
from vault.kms.transit.link import TransitLink
from vault.kms.transit.login import TokenKeeper

_FORBIDDEN: Final = 403


class TransitSession:
    """The vault's identity at the KMS. Thread-safe: one token, one connection pool a thread."""

    def __init__(self, config: TransitConfig) -> None:
        self._link = TransitLink(config)
        self._tokens = TokenKeeper(self._link, config.auth)

    def get(self, path: str) -> Reply:
        """Read a path, which begins with the mount; see ``_call``."""
        return self._call("get", path, None)

    def post(self, path: str, payload: Payload) -> Reply:
        """Write to a path, which begins with the mount; see ``_call``. Must be safe to repeat, unless ``retries`` is 0."""
        return self._call("post", path, payload)

    def list(self, path: str) -> Reply:
        """What lies below a path, which begins with the mount; see ``_call``."""
        return self._call("list", path, None)

    def delete(self, path: str) -> Reply:
        """Remove what a path, which begins with the mount, names; see ``_call``."""
        return self._call("delete", path, None)

    def check(self) -> None:
        """Raise unless the KMS is reachable, unsealed and takes the vault's token; see ``_call``."""
        self._call("get", "auth/token/lookup-self", None)

    def close(self) -> None:
        """Close all connections. The token ends by itself."""
        self._link.close()

    def _call(self, method: str, path: str, payload: Payload | None) -> Reply:
        """An answer with status 200, 204, 400 or 404, within ``TransitConfig.budget_s``.

        Raises:
            KmsUnavailableError: no answer, another status, or the breaker is open.
            KmsSealedError: the KMS is sealed.
            KmsDeniedError: login refused, or forbidden by policy.
        """
        self._link.start_budget()
        token = self._tokens.current()
        reply = self._link.exchange(token, lambda adapter: adapter.request(method, f"/v1/{path}", json=payload))
        if reply.status == _FORBIDDEN:
            token = self._tokens.replace(token)
            reply = self._link.exchange(token, lambda adapter: adapter.request(method, f"/v1/{path}", json=payload))
        if reply.status == _FORBIDDEN:
            raise KmsDeniedError("the KMS forbids this to the vault, even with a new token: check its policy")
        return reply
