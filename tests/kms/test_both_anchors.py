"""What holds for the anchor of every KeyManager: one suite over KV version 2 (a real OpenBao) and the local anchors file."""

import contextlib
import itertools
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from vault.audit.events import SYSTEM_TENANT
from vault.kms.arguments import MAX_ANCHOR_BYTES
from vault.kms.key_manager import Anchored, AnchorMovedError

NOTE = "pdvault.invalid/11\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— pdvault.invalid/11 ZGVhZGJlZWY=\n"


def test_an_anchor_that_was_never_written_is_none(kms):
    assert kms.manager.read_anchor(kms.tenant()) is None
    assert kms.manager.read_anchor(secrets.token_bytes(16)) is None


def test_an_anchor_comes_back_as_it_was_written_and_on_every_node(kms):
    tenant, other = kms.tenant(), kms.another()
    for version, text in enumerate([NOTE, "x", "\n", NOTE * 2, "Zeugnis — 見證\0\n"]):
        assert kms.manager.write_anchor(tenant, text, version) == version + 1
        assert kms.manager.read_anchor(tenant) == other.read_anchor(tenant) == Anchored(text, version + 1)
    assert kms.another().read_anchor(tenant) == Anchored("Zeugnis — 見證\0\n", 5)


def test_each_tenant_and_the_system_have_their_own(kms):
    one, two = kms.tenant(), kms.tenant()
    kms.provisioner.create_tenant_keys(SYSTEM_TENANT)
    before = kms.manager.read_anchor(SYSTEM_TENANT)
    kms.manager.write_anchor(one, "one\n", 0)
    kms.manager.write_anchor(two, "two\n", 0)
    assert kms.manager.read_anchor(one) == Anchored("one\n", 1)
    assert kms.manager.read_anchor(two) == Anchored("two\n", 1)
    assert kms.manager.read_anchor(SYSTEM_TENANT) == before


def test_an_anchor_at_another_version_is_not_replaced(kms):
    tenant, unwritten = kms.tenant(), kms.tenant()
    kms.manager.write_anchor(tenant, "one\n", 0)
    kms.manager.write_anchor(tenant, "two\n", 1)
    for wrong in (0, 1, 3, 4, 1000):
        with pytest.raises(AnchorMovedError):
            kms.manager.write_anchor(tenant, "other\n", wrong)
    with pytest.raises(AnchorMovedError):
        kms.manager.write_anchor(unwritten, "other\n", 1)
    assert kms.manager.read_anchor(tenant) == Anchored("two\n", 2)
    assert kms.manager.read_anchor(unwritten) is None


def test_of_writers_at_once_exactly_one_wins_each_version(kms):
    tenant, writers, rounds = kms.tenant(), 4, 5
    nodes = [kms.another() for _ in range(writers)]
    together = threading.Barrier(writers)

    def write(number):
        won = []
        for version in range(rounds):
            together.wait(timeout=60)
            with contextlib.suppress(AnchorMovedError):
                won.append((nodes[number].write_anchor(tenant, f"{number} at {version}\n", version), number))
        return won

    with ThreadPoolExecutor(writers) as pool:
        won = sorted(itertools.chain(*pool.map(write, range(writers))))
    assert [version for version, _ in won] == [1, 2, 3, 4, 5]
    assert kms.manager.read_anchor(tenant) == Anchored(f"{won[-1][1]} at 4\n", 5)


def test_writers_that_read_again_lose_no_write(kms):
    tenant, writers, writes = kms.tenant(), 3, 6
    nodes = [kms.another() for _ in range(writers)]

    def write(number):
        for count in range(writes):
            while True:
                found = nodes[number].read_anchor(tenant)
                text = (found.text if found else "") + f"{number}.{count}\n"
                try:
                    nodes[number].write_anchor(tenant, text, found.version if found else 0)
                    break
                except AnchorMovedError:
                    pass

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    found = kms.manager.read_anchor(tenant)
    assert found.version == writers * writes
    assert sorted(found.text.split()) == sorted(f"{number}.{count}" for number in range(writers) for count in range(writes))


def test_the_longest_anchor_is_kept_and_a_longer_or_an_empty_one_refused(kms):
    tenant = kms.tenant()
    longest = "ß" * (MAX_ANCHOR_BYTES // 2)
    assert kms.manager.write_anchor(tenant, longest, 0) == 1
    for wrong in ("", longest + "x", "x" * (MAX_ANCHOR_BYTES + 1), "\ud800"):
        with pytest.raises(ValueError, match=r"bytes|surrogates"):
            kms.manager.write_anchor(tenant, wrong, 1)
    with pytest.raises(ValueError, match="version"):
        kms.manager.write_anchor(tenant, "x", -1)
    assert kms.manager.read_anchor(tenant) == Anchored(longest, 1)


def test_what_is_no_tenant_uid_has_no_anchor(kms):
    for wrong in (b"", bytes(15), bytes(17), b"../../sys/seal//"[:15]):
        for call in (
            lambda wrong=wrong: kms.manager.read_anchor(wrong),
            lambda wrong=wrong: kms.manager.write_anchor(wrong, "x", 0),
        ):
            with pytest.raises(ValueError, match="16 bytes"):
                call()
