"""Fixtures for the data classes."""

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def vectors() -> dict[str, Any]:
    """Published and synthetic identifiers, with their sources inside the file."""
    return json.loads((Path(__file__).parent / "vectors.json").read_text())
