"""Destroy: asking for the end of KEK versions, which takes two. The key worker does it, once it has looked again itself."""

from collections.abc import Sequence

from vault.admission import Admitted
from vault.approvals.second_principal import Need, ask, use
from vault.errors import VaultError
from vault.keys.acts import in_use
from vault.keys.operations import begin, described
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Reads
from vault.store.rows import TenantKeyRow
from vault.store.states import KeyState, OperationKind
from vault.v1 import common_pb2
from vault.v1 import key_service_pb2 as v1

DESTROY = OperationKind.DESTROY


class Destroy:
    """One Destroy request."""

    def __init__(self, request: v1.DestroyRequest) -> None:
        self._request = request

    def reads(self, _keys: TenantKeys) -> Reads:
        """The tenant's keys."""
        return Reads(tenant_keys=True)

    def decide(self, admitted: Admitted) -> v1.DestroyResponse:
        """Ask for it, or begin."""
        admitted.permit(DESTROY, "")
        keep_from = self._request.keep_from_version
        admitted.draft.details["keep_from"] = str(keep_from)
        _check_known(admitted.rows.tenant_keys, keep_from)
        ending = _ending(admitted.rows.tenant_keys, keep_from)
        need = Need(DESTROY, self._request, _summary(admitted, keep_from, ending))
        if not self._request.approval_uid:
            return v1.DestroyResponse(approval=ask(admitted, need))
        use(admitted, need, self._request.approval_uid)
        wanted = v1.DestroyRequest(keep_from_version=keep_from)
        return v1.DestroyResponse(operation=described(begin(admitted, DESTROY, wanted)))


def _check_known(rows: Sequence[TenantKeyRow], keep_from: int) -> None:
    """Refuse a version that neither is nor would be the next one: somebody mistyped it.

    Raises:
        VaultError: WRONG_STATE.
    """
    newest = max(row.kek_version for row in rows)
    if keep_from > newest + 1:
        raise VaultError(
            common_pb2.ERROR_REASON_WRONG_STATE,
            f"there is no KEK version {keep_from}: the newest is {newest}. Name the oldest one that stays",
        )


def _ending(rows: Sequence[TenantKeyRow], keep_from: int) -> list[TenantKeyRow]:
    """The keys that end with it.

    Raises:
        VaultError: KEY_IN_USE, if something hangs on one of them; WRONG_STATE, if there is none.
    """
    used = in_use(rows, keep_from)
    if used:
        raise VaultError(
            common_pb2.ERROR_REASON_KEY_IN_USE,
            f"KEK versions before {keep_from} still hold {', '.join(used)}; let `pdvault keys rotate` come to its end first",
        )
    ending = [row for row in rows if row.kek_version < keep_from and row.state == KeyState.RETIRED]
    if not ending:
        raise VaultError(common_pb2.ERROR_REASON_WRONG_STATE, f"nothing is left of KEK versions before {keep_from}")
    return ending


def _summary(admitted: Admitted, keep_from: int, ending: Sequence[TenantKeyRow]) -> str:
    keys = ", ".join(f"{row.kind} key {row.version}" for row in ending)
    return f"Destroy all KEK versions before {keep_from} of the tenant {admitted.tenant.name}, and with them {keys}"
