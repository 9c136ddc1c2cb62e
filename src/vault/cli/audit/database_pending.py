"""Events that are not in the tree yet, against the chains of their boots: one that was edited, moved or taken out is named."""

from collections.abc import Iterator

import sqlalchemy as sa

from vault.audit.boots import Boots
from vault.audit.merkle import leaf_hash
from vault.audit.verify_errors import UncheckedError, WrongError
from vault.audit.verify_leaves import check_leaves
from vault.cli.audit.database_rows import Findings, select

_PENDING = (
    "SELECT boot_id, boot_sequence, time_us, leaf FROM audit_pending WHERE tenant_uid = :tenant ORDER BY boot_id, boot_sequence"
)


def sound_pending(
    connection: sa.Connection, tenant_uid: bytes, chains: Boots, size: int, now_us: int, findings: Findings
) -> Iterator[bytes]:
    """The leaves of pending events that go on with their boots' chains; what breaks one is noted, once a boot.

    Args:
        connection: on a snapshot of the database.
        tenant_uid: whose log.
        chains: as the tree has them; problems they have already are not noted again.
        size: of the tree.
        now_us: the time, in microseconds since 1970.
        findings: takes what is wrong.
    """
    broken = {boot_id for boot_id, _ in chains.problems()}
    last: tuple[bytes, str, bool] | None = None  # boot id, name, whether it is signed
    for row in select(connection, _PENDING, tenant_uid):
        boot_id, leaf = bytes(row.boot_id), bytes(row.leaf)
        name = f"number {row.boot_sequence} of boot {boot_id.hex()}"
        if last and last[0] != boot_id:
            _check_signed(last, findings)
            last = None
        if boot_id in broken:
            continue
        try:
            links = check_leaves(size, [leaf], tenant_uid, now_us)
            if (links.boot_ids[0], links.sequences[0], links.times_us[0]) != (boot_id, row.boot_sequence, row.time_us):
                raise WrongError("its columns are not what its leaf says")
            chains.follow(size, [leaf], [leaf_hash(leaf)], links)
        except (WrongError, UncheckedError) as error:
            findings.add("audit_pending", f"{name} was edited or moved, or one before it was taken out: {error}")
            broken.add(boot_id)
            last = None
            continue
        last = boot_id, name, bool(links.signatures[0])
        size += 1
        yield leaf
    if last:
        _check_signed(last, findings)
    for boot_id, problem in chains.problems():
        if boot_id not in broken:
            findings.add("audit_pending", f"an event of boot {boot_id.hex()} was edited or forged: were it integrated, {problem}")


def _check_signed(last: tuple[bytes, str, bool], findings: Findings) -> None:
    _, name, is_signed = last
    if not is_signed:
        findings.add("audit_pending", f"what followed {name} was taken out: the last event of a commit is signed, and this is not")
