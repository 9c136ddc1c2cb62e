"""Values as they come in: matched with their class, validated and normalised, before any transaction begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from vault.classes.data_class import DataClass, InvalidValueError, check
from vault.classes.taxonomy import Taxonomy
from vault.crypto.fingerprint import deterministic, fingerprint
from vault.errors import FieldViolation, VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.v1 import common_pb2

Value = str | bytes


@dataclass(frozen=True, repr=False)
class Prepared:
    """A value ready to be stored or compared. ``normalised`` is None where it has no fingerprint."""

    data_class: DataClass
    value: Value
    normalised: bytes | None
    lenient: bool

    def fingerprint(self, keys: TenantKeys, index_key_version: int) -> bytes | None:
        """The value's fingerprint (32 bytes) under one index key, or None if it has none."""
        if self.normalised is None:
            return None
        key = keys.index(index_key_version)
        return fingerprint(key, self.data_class.name, self.data_class.normaliser_version, self.normalised)

    def deterministic_keys(self, keys: TenantKeys, subject_uid: bytes, purposes: Sequence[str]) -> dict[int, bytes]:
        """What makes the value of this subject, for these purposes, unique: a keyed hash (32 bytes) for each live index key."""
        hashes = {version: self.fingerprint(keys, version) for version in keys.indexes}
        return {
            version: deterministic(keys.indexes[version], subject_uid, value_hash, purposes)
            for version, value_hash in hashes.items()
            if value_hash is not None
        }

    def need_fingerprint(self) -> "Prepared":
        """Itself.

        Raises:
            VaultError: NO_FINGERPRINT if the class, or an ill-formed value, has none.
        """
        if self.normalised is None:
            raise VaultError(
                common_pb2.ERROR_REASON_NO_FINGERPRINT,
                f"a {self.data_class.name} like this has no fingerprint, so it can't be compared or found by value",
            )
        return self


def find_class(taxonomy: Taxonomy, name: str) -> DataClass:
    """The class of this name.

    Raises:
        VaultError: UNKNOWN_DATA_CLASS.
    """
    data_class = taxonomy.get(name)
    if data_class is None:
        rule = "must name a data class; ListDataClasses names them"
        raise VaultError(
            common_pb2.ERROR_REASON_UNKNOWN_DATA_CLASS, f"data_class {rule}", violations=[FieldViolation(".data_class", rule)]
        )
    return data_class


def prepare(data_class: DataClass, value: common_pb2.Value, validation: int = common_pb2.VALIDATION_STRICT) -> Prepared:
    """Validate and normalise a value.

    Raises:
        VaultError: INVALID_VALUE, naming the rule and never the value.
    """
    content: Value = cast(Value, getattr(value, value.WhichOneof("content") or "text"))
    rule = ""
    try:
        check(data_class, content)
    except InvalidValueError as error:
        rule = error.rule
    if rule:
        raise _invalid(data_class, rule)
    try:
        normalised = data_class.normalise(content)
        return Prepared(data_class, content, normalised if data_class.fingerprinted else None, lenient=False)
    except InvalidValueError as error:
        rule = error.rule
    if validation == common_pb2.VALIDATION_LENIENT:
        return Prepared(data_class, content, None, lenient=True)
    raise _invalid(data_class, rule)


def _invalid(data_class: DataClass, rule: str) -> VaultError:
    return VaultError(
        common_pb2.ERROR_REASON_INVALID_VALUE,
        f"the value is no {data_class.name}: it {rule}",
        violations=[FieldViolation(".value", rule)],
    )
