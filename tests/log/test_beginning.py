"""A log begins with its tenant: empty, signed, anchored; and never in the place of another that the KMS remembers."""

import secrets

import pytest
from tests.harness import Server, Vault
from tests.log import naive
from tests.log.kept import Kept, Writer
from tests.server.requests import good

from vault.create_tenant import begin_log
from vault.errors import VaultError
from vault.server.backends import provisioner
from vault.store import tables as t

ORIGIN = "logs.example.org/one"


def test_a_new_tenant_s_log_is_empty_signed_and_anchored(kept: Kept) -> None:
    uid, manager = secrets.token_bytes(16), kept.node.key_manager
    provisioner(kept.node.config).create_tenant_keys(uid)
    row = begin_log(uid, ORIGIN, manager)
    assert naive.check_note(row.checkpoint, ORIGIN, manager.log_public_key(uid)) == (0, naive.root([]))
    anchor = manager.read_anchor(uid)
    assert anchor
    assert (anchor.text, anchor.version) == (row.checkpoint, 1)
    assert (row.tenant_uid, row.origin, row.size, row.checkpoint_size, row.root) == (uid, ORIGIN, 0, 0, naive.root([]))


def test_beginning_it_again_after_an_interruption_changes_nothing(kept: Kept) -> None:
    uid, manager = secrets.token_bytes(16), kept.node.key_manager
    provisioner(kept.node.config).create_tenant_keys(uid)
    assert begin_log(uid, ORIGIN, manager) == begin_log(uid, ORIGIN, manager)
    anchor = manager.read_anchor(uid)
    assert anchor
    assert anchor.version == 1


def test_no_log_begins_where_the_kms_remembers_entries_or_another_log(kept: Kept) -> None:
    uid = kept.new_tenant()
    Writer(kept).commit([uid])
    kept.run(kept.integrator())
    manager = kept.node.key_manager
    before = manager.read_anchor(uid)
    for origin in (f"{kept.node.config.log.origin}/{uid.hex()}", "elsewhere.example.org"):
        with pytest.raises(VaultError) as refusal:
            begin_log(uid, origin, manager)
        assert refusal.value.reason_name == "LOG_BEHIND_ANCHOR"
        assert "restore" in refusal.value.message
    assert manager.read_anchor(uid) == before


def test_tenants_from_before_there_were_logs_get_theirs_with_all_that_was_pending(vault: Vault) -> None:
    with vault.node() as node:
        assert node.begin_missing_logs() == 0
        with node.engine.begin() as connection:
            connection.execute(t.audit_log.delete())
        assert node.begin_missing_logs() == 1 + len(vault.tenants)
    with Server(vault) as server:
        assert server.caller("all").call(good("ListDataClasses"))
        assert server.stop() == 0
    with vault.node() as node, node.engine.connect() as connection:
        for tenant in vault.tenants.values():
            found = naive.check(connection, tenant.uid, node.key_manager.log_public_key(tenant.uid))
            naive.check_chains(found.leaves)
            assert (found.pending, found.published[0]) == ([], len(found.leaves))


def test_a_log_that_somebody_removed_is_not_begun_anew(vault: Vault) -> None:
    with Server(vault) as server:
        assert server.stop() == 0
    with vault.node() as node:
        with node.engine.begin() as connection:
            for table in (t.audit_log, t.audit_entry, t.audit_node):
                connection.execute(table.delete())
        with pytest.raises(VaultError) as refusal:
            node.begin_missing_logs()
        assert refusal.value.reason_name == "LOG_BEHIND_ANCHOR"
