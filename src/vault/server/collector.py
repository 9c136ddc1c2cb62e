"""The cyclic garbage collector of a server: most of what it would look through again and again lives as long as the process."""

import gc

_ALLOCATIONS = 20_000
"""After so many is looked for cycles among what is new; Python's own 700 are reached many times within one transaction."""


def settle() -> None:
    """Leave alone what is there by now, modules mostly, and look less often at the rest, of which little is in cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, 10, 10)
