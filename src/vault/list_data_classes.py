"""ListDataClasses: the taxonomy, for callers that want to know what they may store."""

from vault.admission import Admitted
from vault.classes.taxonomy import Taxonomy
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Reads
from vault.v1 import vault_service_pb2

ACTION = "ListDataClasses"


class ListDataClasses:
    """One ListDataClasses request."""

    def __init__(self, _request: vault_service_pb2.ListDataClassesRequest, taxonomy: Taxonomy) -> None:
        self._taxonomy = taxonomy

    def reads(self, _keys: TenantKeys) -> Reads:
        """Nothing."""
        return Reads()

    def decide(self, admitted: Admitted) -> vault_service_pb2.ListDataClassesResponse:
        """The classes, by name."""
        admitted.permit(ACTION, "")
        classes = [
            vault_service_pb2.DataClass(
                name=data_class.name,
                title=data_class.title,
                sensitivity=data_class.sensitivity,
                kind=data_class.kind,
                token_prefix=data_class.token_prefix,
                fingerprinted=data_class.fingerprinted,
                partial_forms=sorted(data_class.partial_forms),
                max_bytes=data_class.max_bytes,
            )
            for data_class in self._taxonomy
        ]
        return vault_service_pb2.ListDataClassesResponse(edition=self._taxonomy.edition, data_classes=classes)
