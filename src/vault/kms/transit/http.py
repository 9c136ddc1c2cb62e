"""One HTTP exchange with Transit: bounded in time and size, and never an exception that carries a request or an answer.

Requests and answers hold keys in base64. hvac's and requests' exceptions keep both, so none of them leaves this module, not
even as the context of another exception.
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import requests
from hvac.adapters import RawAdapter
from hvac.api import AuthMethods
from urllib3.exceptions import HTTPError

from vault.kms.transit.config import CertificateAuth, TransitConfig

MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
MAX_RETRY_AFTER_S: Final = 30
_CHUNK_BYTES: Final = 64 * 1024


class TransportError(Exception):
    """There was no answer. The message says how it failed, and nothing about what was sent."""


class Payload(dict[str, Any]):
    """A request's JSON object, which does not show its content."""

    def __repr__(self) -> str:
        return "<Payload>"


@dataclass(frozen=True)
class Reply:
    """An answer, whatever its status.

    Attributes:
        status: the HTTP status.
        body: the JSON object; empty if there was none. Not shown.
        retry_after_s: what it says in seconds (RFC 9110 section 10.2.3), if it does; at most 30.
    """

    status: int
    body: Mapping[str, Any] = field(repr=False)
    retry_after_s: float | None = None

    @property
    def data(self) -> Mapping[str, Any]:
        """The ``data`` object of the body, empty if there is none."""
        data = self.body.get("data")
        return data if isinstance(data, dict) else {}

    @property
    def is_sealed(self) -> bool:
        """Whether this is a sealed KMS talking: status 503 and an error that says so."""
        return self.status == 503 and "sealed" in str(self.body.get("errors")).lower()


class ReplyAdapter(RawAdapter):  # type: ignore[misc]  # hvac has no types
    """hvac's adapter with its own session, for one thread. Gives a ``Reply`` for every status.

    Attributes:
        deadline: the ``time.monotonic`` after which nothing is waited for.
        methods: hvac's login and token calls through this adapter.
    """

    def __init__(self, config: TransitConfig) -> None:
        auth = config.auth
        session = requests.Session()
        session.trust_env = False  # no proxies, no .netrc, no other CAs from the environment
        session.verify = str(config.ca_file)
        if isinstance(auth, CertificateAuth):
            session.cert = (str(auth.certificate_file), str(auth.key_file))
        super().__init__(
            base_uri=config.address,
            verify=str(config.ca_file),
            session=session,
            namespace=config.namespace,
            allow_redirects=False,
        )
        self._timeout_s = config.timeout_s
        self.deadline = 0.0
        self.methods = AuthMethods(adapter=self)

    def remaining_s(self) -> float:
        """Seconds until the deadline, 0 if it has passed."""
        return max(0.0, self.deadline - time.monotonic())

    def request(
        self, method: str, url: str, headers: dict[str, str] | None = None, raise_exception: bool = True, **kwargs: Any
    ) -> Reply:
        """Send one request; ``raise_exception`` is hvac's and has no effect.

        Raises:
            TransportError: no connection, no trust, no answer in time, or an answer that is none.
        """
        try:
            with super().request(
                method, url, headers, raise_exception=False, timeout=self._timeouts(), stream=True, **kwargs
            ) as response:
                retry_after_s = _seconds(response.headers.get("Retry-After", ""))
                return Reply(response.status_code, _parse(response.ok, self._read(response)), retry_after_s)
        except TransportError:
            raise
        except (requests.Timeout, TimeoutError):
            failure = "it did not answer in time"
        except requests.exceptions.SSLError:
            failure = "its certificate is not trusted, or TLS failed"
        except (requests.RequestException, HTTPError, ConnectionError):
            failure = "it cannot be reached, or the connection broke"
        except OSError:
            failure = "the CA file or the client certificate cannot be read"
        raise TransportError(failure)

    def _timeouts(self) -> tuple[float, float]:
        """For connecting and reading: a quarter for TCP, a quarter for TLS and half for the answer fit into what is left."""
        remaining = self.remaining_s()
        if not remaining:
            raise TransportError("the time for this call is over")
        connect_s, read_s = self._timeout_s
        return min(connect_s, remaining / 4), min(read_s, remaining / 2)

    def _read(self, response: requests.Response) -> bytes:
        """The body. Read piece by piece because the read timeout is one for each piece."""
        body = bytearray()
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise TransportError("its answer is too large")
            if not self.remaining_s():
                raise TransportError("it did not answer in time")
        return bytes(body)


def _seconds(text: str) -> float | None:
    return float(min(int(text), MAX_RETRY_AFTER_S)) if re.fullmatch("[0-9]{1,9}", text) else None


def _parse(ok: bool, body: bytes) -> Mapping[str, Any]:
    """The JSON object in an answer. An error without one, say from a load balancer, counts as an empty one."""
    if not body:
        return {}
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict):
        return parsed
    if ok:
        raise TransportError("its answer is not a JSON object")
    return {}
