"""The client of FieldService: ciphertexts for your own database, under keys that belong to one person each."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Unpack

from pdvault_client import _answers, _field_requests, _requests
from pdvault_client._contract import FIELD
from pdvault_client.connection import Connection
from pdvault_client.field_types import DecryptItem, FieldValue, Reencrypted, ReencryptItem
from pdvault_client.options import CallOptions, SeriesOptions
from pdvault_client.results import Results
from pdvault_client.types import Atomicity, Form, Revealed

_ALL = Atomicity.ALL_OR_NOTHING


class FieldClient(Connection):
    """A connection for encrypting fields. Any number of threads may use it; make it after forking. Use it in ``with``, or close it.

    Every method raises VaultError, or the subclass for its reason. UNAVAILABLE is retried within the deadline. Ciphertexts are
    taken as bytes, or as str in their text form. The vault keeps none; once their subject is erased, nobody can open them.
    """

    _service = FIELD

    def encrypt(
        self, items: Sequence[FieldValue], *, atomicity: Atomicity = _ALL, **options: Unpack[CallOptions]
    ) -> Results[bytes]:
        """Encrypt at most 1,000 values (4 MiB in all, with what ciphertexts are longer). Another ciphertext each time."""
        body = _requests.many("items", items, _field_requests.field_value, atomicity)
        return self._many("Encrypt", body, len(items), _answers.encrypted, atomicity, options)

    def encrypt_one(
        self,
        subject_id: str,
        data_class: str,
        value: str | bytes,
        *,
        associated_data: bytes | None = None,
        **options: Unpack[CallOptions],
    ) -> bytes:
        """Encrypt a value; for more to say of it, ``encrypt`` a FieldValue."""
        item = FieldValue(subject_id, data_class, value, associated_data)
        del subject_id, value  # error reporters print the locals of frames
        return self.encrypt([item], **options)[0]

    def encrypt_many(
        self, items: Iterable[FieldValue], *, batch_size: int = 500, **options: Unpack[SeriesOptions]
    ) -> Iterator[tuple[FieldValue, bytes]]:
        """Encrypt any number of values, batch by batch; yields each item with its ciphertext."""
        for batch in _requests.batches(items, batch_size):
            yield from zip(batch, self.encrypt(batch, **options), strict=True)

    def decrypt(
        self,
        items: Sequence[bytes | str | DecryptItem],
        *,
        form: Form = Form.MASKED,
        atomicity: Atomicity = _ALL,
        **options: Unpack[CallOptions],
    ) -> Results[Revealed]:
        """Get the values in at most 1,000 ciphertexts.

        Args:
            items: ciphertexts, which come out in ``form``, or DecryptItems with what they are bound to and a form of their own.
            form: masked unless you say otherwise.
            atomicity: what one failing item does to the others.
            options: see CallOptions.

        Raises:
            CiphertextRefusedError: one can't be opened; nobody is told why.
            VaultError: any other refusal.
        """
        body = _requests.many("items", items, _field_requests.decrypt_item(form), atomicity)
        return self._many("Decrypt", body, len(items), _answers.revealed, atomicity, options)

    def decrypt_one(
        self,
        ciphertext: bytes | str,
        *,
        associated_data: bytes | None = None,
        form: Form = Form.MASKED,
        **options: Unpack[CallOptions],
    ) -> Revealed:
        """Get one value; see ``decrypt``."""
        return self.decrypt([DecryptItem(ciphertext, associated_data, form)], **options)[0]

    def reencrypt(
        self,
        items: Sequence[bytes | str | ReencryptItem],
        *,
        atomicity: Atomicity = _ALL,
        **options: Unpack[CallOptions],
    ) -> Results[Reencrypted]:
        """Move at most 1,000 ciphertexts to their subjects' newest keys. No value leaves the vault."""
        body = _requests.many("items", items, _field_requests.reencrypt_item, atomicity)
        return self._many("Reencrypt", body, len(items), _answers.reencrypted, atomicity, options)
