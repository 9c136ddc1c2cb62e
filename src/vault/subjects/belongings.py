"""What is a subject's own besides its items: read once the subject is found, and checked before it is used."""

from vault.admission import Admitted
from vault.safe import altered
from vault.store.reads import Belongings, Known, Reads
from vault.store.rows import AliasRow, HoldRow
from vault.store.sealing import check


def belongings(admitted: Admitted, known: Known) -> Belongings:
    """All that belongs to a subject, its names and holds checked.

    Raises:
        MoreRowsError: it has to be read.
        VaultError: INTEGRITY.
    """
    reads = Reads(belongings=frozenset({known.subject.uid}))
    admitted.need(reads)
    owned = admitted.rows.belongings[known.subject.uid]
    rows: list[AliasRow | HoldRow] = [*owned.aliases, *owned.holds]
    for row in rows:
        check(admitted.keys.authority, row)
        if (row.tenant_uid, row.subject_uid) != (known.subject.tenant_uid, known.subject.uid):
            raise altered("name or hold of a subject")
    return owned


def live_holds(admitted: Admitted, owned: Belongings) -> list[HoldRow]:
    """The holds that have not ended by themselves, by the database's clock."""
    return [hold for hold in owned.holds if hold.expire_us is None or hold.expire_us > admitted.rows.now_us]
