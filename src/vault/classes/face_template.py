"""Face templates: 512 numbers from a face recogniser. Two of one face are never equal, so they have no fingerprint."""

import math
import struct

from vault.classes.data_class import DataClass, InvalidValueError, Value

_VECTOR = struct.Struct("<512f")


def _normalise(value: Value) -> bytes:
    # float32 cannot overflow a sum of doubles, so the sum is finite exactly if every number is.
    if isinstance(value, str) or len(value) != _VECTOR.size or not math.isfinite(sum(_VECTOR.unpack(value))):
        raise InvalidValueError("must be given as bytes: exactly 512 finite little-endian float32 (2048 bytes)")
    return value


def _mask(_value: Value) -> str:
    return "[face template]"


FACE_TEMPLATE = DataClass(
    name="face_template",
    title="Face template",
    token_prefix="fac",  # noqa: S106 - no password: our tokens begin so
    sensitivity="sensitive",
    kind="bytes",
    max_bytes=_VECTOR.size,
    normaliser_version=1,
    fingerprinted=False,
    normalise=_normalise,
    mask=_mask,
    partial_forms={},
    mask_reveals=frozenset(),
    remaining={},
    floor=1_000,
    retention_hint="until consent to face recognition is withdrawn",
)
