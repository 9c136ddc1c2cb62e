"""Policies that are not sound are refused when they are loaded, with what is wrong."""

import json

import cedarpy
import pytest

from vault.access import policy_text
from vault.errors import VaultError
from vault.v1 import common_pb2

POLICIES, SCHEMA = policy_text.built_in_text()


def refused(policies: str, schema: str = SCHEMA) -> str:
    with pytest.raises(VaultError) as caught:
        policy_text.load(policies, schema)
    assert caught.value.reason == common_pb2.ERROR_REASON_INVALID_FIELD
    assert caught.value.violations
    return caught.value.message


def test_the_built_in_policies_keep_to_their_schema():
    result = cedarpy.validate_policies(POLICIES, SCHEMA)
    assert result.validation_passed, result.errors


def test_every_built_in_policy_has_an_id_of_its_own():
    policies = json.loads(cedarpy.policies_to_json_str(POLICIES))["staticPolicies"].values()
    assert len({policy["annotations"]["id"] for policy in policies}) == len(policies) == 14


def test_permits_are_told_apart_from_forbids():
    loaded = policy_text.load(POLICIES, SCHEMA)
    assert (len(loaded.every), len(loaded.permits)) == (14, 12)


@pytest.mark.parametrize(
    ("addition", "wrong"),
    [
        ("permit (", "parse error"),
        ('@id("x") permit (principal in Role::"tokeniser", action, resource);', "tokeniser"),
        ('@id("x") permit (principal, action == Action::"Revael", resource);', "Revael"),
        ('@id("x") forbid (principal, action, resource) when { context.purpsoe == "" };', "purpsoe"),
        ('@id("x") forbid (principal, action, resource) when { context.purpose > 3 };', "policy14"),
        ("permit (principal, action, resource);", "have no @id"),
        ('@id("") permit (principal, action, resource);', "have no @id"),
        ("@id permit (principal, action, resource);", "have no @id"),
        ('@id("admin-deletes") permit (principal, action, resource);', "more than once: admin-deletes"),
        ('@id("x") permit (principal == ?principal, action, resource);', "templates"),
    ],
    ids=["syntax", "role", "action", "attribute", "type", "no-id", "empty-id", "bare-id", "same-id", "template"],
)
def test_a_policy_that_is_not_sound_is_refused_with_what_is_wrong(addition, wrong):
    assert wrong in refused(POLICIES + addition)


def test_a_schema_that_is_not_sound_is_refused():
    assert "schema" in refused(POLICIES, "entity")
    assert "unrecognized action" in refused(POLICIES, "entity Role;")
