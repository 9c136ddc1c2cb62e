"""What one step of a pass over a tenant's rows works on, and what it did."""

from typing import NamedTuple

import sqlalchemy as sa

from vault.kms.tenant_keys import TenantKeys


class PassPart(NamedTuple):
    """The next rows of a pass.

    ``connection`` is in a transaction in which the tenant's keys can't change; ``keys`` are the tenant's, old and current;
    ``after`` is the key of the last row of the step before, empty at first; ``limit`` is how many rows at most. ``passes_by`` is
    whether rows that somebody else has locked are left for another pass, so that nobody waits for anybody. ``erased`` are uids of
    subjects that were erased: what is put back of one of them is moved nowhere, since the new keys outlive the horizon.
    """

    connection: sa.Connection
    keys: TenantKeys
    after: bytes
    limit: int
    passes_by: bool
    erased: frozenset[bytes] = frozenset()


class Moved(NamedTuple):
    """What one step did: rows moved, rows looked at that could not be (altered ones), and the key of the last; None at the end."""

    done: int
    refused: int
    last: bytes | None
