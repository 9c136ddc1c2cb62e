"""The forms in which values come out, and what policy and audit count them as, wherever the values lie."""

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable
from typing import TypeVar

from vault.classes.data_class import DataClass, InvalidValueError
from vault.classes.taxonomy import Taxonomy
from vault.errors import FieldViolation, VaultError
from vault.v1 import common_pb2

Thing = TypeVar("Thing", bound=Hashable)

_MASKED = common_pb2.Form(kind=common_pb2.FORM_KIND_MASKED)
_PLAIN = common_pb2.Form(kind=common_pb2.FORM_KIND_PLAIN)


def chosen(form: common_pb2.Form) -> common_pb2.Form:
    """The form that was asked for: masked, if none was."""
    return form if form.kind else _MASKED


def parts_asked(asked: Iterable[tuple[Thing, common_pb2.Form]]) -> dict[Thing, set[str]]:
    """The partial forms asked of each thing in one call: together they may give away its value."""
    names = defaultdict[Thing, set[str]](set)
    for thing, form in asked:
        if form.kind == common_pb2.FORM_KIND_PARTIAL:
            names[thing].add(form.partial_name)
    return names


def counts_as(form: common_pb2.Form, data_class: DataClass, parts: Collection[str]) -> common_pb2.Form:
    """The form that policy and audit are asked about: PLAIN, if all the parts asked for leave too few candidates.

    Raises:
        VaultError: UNKNOWN_FORM.
    """
    if form.kind != common_pb2.FORM_KIND_PARTIAL:
        return form
    if form.partial_name not in data_class.partial_forms:
        raise _no_such_form(data_class)
    return _PLAIN if data_class.form_is_plain(parts) else form


def in_form(data_class: DataClass, form: common_pb2.Form, value: str | bytes, *, lenient: bool) -> common_pb2.Value:
    """The value in this form; ``lenient`` values are ill-formed, and nothing of them is shown but the whole.

    Raises:
        VaultError: UNKNOWN_FORM.
    """
    if form.kind == common_pb2.FORM_KIND_PLAIN:
        return common_pb2.Value(text=value) if isinstance(value, str) else common_pb2.Value(data=value)
    if form.kind == common_pb2.FORM_KIND_MASKED:
        return common_pb2.Value(text=data_class.mask_ill_formed if lenient else data_class.mask(value))
    part = None
    if not lenient:
        try:
            part = data_class.partial_forms[form.partial_name](value)
        except InvalidValueError:
            part = None
    if part is None:
        raise _no_such_form(data_class)
    return common_pb2.Value(text=part)


def as_noted(form: common_pb2.Form, taxonomy: Taxonomy) -> common_pb2.Form:
    """The form that a refused item asked for, as the log may hold it: without a name that no class knows."""
    known = not form.partial_name or any(form.partial_name in data_class.partial_forms for data_class in taxonomy)
    return common_pb2.Form(kind=form.kind or _MASKED.kind, partial_name=form.partial_name if known else "")


def _no_such_form(data_class: DataClass) -> VaultError:
    rule = f"must be a partial form that this {data_class.name} has"
    names = ", ".join(sorted(data_class.partial_forms)) or "none"
    return VaultError(
        common_pb2.ERROR_REASON_UNKNOWN_FORM,
        f"partial_name {rule}; the class has: {names}",
        violations=[FieldViolation(".form.partial_name", rule)],
    )
