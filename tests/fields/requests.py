"""Requests of FieldService in few words, and what stands in a vault where ciphertexts are asked of it."""

from typing import Any

from tests.harness import context
from tests.use_cases.inside import Inside
from tests.use_cases.requests import PLAIN, new_email, new_subject, value

from vault.crypto import binding
from vault.crypto.field_ciphertext import FieldKey, read_header
from vault.crypto.keys import LABEL_FIELD, LABEL_WRAP, Key, unwrap, wrap
from vault.store import tables as t
from vault.store.rows import SubjectKeyRow
from vault.v1 import common_pb2
from vault.v1 import field_service_pb2 as v1

UNKNOWN_KEY = bytes(range(16))


def encrypt(*items: tuple[str, str, str | bytes], purpose: str = "payout", atomicity: int = 0, **fields: Any) -> v1.EncryptRequest:
    """Encrypt (subject_id, data class, content) triples; ``fields`` go into every item."""
    request = v1.EncryptRequest(context=context(purpose), atomicity=atomicity)  # type: ignore[arg-type]
    for subject_id, data_class, content in items:
        request.items.add(subject_id=subject_id, data_class=data_class, value=value(content), **fields)
    return request


def decrypt(
    *ciphertexts: bytes, kind: int = PLAIN, partial: str = "", purpose: str = "payout", atomicity: int = 0, **fields: Any
) -> v1.DecryptRequest:
    """Decrypt ciphertexts, all in one form; ``fields`` go into every item."""
    request = v1.DecryptRequest(context=context(purpose), atomicity=atomicity)  # type: ignore[arg-type]
    for ciphertext in ciphertexts:
        form = common_pb2.Form(kind=kind, partial_name=partial)  # type: ignore[arg-type]
        request.items.add(ciphertext=ciphertext, form=form, **fields)
    return request


def reencrypt(*ciphertexts: bytes, purpose: str = "payout", atomicity: int = 0, **fields: Any) -> v1.ReencryptRequest:
    """Move ciphertexts to the newest keys; ``fields`` go into every item."""
    request = v1.ReencryptRequest(context=context(purpose), atomicity=atomicity)  # type: ignore[arg-type]
    for ciphertext in ciphertexts:
        request.items.add(ciphertext=ciphertext, **fields)
    return request


def made(vault: Inside, content: str | bytes = "", data_class: str = "email", *, subject: str = "", **fields: Any) -> bytes:
    """The ciphertext of one value, of a new subject unless one is named."""
    request = encrypt((subject or new_subject(), data_class, content or new_email()), **fields)
    ciphertext: bytes = vault.ask(request).results[0].ciphertext
    return ciphertext


def plain(vault: Inside, *ciphertexts: bytes, **options: Any) -> list[str]:
    """The values in ciphertexts, as text."""
    return [result.value.text for result in vault.ask(decrypt(*ciphertexts, **options)).results]


def key_row(vault: Inside, ciphertext: bytes) -> SubjectKeyRow:
    """The row of the key that a ciphertext names."""
    row: SubjectKeyRow = vault.row(t.subject_key, key_id=read_header(ciphertext).key_id)
    return row


def key_in_place(vault: Inside, row: SubjectKeyRow) -> FieldKey:
    """The field key in a row, as the vault takes it."""
    bound = binding.subject_key(row.tenant_uid, row.subject_uid, row.kind, row.version, row.key_id, row.epoch)
    key = unwrap(vault.keys().epoch(row.epoch).derive(LABEL_WRAP), row.wrapped, bound)
    return FieldKey(row.tenant_uid, row.subject_uid, row.key_id, row.version, key.derive(LABEL_FIELD))


def rekey(vault: Inside, row: SubjectKeyRow, key_id: bytes) -> SubjectKeyRow:
    """Give a subject another field key, as re-keying does; the old one stays."""
    version = row.version + 1
    bound = binding.subject_key(row.tenant_uid, row.subject_uid, row.kind, version, key_id, row.epoch)
    wrapped = wrap(vault.keys().epoch(row.epoch).derive(LABEL_WRAP), row.epoch, Key.generate(), bound)
    newer = row._replace(version=version, key_id=key_id, wrapped=wrapped)
    with vault.engine.begin() as connection:
        connection.execute(t.subject_key.insert().values(newer._asdict()))
    return newer
