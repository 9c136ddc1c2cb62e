"""Passing the turnstile (docs/decisions/0008): a step of a rotation goes by the keys that are current until its commit."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from vault.errors import VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.store.rows import TenantRow
from vault.store.runner import MAX_TRANSACTION_S
from vault.store.sealing import check
from vault.store.states import TenantState
from vault.store.tenant_locks import pin
from vault.v1 import common_pb2


@contextmanager
def pinning(engine: sa.Engine, keys: TenantKeys) -> Iterator[tuple[sa.Connection, TenantRow]]:
    """A transaction, and the tenant's row, which nobody changes until its commit. No statement takes longer than a call's.

    Args:
        engine: of either database.
        keys: the tenant's, as they are in memory.

    Raises:
        VaultError: TENANT_SEALED, and nothing is to be done; CONFLICT, if the keys are not those of now; INTEGRITY.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            milliseconds = str(math.ceil(MAX_TRANSACTION_S * 1000))
            connection.execute(sa.select(sa.func.set_config("statement_timeout", milliseconds, True)))
        found = pin(connection, [keys.tenant_uid])
        if not found:
            raise VaultError(common_pb2.ERROR_REASON_INTEGRITY, "the tenant's row is missing; the operator must investigate")
        tenant = found[0]
        check(keys.authority, tenant)
        if tenant.state != TenantState.ACTIVE:
            raise stands_still(tenant.state)
        if tenant.key_generation != keys.generation:
            raise VaultError(common_pb2.ERROR_REASON_CONFLICT, "the tenant's keys have changed; they have to be fetched again")
        yield connection, tenant


def stands_still(state: str) -> VaultError:
    """Why nothing is done to the keys of a tenant that is in another state than ACTIVE: TENANT_SEALED."""
    return VaultError(common_pb2.ERROR_REASON_TENANT_SEALED, f"the tenant is {state.lower()}: work on its keys stands still")
