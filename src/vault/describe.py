"""Describe: what is known about tokens. Opens the caller's own name of the subject, never a value."""

from vault import per_item
from vault.admission import Admitted
from vault.errors import VaultError
from vault.held_tokens import hold, note_refusal, permit, touch, well_formed
from vault.kms.tenant_keys import TenantKeys
from vault.safe import current, open_subject_id
from vault.store.reads import Held, Reads
from vault.v1 import vault_service_pb2

ACTION = "Describe"


class Describe:
    """One Describe request."""

    def __init__(self, request: vault_service_pb2.DescribeRequest) -> None:
        self._request = request

    def reads(self, _keys: TenantKeys) -> Reads:
        """The tokens."""
        return Reads(tokens=well_formed(self._request.tokens))

    def decide(self, admitted: Admitted) -> vault_service_pb2.DescribeResponse:
        """Describe each token, also those that are expired or used up."""

        def work(_index: int, token: str) -> vault_service_pb2.DescribeResult:
            held = hold(admitted, token)
            permit(admitted, ACTION, held)
            touch(admitted, held)
            return vault_service_pb2.DescribeResult(description=describe(admitted, held))

        def refused(token: str, error: VaultError) -> None:
            note_refusal(admitted, token, error)

        results = per_item.each(
            self._request.tokens, self._request.atomicity, "tokens", work, vault_service_pb2.DescribeResult, refused
        )
        return vault_service_pb2.DescribeResponse(results=results)


def describe(admitted: Admitted, held: Held) -> vault_service_pb2.Description:
    """What is known about a token and its item."""
    token, item = held.token, held.item
    description = vault_service_pb2.Description(
        token=token.text,
        subject_id=open_subject_id(admitted, current(admitted, held)),
        data_class=item.data_class,
        revision=item.revision,
        purposes=item.purposes.split(","),
        provenance=item.provenance,  # type: ignore[arg-type]
        ill_formed=item.lenient,
        max_reveals=token.max_reveals,
        reveals_used=token.reveals_used,
    )
    description.create_time.FromMicroseconds(item.create_us)
    description.update_time.FromMicroseconds(item.update_us)
    if token.expire_us is not None:
        description.expire_time.FromMicroseconds(token.expire_us)
    return description
