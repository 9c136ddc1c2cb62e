"""Policies as text, made ready to decide: parsed, checked against the schema, every one of them named."""

import json
from collections import Counter
from dataclasses import dataclass
from importlib.resources import files

import cedarpy

from vault.errors import FieldViolation, VaultError
from vault.v1 import common_pb2


@dataclass(frozen=True)
class LoadedPolicies:
    """Cedar handles for one version of the policies.

    Attributes:
        every: all policies.
        permits: only those that permit: what the principal could do if nothing were forbidden.
        schema: what both were checked against.
    """

    every: cedarpy.PolicySet
    permits: cedarpy.PolicySet
    schema: cedarpy.Schema


def built_in_text() -> tuple[str, str]:
    """The policies and the schema that come with the vault, in Cedar's own syntax."""
    folder = files("vault.access").joinpath("policies")
    return folder.joinpath("roles.cedar").read_text("utf-8"), folder.joinpath("schema.cedarschema").read_text("utf-8")


def load(policies: str, schema: str) -> LoadedPolicies:
    """Parses ``policies`` and checks them against ``schema``.

    Each needs an ``@id`` of its own, since that is what answers and audit events name. Templates are refused: they decide
    nothing until something links them, and nothing does.

    Raises:
        VaultError: INVALID_FIELD, with what is wrong in the text.
    """
    try:
        parsed_schema = cedarpy.Schema.from_str(schema)
    except ValueError as error:
        raise _refusal("schema", [str(error)]) from None
    validation = cedarpy.validate_policies(policies, parsed_schema)
    if not validation.validation_passed:
        raise _refusal("policies", [str(error) for error in validation.errors])
    document = json.loads(cedarpy.policies_to_json_str(policies))
    if document["templates"]:
        raise _refusal("policies", ["templates (?principal, ?resource) are not supported"])
    _check_ids(document["staticPolicies"])
    document["staticPolicies"] = {key: policy for key, policy in document["staticPolicies"].items() if policy["effect"] == "permit"}
    permits = cedarpy.PolicySet.from_json_str(json.dumps(document))
    return LoadedPolicies(cedarpy.PolicySet.from_str(policies), permits, parsed_schema)


def _check_ids(policies: dict[str, dict[str, dict[str, str]]]) -> None:
    ids = Counter(policy.get("annotations", {}).get("id") or "" for policy in policies.values())
    if ids[""]:
        raise _refusal("policies", [f'{ids[""]} of {len(policies)} policies have no @id("...")'])
    repeated = sorted(name for name, count in ids.items() if count > 1)
    if repeated:
        raise _refusal("policies", [f"@id is used more than once: {', '.join(repeated)}"])


def _refusal(field: str, rules: list[str]) -> VaultError:
    return VaultError(
        common_pb2.ERROR_REASON_INVALID_FIELD,
        f"The {field} cannot be loaded: {'; '.join(rules)}. Correct it and load it again.",
        violations=[FieldViolation(field, rule) for rule in rules],
    )
