import inspect

import pytest

from vault.crypto import binding
from vault.crypto.encoding import EncodingError
from vault.crypto.envelope import DecryptionError, seal, unseal

A, B, C, D = (bytes([digit]) * 16 for digit in b"abcd")
PLACES = {
    "item": {
        "tenant_uid": A,
        "subject_uid": B,
        "data_class": "email",
        "item_uid": C,
        "revision": 1,
        "key_version": 7,
    },
    "subject_key": {"tenant_uid": A, "subject_uid": B, "kind": "store", "version": 1, "key_id": C, "epoch": 7},
    "subject_id": {"tenant_uid": A, "subject_uid": B, "key_version": 7},
    "alias": {"tenant_uid": A, "subject_uid": B, "alias_uid": C, "key_version": 7},
    "kms_context": {"tenant_uid": A, "kind": "epoch", "version": 1},
    "digest_key": {"tenant_uid": A, "request_id": B, "principal_uid": C, "epoch": 7},
    "opening": {"tenant_uid": A, "erasure_uid": B, "request_id": C, "principal_uid": bytes(16), "epoch": 7},
}
FIELDS = [(function, field) for function, place in PLACES.items() for field in place]


def another(value):
    """A value of the same type next to this one."""
    if isinstance(value, int):
        return value + 1
    return D if isinstance(value, bytes) else value + "x"


def test_binds_as_the_document_says(binding_vector, unspell):
    arguments = {name: unspell(value) for name, value in binding_vector["arguments"].items()}
    assert getattr(binding, binding_vector["function"])(**arguments).hex() == binding_vector["packed"]


def test_every_function_and_field_is_tested():
    functions = {
        name: list(inspect.signature(function).parameters)
        for name, function in inspect.getmembers(binding, inspect.isfunction)
        if function.__module__ == binding.__name__ and not name.startswith("_")
    }
    assert functions == {name: list(place) for name, place in PLACES.items()}


@pytest.mark.parametrize(("function", "field"), FIELDS)
def test_an_envelope_moved_to_another_place_is_refused(key, function, field):
    bind, place = getattr(binding, function), PLACES[function]
    envelope = seal(key, 7, b"value", bind(**place))
    assert unseal(key, envelope, bind(**place)) == b"value"
    with pytest.raises(DecryptionError):
        unseal(key, envelope, bind(**place | {field: another(place[field])}))


@pytest.mark.parametrize(
    ("field", "other"), [("tenant_uid", "subject_uid"), ("subject_uid", "item_uid"), ("revision", "key_version")]
)
def test_two_fields_cannot_change_places(field, other):
    place = PLACES["item"]
    assert binding.item(**place) != binding.item(**place | {field: place[other], other: place[field]})


def test_no_two_functions_bind_to_the_same():
    bound = [getattr(binding, function)(**place) for function, place in PLACES.items()]
    labels = [data[4 : 4 + int.from_bytes(data[:4], "big")] for data in bound]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("uid", [b"", A[:-1], A + b"\x00", A.decode(), None], ids=repr)
@pytest.mark.parametrize(
    ("function", "field"), [(function, field) for function, field in FIELDS if field.endswith(("_uid", "key_id"))]
)
def test_a_uid_that_is_not_16_bytes_is_refused(function, field, uid):
    with pytest.raises(ValueError, match="16 bytes"):
        getattr(binding, function)(**PLACES[function] | {field: uid})


@pytest.mark.parametrize("number", [-1, 2**64])
@pytest.mark.parametrize(
    ("function", "field"), [(function, field) for function, field in FIELDS if type(PLACES[function][field]) is int]
)
def test_a_number_out_of_range_is_refused(function, field, number):
    with pytest.raises(EncodingError):
        getattr(binding, function)(**PLACES[function] | {field: number})
