"""Encrypt: values become ciphertexts that callers keep. The vault keeps none of them, only the subject and its field key."""

from vault import per_item
from vault.admission import Admitted
from vault.classes.taxonomy import Taxonomy
from vault.crypto.field_ciphertext import seal_field
from vault.crypto.plaintext import encode
from vault.errors import VaultError
from vault.fields.field_keys import NewestFieldKeys
from vault.fields.opening import caller_data
from vault.kms.tenant_keys import TenantKeys
from vault.named_subjects import Lookups, NamedSubjects, lookups_of, reading
from vault.prepared import Prepared, find_class, prepare
from vault.store.reads import Reads
from vault.store.states import SubjectState
from vault.v1 import field_service_pb2 as v1

ACTION = "Encrypt"


class Encrypt:
    """One Encrypt request; values are validated when it is made."""

    def __init__(self, request: v1.EncryptRequest, taxonomy: Taxonomy) -> None:
        self._request = request
        self._taxonomy = taxonomy
        self._prepared = [self._prepare(item) for item in request.items]
        self._lookups: Lookups = {}

    def reads(self, keys: TenantKeys) -> Reads:
        """The subjects named, by every live index key."""
        self._lookups = lookups_of((item.subject_id for item in self._request.items), keys)
        return reading(self._lookups)

    def decide(self, admitted: Admitted) -> v1.EncryptResponse:
        """Seal the values, each under its subject's newest field key."""
        newest = NewestFieldKeys(admitted, (known.subject.uid for known in admitted.rows.subjects.values()))
        subjects = NamedSubjects(admitted, self._lookups)

        def work(index: int, item: v1.EncryptItem) -> v1.EncryptResult:
            prepared = self._prepared[index]
            if isinstance(prepared, VaultError):
                raise prepared
            known = subjects.find(item.subject_id)
            data_class = prepared.data_class.name
            admitted.permit(ACTION, data_class, state=known.subject.state if known else SubjectState.ACTIVE)
            subject = subjects.find_or_make(item.subject_id).subject
            ciphertext = seal_field(
                newest.find_or_make(subject.uid),
                data_class,
                item.purposes or [admitted.draft.context.purpose],
                encode(prepared.value),
                caller_data=caller_data(item),
                ill_formed=prepared.lenient,
            )
            admitted.draft.touch_subject(data_class, subject.uid, items=1)
            return v1.EncryptResult(ciphertext=ciphertext)

        def refused(item: v1.EncryptItem, error: VaultError) -> None:
            known = item.data_class if self._taxonomy.get(item.data_class) else ""
            admitted.draft.touch_unknown(known, error.audited_as)

        results = per_item.each(self._request.items, self._request.atomicity, "items", work, v1.EncryptResult, refused)
        return v1.EncryptResponse(results=results)

    def _prepare(self, item: v1.EncryptItem) -> Prepared | VaultError:
        try:
            return prepare(find_class(self._taxonomy, item.data_class), item.value, item.validation)
        except VaultError as error:
            return error
