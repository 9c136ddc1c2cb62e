"""The README's example runs as it stands."""

import re
from pathlib import Path

from pdvault_client import VaultClient
from vault.errors import VaultError
from vault.v1 import common_pb2, vault_service_pb2

README = Path(__file__).parents[2] / "clients" / "python" / "README.md"
NOT_FOUND = VaultError(common_pb2.ERROR_REASON_TOKEN_NOT_FOUND, "no such token").to_status()


def test_the_example_of_the_readme_runs(connect, scripted, monkeypatch, capsys):
    monkeypatch.setattr(VaultClient, "from_environment", connect)
    value = {"value": {"text": "li@example.org"}, "data_class": "email"}
    scripted.script("Tokenize", vault_service_pb2.TokenizeResponse(results=[{"token": "eml_A"}]))
    scripted.script(
        "Reveal",
        *[vault_service_pb2.RevealResponse(results=[value])] * 2,
        vault_service_pb2.RevealResponse(results=[value, {"error": NOT_FOUND}]),
    )
    scripted.script("Verify", vault_service_pb2.VerifyResponse(results=[{"matches": True}]))
    scripted.script("Search", vault_service_pb2.SearchResponse(results=[{"items": [{"token": "eml_A", "revision": 1}]}]))
    example = re.search(r"```python\n(from .*?)```", README.read_text(), re.DOTALL)
    exec(compile(example[1], str(README), "exec"), {})  # noqa: S102  # our own README
    found, revealed, error = capsys.readouterr().out.splitlines()
    assert found == "eml_A 1"
    assert revealed.startswith("Revealed(")
    assert "li@" not in revealed
    assert "TOKEN_NOT_FOUND" in error
