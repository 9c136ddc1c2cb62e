"""Connections on which snapshots were read."""

import sqlalchemy as sa
from tests.harness import Vault

from vault.store.engine import postgres, reading


def test_a_connection_that_read_a_snapshot_asks_a_database_that_must_not_be_written_for_no_more(postgres_mould: Vault) -> None:
    url = sa.make_url(postgres_mould.config.database.url or "")
    engine = postgres(url.update_query_dict({"options": "-c default_transaction_read_only=on"}).render_as_string(False))
    mode = sa.text("SELECT current_setting('transaction_read_only'), current_setting('transaction_isolation'), pg_backend_pid()")
    with reading(engine, 60.0) as connection:
        snapshot = connection.execute(mode).one()
    with engine.connect() as connection:
        later = connection.execute(mode).one()
    engine.dispose()
    assert tuple(snapshot) == ("on", "repeatable read", later[2])
    assert tuple(later[:2]) == ("on", "read committed")
