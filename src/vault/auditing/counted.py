"""Whether the counts beside a log are of all its entries. They are not proven, but that there are as many is cheap to see."""

from vault.audit.leaf_form import is_well_formed
from vault.auditing.entries import read
from vault.auditing.log import AuditLog
from vault.store.log.queries import altered

_AT_ONCE = 128


def check_counted(log: AuditLog) -> None:
    """Refuse counts that are not of as many events as the log has entries, but for those that are no events.

    What somebody edited before it entered the log is an entry, and counted nowhere. Such entries are looked for only if there are
    fewer counts than entries, and each is read.

    Raises:
        VaultError: INTEGRITY; DEADLINE_EXCEEDED.
    """
    lacking = log.head.size - log.queries.counted()
    if not lacking:
        return
    unfound = log.queries.not_indexed(max(0, lacking) + 1)
    for begin in range(0, len(unfound), _AT_ONCE):
        log.check_deadline()
        for row in log.queries.entries_at(unfound[begin : begin + _AT_ONCE]).values():
            found = read(row)
            if found is not None and is_well_formed(found.event):
                raise altered("audit_event", f"the row of entry {row.leaf_index}")
    if len(unfound) != lacking:
        raise altered("audit_count", f"the number of events, {log.queries.counted()} of {log.head.size},")
