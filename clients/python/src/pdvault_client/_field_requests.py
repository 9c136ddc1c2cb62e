"""Dataclasses to fields of FieldService's requests."""

from collections.abc import Callable

from pdvault_client._requests import Fields, text, value
from pdvault_client.field_types import DecryptItem, FieldValue, ReencryptItem, ciphertext_from_text
from pdvault_client.types import Form


def field_value(item: FieldValue) -> Fields:
    """An EncryptItem."""
    if isinstance(item.purposes, str):
        raise TypeError("purposes must be a sequence; put a single one in a list")
    return {
        "subject_id": text("subject_id", item.subject_id),
        "data_class": item.data_class,
        "value": value(item.value),
        "purposes": item.purposes,
        "validation": item.validation,
        **_bound(item.associated_data),
    }


def decrypt_item(form: Form) -> Callable[[bytes | str | DecryptItem], Fields]:
    """A DecryptItem; a bare ciphertext gets this form."""

    def convert(item: bytes | str | DecryptItem) -> Fields:
        item = item if isinstance(item, DecryptItem) else DecryptItem(item, form=form)
        chosen = {"kind": item.form.kind, "partial_name": item.form.partial_name}
        return {"ciphertext": _ciphertext(item.ciphertext), "form": chosen, **_bound(item.associated_data)}

    return convert


def reencrypt_item(item: bytes | str | ReencryptItem) -> Fields:
    """A ReencryptItem."""
    item = item if isinstance(item, ReencryptItem) else ReencryptItem(item)
    return {"ciphertext": _ciphertext(item.ciphertext), **_bound(item.associated_data)}


def _ciphertext(given: bytes | str) -> bytes:
    return ciphertext_from_text(given) if isinstance(given, str) else given


def _bound(associated_data: bytes | None) -> Fields:
    return {} if associated_data is None else {"associated_data": associated_data}
