"""Witnesses' cosignatures: the newest of each witness for each log, and what is wrong between the two, if anything.

Written through the engine of the role that keeps the log; the serving role may only read.
"""

from collections.abc import Mapping

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.log.rows import CosignatureRow

CONFLICT = "CONFLICT"
"""The witness has seen a larger log than we have, or another one."""


def record(engine: sa.Engine, row: CosignatureRow) -> bool:
    """Keep a verified cosignature, unless a newer one is there: of a larger checkpoint, or a later one of the same.

    One that is newer than what is there ends whatever problem there was. The same one again doesn't: anybody who may add
    cosignatures could hide a conflict with it.

    Returns:
        Whether it is the newest now.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    c = t.audit_cosignature.c
    is_again = sa.and_(c.size == row.size, c.time_us == row.time_us)
    first = row._replace(problem="")._asdict()
    changed = first | {"problem": sa.case((is_again, c.problem), else_="")}
    return _write(engine, sa.or_(c.size < row.size, sa.and_(c.size == row.size, c.time_us <= row.time_us)), changed, first)


def mark(engine: sa.Engine, tenant_uid: bytes, witness: str, problem: str) -> bool:
    """Note a problem; the cosignature that is there stays. Where there is none yet, size is 0, and checkpoint and line are empty.

    Returns:
        Whether it was not noted before.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    first = CosignatureRow(tenant_uid, witness, 0, "", "", 0, problem)._asdict()
    noted = {"tenant_uid": tenant_uid, "witness": witness, "problem": problem}
    return _write(engine, t.audit_cosignature.c.problem != problem, noted, first)


def _write(engine: sa.Engine, if_there: sa.ColumnElement[bool], changed: Mapping[str, object], first: Mapping[str, object]) -> bool:
    c = t.audit_cosignature.c
    own = (c.tenant_uid == changed["tenant_uid"], c.witness == changed["witness"])
    try:
        with engine.begin() as connection:
            if connection.execute(t.audit_cosignature.update().where(*own, if_there).values(changed)).rowcount:
                return True
            if connection.execute(sa.select(c.size).where(*own)).first() is None:
                connection.execute(t.audit_cosignature.insert().values(first))
                return True
            return False
    except sa.exc.IntegrityError:  # another node was faster with the first one
        return False
