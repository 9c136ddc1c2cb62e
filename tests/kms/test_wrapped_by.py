"""A wrapped key says by which KEK version it was wrapped."""

import pytest

from vault.crypto.envelope import seal
from vault.crypto.keys import Key
from vault.kms.wrapped_by import wrapped_by


def test_a_key_that_transit_wrapped_names_its_version() -> None:
    assert wrapped_by(b"vault:v12:" + b"A" * 80) == 12


def test_a_key_that_a_keyring_wrapped_names_its_version() -> None:
    assert wrapped_by(seal(Key.generate(), 7, bytes(32), b"bound")) == 7


@pytest.mark.parametrize("blob", [b"", b"v", b"vault:v0:" + b"A" * 80, b"vault:v1", b"vault:vx:", b"\x02" + bytes(65), bytes(66)])
def test_what_is_no_wrapped_key_names_none(blob: bytes) -> None:
    with pytest.raises(ValueError, match="no key"):
        wrapped_by(blob)
