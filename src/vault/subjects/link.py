"""Link and Unlink: other names of a subject come and go; the one that it was made with stays."""

from vault.admission import Admitted
from vault.errors import FieldViolation, VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.named_subjects import lookups
from vault.store.reads import Reads
from vault.subjects import aliases
from vault.subjects.belongings import belongings
from vault.subjects.named import find, need, need_lasting
from vault.v1 import common_pb2
from vault.v1 import subject_service_pb2 as v1

LINK, UNLINK = "Link", "Unlink"


class Link:
    """One Link request."""

    def __init__(self, request: v1.LinkRequest) -> None:
        self._request = request

    def reads(self, keys: TenantKeys) -> Reads:
        """Whoever has one of the two names; nobody else may give them away meanwhile."""
        return Reads(subjects=lookups(keys, [self._request.subject_id, self._request.alias]), owning=True)

    def decide(self, admitted: Admitted) -> v1.LinkResponse:
        """Link, unless it is linked."""
        admitted.permit(LINK, "")
        known = need_lasting(admitted, need(admitted, self._request.subject_id))
        other = find(admitted, self._request.alias)
        if other is None:
            aliases.need_room(len(belongings(admitted, known).aliases) + 1)
            aliases.add(admitted, known, self._request.alias)
        elif other.subject.uid != known.subject.uid:
            raise aliases.taken(admitted, known, other)
        return v1.LinkResponse()


class Unlink:
    """One Unlink request."""

    def __init__(self, request: v1.UnlinkRequest) -> None:
        self._request = request

    def reads(self, keys: TenantKeys) -> Reads:
        """Whoever has the name."""
        return Reads(subjects=lookups(keys, [self._request.alias]), owning=True)

    def decide(self, admitted: Admitted) -> v1.UnlinkResponse:
        """Take the name away."""
        admitted.permit(UNLINK, "")
        known = need_lasting(admitted, need(admitted, self._request.alias))
        if known.alias is None:
            rule = "must be a name that was linked; the one that a subject was made with stays"
            raise VaultError(common_pb2.ERROR_REASON_INVALID_FIELD, f"alias {rule}", violations=[FieldViolation("alias", rule)])
        admitted.writes.dropped.append(known.alias)
        return v1.UnlinkResponse()
