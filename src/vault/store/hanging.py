"""What hangs on a tenant's keys: the rows that an epoch key has sealed, and those that an index key makes findable.

Censuses go by this list, and with them the retirement of keys, the last look before they are destroyed, and the refusals that name
who is left. What else a new kind of row takes, README.md says ("Find your way").
"""

from typing import NamedTuple

import sqlalchemy as sa

from vault.crypto.envelope import opening_bytes
from vault.store import tables as t


class Hanging(NamedTuple):
    """Rows of one kind.

    Attributes:
        kind: what censuses call them.
        subject_uid: whose they are, where a row says so.
        noted: the column that notes the key's version, if there is one.
        envelope: the column that an epoch key has sealed, and that tells the version by itself.
    """

    kind: str
    table: sa.Table
    subject_uid: "sa.Column[bytes] | None" = None
    noted: "sa.Column[int] | None" = None
    envelope: "sa.Column[bytes] | None" = None

    def is_under_another(self, version: int) -> sa.ColumnElement[bool]:
        """Whether a row hangs on another version than this one, or says so: what a row notes may be under no MAC."""
        said = [] if self.noted is None else [self.noted != version]
        if self.envelope is not None:
            said.append(under_another(self.envelope, version))
        return sa.or_(*said)


SUBJECT_KEYS = Hanging(
    "subject_keys", t.subject_key, t.subject_key.c.subject_uid, noted=t.subject_key.c.epoch, envelope=t.subject_key.c.wrapped
)
REQUESTS = Hanging("requests", t.idempotency, envelope=t.idempotency.c.digest_key)
OPENINGS = Hanging("openings", t.erasure, t.erasure.c.subject_uid, envelope=t.erasure.c.opening)
SUBJECTS = Hanging("subjects", t.subject, t.subject.c.uid, noted=t.subject.c.index_key_version)
ALIASES = Hanging("aliases", t.subject_alias, t.subject_alias.c.subject_uid, noted=t.subject_alias.c.index_key_version)
ITEMS = Hanging("items", t.item, t.item.c.subject_uid, noted=t.item.c.index_key_version)

ON_EPOCHS = (SUBJECT_KEYS, REQUESTS, OPENINGS)
ON_INDEX_KEYS = (SUBJECTS, ALIASES, ITEMS)


def under_another(column: "sa.ColumnElement[bytes]", epoch: int) -> sa.ColumnElement[bool]:
    """Whether an envelope was sealed under another epoch than this one; one that can't be read counts, one that was taken away not.

    Envelopes say so themselves, in their first bytes.
    """
    begins = opening_bytes(epoch)
    return column.is_not(None) & (column != b"") & (sa.func.substr(column, 1, len(begins)) != begins)
