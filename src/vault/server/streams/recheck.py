"""Whether who opened a stream may still have it: asked every few seconds of the rows that calls are admitted by."""

import time

from vault.admission import admit
from vault.audit.events import Draft
from vault.call import Call
from vault.kms.tenant_keys import KeyCache, TenantKeys
from vault.server.audit_service import AuditService
from vault.server.dispatcher import Dispatcher
from vault.store.reads import Rows

EVERY_S = 5.0


class Recheck:
    """Asks the database, past the lane: nothing is used and nothing written."""

    def __init__(self, audit: AuditService, dispatcher: Dispatcher, keys: KeyCache) -> None:
        self._audit = audit
        self._dispatcher = dispatcher
        self._keys = keys

    def of(self, call: Call) -> "Rechecks":
        """The checks of one stream."""
        return Rechecks(self, call)

    async def check(self, call: Call) -> None:
        """Refuse what would be refused if it were called now.

        Raises:
            VaultError: PRINCIPAL_SUSPENDED, TENANT_SEALED and whatever else keeps a call from being admitted; UNAVAILABLE, if
                the tenant's keys can't be had any more, or the database does not answer.
        """
        rows = await self._audit.admission_rows(call.head)
        keys = await self._keys_of(call, rows)
        draft = Draft(call.caller, call.action, call.context)
        admit(call.caller, rows, keys, draft, call.policy).permit(call.action, "")

    async def _keys_of(self, call: Call, rows: Rows) -> TenantKeys:
        keys = await self._dispatcher.keys_of(call.caller.tenant_uid)
        if rows.tenant and rows.tenant.key_generation != keys.generation:
            self._keys.drop(call.caller.tenant_uid)
            keys = await self._dispatcher.keys_of(call.caller.tenant_uid)
        return keys


class Rechecks:
    """When one stream is checked; the first time some seconds after it was admitted."""

    def __init__(self, recheck: Recheck, call: Call) -> None:
        self._recheck = recheck
        self._call = call
        self.due_at = time.monotonic() + EVERY_S
        """Monotonic seconds."""

    async def when_due(self) -> None:
        """Check if it is time to; raises VaultError as ``Recheck.check`` does."""
        if time.monotonic() >= self.due_at:
            await self._recheck.check(self._call)
            self.due_at = time.monotonic() + EVERY_S
