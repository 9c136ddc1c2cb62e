"""Text that commands no terminal."""

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """The text with escapes for what a terminal would obey."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def clean_json(text: str) -> str:
    """The same within a JSON text, as JSON itself does below U+0020."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
