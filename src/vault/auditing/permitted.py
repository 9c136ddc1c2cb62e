"""The call of an auditor that names nobody: a policy decides, and the event says what is read of the log."""

from collections.abc import Mapping

from google.protobuf.message import Message

from vault.admission import Admitted
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Reads


class Permitted:
    """One request of an action."""

    def __init__(self, action: str, request: Message, details: Mapping[str, object]) -> None:
        """Make it; ``details`` go into the event."""
        self._action = action
        self._request = request
        self._details = details

    def reads(self, _keys: TenantKeys) -> Reads:
        """Nothing."""
        return Reads()

    def decide(self, admitted: Admitted) -> Message:
        """The request, as it is."""
        admitted.draft.details.update({name: str(detail) for name, detail in self._details.items()})
        admitted.permit(self._action, "")
        return self._request
