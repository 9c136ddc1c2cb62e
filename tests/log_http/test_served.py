"""A served log, read by somebody who trusts nothing but its public key."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from tests.harness import Vault, context
from tests.log_http import rfc6962
from tests.log_http.checker import Reader, read_checkpoint, tile
from tests.log_http.site import Site, site

from vault.v1 import audit_pb2, vault_service_pb2

Until = Callable[[Callable[[], object]], None]


def check_published(found: Site, size: int, tenant: str = "acme", reader: Reader | None = None) -> bool:
    return found.published_size(tenant, reader) >= size


def check_called(found: Site, calls: int) -> bool:
    """Each call is one event; looking for them leaves others."""
    return sum(event.action == "ListDataClasses" for event in found.events()) == calls


def test_an_independent_checker_verifies_all_of_a_log_as_it_grows(vault: Vault, until: Until) -> None:
    with site(vault) as found:
        caller = found.server.caller()
        sizes: list[int] = []
        until(partial(check_published, found, 1))
        before = found.check()
        called = 0
        for calls in (40, 300):
            for _ in range(calls):
                caller.call(vault_service_pb2.ListDataClassesRequest(context=context()))
            called += calls
            until(partial(check_called, found, called))
            sizes.append(before.size)
            after = found.check()
            assert after.entries[: before.size] == before.entries
            assert rfc6962.root([rfc6962.leaf_hash(entry) for entry in after.entries[: before.size]]) == before.root
            before = after
        assert before.size > 256

        auditor, prefix = found.principal(), f"/{found.uid().hex()}"
        for size in sizes:  # what was a partial tile once is still there
            hashes = [rfc6962.leaf_hash(entry) for entry in before.entries[:size]]
            index, width = (size - 1) // 256, (size - 1) % 256 + 1
            assert auditor.file(f"{prefix}/{tile(0, index, width)}") == b"".join(hashes[index * 256 :])

        events = [audit_pb2.AuditEvent.FromString(entry) for entry in before.entries]
        assert {event.tenant_uid for event in events} == {found.uid()}


@pytest.fixture(scope="module")
def public(mould: Vault, tmp_path_factory: pytest.TempPathFactory, until: Until) -> Iterator[Site]:
    with site(mould.copy(tmp_path_factory.mktemp("public")), "public = true") as found:
        stranger = found.reader(None)
        for tenant in ("acme", "globex", "system"):
            until(partial(check_published, found, 1, tenant, stranger))
        yield found


@pytest.mark.parametrize("tenant", ["acme", "globex", "system"])
def test_public_checkpoints_and_tiles_are_for_everybody_and_leave_no_event(public: Site, tenant: str) -> None:
    stranger, prefix = public.reader(None), f"/{public.uid(tenant).hex()}"
    note = stranger.file(f"{prefix}/checkpoint")
    size, root = read_checkpoint(note, public.origin(tenant), public.keys[public.uid(tenant)])
    hashes = stranger.file(f"{prefix}/{tile(0, 0, size)}")
    assert rfc6962.root([hashes[at : at + 32] for at in range(0, len(hashes), 32)]) == root
    answer = stranger.ask(f"{prefix}/{tile(0, 0, size)}")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    if tenant != "system":
        assert not [event for event in public.events(tenant) if event.action == "ReadHashes"]


def test_public_entries_are_still_for_auditors_only(public: Site) -> None:
    path = f"/{public.uid().hex()}/{tile('entries', 0, 1)}"
    assert (public.reader(None).ask(path).status, public.reader(None).ask(path).body) == (401, b"CERTIFICATE_REFUSED\n")
    assert public.principal("app").ask(path).status == 403
    assert public.principal("auditor", "globex").ask(path).status == 403
    assert public.principal().ask(path).status == 200


def test_nobody_learns_from_a_public_endpoint_more_than_that_there_is_no_such_log(public: Site) -> None:
    answer = public.reader(None).ask(f"/{'ab' * 16}/checkpoint")
    assert (answer.status, answer.body) == (404, b"LOG_RANGE\n")


def test_whoever_presents_a_certificate_to_public_checkpoints_need_not_be_anybody(public: Site) -> None:
    for who in ("app", "auditor"):
        assert public.principal(who, "globex").ask(f"/{public.uid().hex()}/checkpoint").status == 200
