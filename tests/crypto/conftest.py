"""Vectors and helpers of the crypto tests."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vault.crypto.keys import Key

VECTORS = Path(__file__).parents[1] / "vectors"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test that asks for ``<section>_vector`` once for each vector of that section of crypto.json."""
    for name in metafunc.fixturenames:
        if name.endswith("_vector"):
            cases = json.loads((VECTORS / "crypto.json").read_text("utf-8"))[name.removesuffix("_vector")]
            metafunc.parametrize(name, cases, ids=[case.get("id") or case["why"] for case in cases])


@pytest.fixture(scope="session")
def vectors() -> Path:
    return VECTORS


@pytest.fixture
def key() -> Key:
    return Key(bytes(range(32)))


@pytest.fixture(scope="session")
def unspell() -> Callable[[dict[str, Any]], Any]:
    """Reads a field that the vectors wrote with its type."""

    def read(field: dict[str, Any]) -> Any:
        ((kind, value),) = field.items()
        return bytes.fromhex(value) if kind == "bytes" else value

    return read


@pytest.fixture(scope="session")
def damaged() -> Callable[[bytes], Iterator[bytes]]:
    """Every single-bit change of a byte string, every truncation, and one byte more at either end."""

    def changes(data: bytes) -> Iterator[bytes]:
        for bit in range(len(data) * 8):
            yield (int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big")
        for length in range(len(data)):
            yield data[:length]
            yield data[len(data) - length :]
        yield data + b"\x00"
        yield b"\x00" + data

    return changes


@pytest.fixture(scope="session")
def spells_out() -> Callable[[object, bytes], bool]:
    """Whether a text shows a secret, whole or eight bytes of it, as repr, hexadecimal, or list of numbers."""

    def shows(shown: object, secret: bytes) -> bool:
        text = str(shown)
        pieces = [secret[at : at + 8] for at in range(len(secret) - 7)]
        spellings = [form for piece in pieces for form in (repr(piece)[2:-1], piece.hex(), str(list(piece))[1:-1])]
        return any(spelling in text or spelling.upper() in text for spelling in spellings)

    return shows
