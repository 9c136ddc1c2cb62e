"""Free text: enquiries, notes, correspondence. Anything may stand in it, so nothing of it is shown or compared."""

from vault.classes.data_class import MAX_BYTES_INLINE, DataClass, Value
from vault.classes.text import normaliser


def _canonical(text: str) -> str:
    return text


def _mask(_value: Value) -> str:
    return "[free text]"


FREE_TEXT = DataClass(
    name="free_text",
    title="Free text",
    token_prefix="txt",  # noqa: S106 - no password: our tokens begin so
    sensitivity="sensitive",
    kind="text",
    max_bytes=MAX_BYTES_INLINE,
    normaliser_version=1,
    fingerprinted=False,
    normalise=normaliser(_canonical, MAX_BYTES_INLINE),
    mask=_mask,
    partial_forms={},
    mask_reveals=frozenset(),
    remaining={},
    floor=1_000,
    retention_hint="until the matter it is about is closed",
)
