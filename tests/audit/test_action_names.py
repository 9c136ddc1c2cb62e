"""Whoever writes events and whoever looks for them call actions and details alike, and docs/formats.md knows each of them."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from vault.audit import actions
from vault.audit.details import Detail, key_name
from vault.auditing import uses
from vault.cli.audit import story
from vault.kms.tenant_keys import EPOCH, INDEX
from vault.v1 import audit_service_pb2, field_service_pb2, key_service_pb2, subject_service_pb2, vault_service_pb2

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
SECTION = (ROOT / "docs" / "formats.md").read_text("utf-8").partition("### Actions that are no methods\n")[2].partition("\n### ")[0]
OWN = {value for name, value in vars(actions).items() if name.isupper()}
SERVICES = (audit_service_pb2, field_service_pb2, key_service_pb2, subject_service_pb2, vault_service_pb2)
METHODS = {name for file in SERVICES for each in file.DESCRIPTOR.services_by_name.values() for name in each.methods_by_name}
WRITERS = {"Act", "AuthorityAct", "Call", "Draft", "KeyAct", "Notice"}
"""What makes events; the action is their second argument."""


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((SOURCE / "vault").rglob("*.py")):
        if not path.name.endswith("_pb2.py"):
            yield path, ast.parse(path.read_text("utf-8"))


def action_arguments(tree: ast.Module) -> Iterator[ast.expr]:
    """What is handed to those that make events, or to whom they inherit from, as the action."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(isinstance(base, ast.Name) and base.id in WRITERS for base in node.bases):
            calls = [call for call in ast.walk(node) if isinstance(call, ast.Call) and ast.unparse(call.func) == "super().__init__"]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WRITERS:
            calls = [node]
        else:
            continue
        yield from (call.args[1] for call in calls if len(call.args) > 1)
        yield from (word.value for call in calls for word in call.keywords if word.arg == "action")


def written() -> Iterator[tuple[str, str]]:
    """Each action that is written as it stands there or as a constant, and where; those that are handed on come from others."""
    for path, tree in modules():
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        for argument in action_arguments(tree):
            if isinstance(argument, ast.Constant):
                yield argument.value, module
            elif isinstance(argument, ast.Name) and argument.id.isupper():
                yield getattr(import_module(module), argument.id), module


def test_each_action_that_is_no_method_stands_in_the_formats_and_none_of_them_is_a_relic():
    listed = [name for first in re.findall(r"^\| (`[^|]+) \|", SECTION, re.MULTILINE) for name in re.findall(r"`(\w+)`", first)]
    assert sorted(listed) == sorted(OWN)
    used = {
        each.id for path, tree in modules() if path.name != "actions.py" for each in ast.walk(tree) if isinstance(each, ast.Name)
    }
    assert [name for name in vars(actions) if name.isupper() and name not in used] == []


def test_whatever_makes_an_event_calls_it_by_a_method_or_by_a_name_of_the_one_list():
    found = list(written())
    assert len(found) > 15
    assert [(action, module) for action, module in found if action not in OWN | METHODS] == []


def test_nobody_else_spells_out_the_name_of_an_act():
    spelled = [
        (str(path.relative_to(SOURCE)), node.value)
        for path, tree in modules()
        if path.name != "actions.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in OWN
    ]
    assert spelled == []


def test_no_act_has_the_name_of_a_method():
    assert OWN.isdisjoint(METHODS)


@pytest.mark.parametrize("known", [uses._BY_ACTION, story._VERBS], ids=["the uses of a breach", "the words of a timeline"])
def test_who_reads_events_knows_no_action_that_nobody_writes(known):
    assert set(known) <= OWN | METHODS


def test_each_detail_that_is_looked_for_stands_in_the_formats():
    receipt = (ROOT / "docs" / "formats.md").read_text("utf-8").partition("## Erasure receipt\n")[2]
    for name, value in vars(Detail).items():
        if name.isupper():
            assert f"`{value}`" in SECTION or f"`{value}`" in receipt, name


def test_keys_are_called_in_the_log_as_the_formats_say():
    assert f"`{key_name(EPOCH, 7)}`, `{key_name(INDEX, 4)}`" in SECTION
    assert f"`{key_name(EPOCH, 7)},{key_name(INDEX, 7)}`" in SECTION
