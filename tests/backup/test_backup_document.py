"""docs/formats-backup.md says what the code does."""

import re
from pathlib import Path

from vault.audit.checkpoint import Checkpoint, parse_checkpoint
from vault.audit.continuing import continued, continuing
from vault.audit.note import decode_base64
from vault.backup.row_stream import BYTES, HEADER, LONG, SHORT, TEXT, TRAILER, TRUTH, encode

DOCUMENT = (Path(__file__).parents[2] / "docs" / "formats-backup.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"^```backup (\S+)\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL))

TENANT = bytes([0x11] * 16)
ORIGIN = f"pdvault.invalid/{TENANT.hex()}"


def test_the_rows_are_those_of_the_example() -> None:
    example = BLOCKS["rows"].partition("stream")[2].partition("=")[2]
    rows = [(b"\x0a\x0b", "Li Na", 7, 1, True), (None,) * 5]
    assert HEADER + encode([BYTES, TEXT, LONG, SHORT, TRUTH], rows) + TRAILER == bytes.fromhex("".join(example.split()))


def test_the_first_checkpoint_of_a_log_that_goes_on_is_that_of_the_example() -> None:
    last = Checkpoint(ORIGIN, 5, bytes(range(32)))
    root = decode_base64("Wqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk=")
    first = continuing(last, TENANT, 3, root)
    assert first.text() == BLOCKS["continues"]
    assert continued(parse_checkpoint(BLOCKS["continues"])) == last
