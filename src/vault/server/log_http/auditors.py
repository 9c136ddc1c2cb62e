"""Who reads a log over HTTPS, and whether they may: by certificate, through the lane like any call, so each leaves its event."""

import ssl
import time
import uuid
from datetime import UTC, datetime

import structlog
from aiohttp import web

from vault.access.identity import read_leaf
from vault.access.policy import PolicyEngine
from vault.audit.events import Caller
from vault.call import Call
from vault.errors import VaultError
from vault.read_log_file import ReadLogFile
from vault.server.dispatcher import Dispatcher
from vault.server.metrics import Metrics
from vault.server.trust import Trust
from vault.server.unheard import Unheard
from vault.v1 import common_pb2

log = structlog.get_logger(__name__)

_CALL_S = 10.0


class Auditors:
    """Tells who asks, and lets their calls be decided."""

    def __init__(self, trust: Trust, policy: PolicyEngine, dispatcher: Dispatcher, metrics: Metrics, unheard: Unheard) -> None:
        self._trust = trust
        self._policy = policy
        self._dispatcher = dispatcher
        self._metrics = metrics
        self.unheard = unheard

    def caller(self, request: web.BaseRequest, action: str) -> Caller:
        """The caller by its certificate, verified against the one CA that issued it.

        Raises:
            VaultError: CERTIFICATE_REFUSED; told in the system's log with others, since no tenant is known.
        """
        try:
            leaf = read_leaf(_certificate(request))
            issuer = self._trust.bundle.identify(leaf, datetime.now(UTC))
        except VaultError as error:
            self._metrics.unauthenticated.inc()
            self.unheard.stranger(action, error.reason_name)
            raise
        return Caller(issuer.tenant_uid, leaf.name, issuer.sha256, leaf.sha256)

    async def admit(self, caller: Caller, use_case: ReadLogFile) -> None:
        """Let the call be decided, and its event committed.

        Raises:
            VaultError: the caller may not read this log, or it does not go so far.
        """
        context = common_pb2.CallContext(request_id=str(uuid.uuid4()))
        call = Call(caller, use_case.action, context, use_case, self._policy, time.monotonic() + _CALL_S)
        await self._dispatcher.run(call, 1)


def _certificate(request: web.BaseRequest) -> bytes:
    """The client's certificate in PEM.

    Raises:
        VaultError: CERTIFICATE_REFUSED, if it has presented none.
    """
    connection = request.transport.get_extra_info("ssl_object") if request.transport else None
    der = connection.getpeercert(binary_form=True) if connection else None
    if der is None:
        raise VaultError(common_pb2.ERROR_REASON_CERTIFICATE_REFUSED, "no client certificate was presented")
    return ssl.DER_cert_to_PEM_cert(der).encode()
