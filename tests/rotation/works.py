"""A key worker in this process, and what a rotation must not touch: what callers get of what they stored."""

from collections.abc import Iterator
from contextlib import contextmanager

from google.longrunning import operations_pb2
from tests.harness import context
from tests.use_cases.inside import Inside
from tests.use_cases.requests import DETERMINISTIC, delete, new_email, new_subject, reveal, search, tokenize, tokens_of

from vault.admission import Admitted
from vault.classes.taxonomy import BUILT_IN
from vault.keys.operations import begin, described
from vault.kms.tenant_keys import TenantKeys
from vault.server.backends import key_administrator, key_worker_manager
from vault.server.key_worker.desk import Desk
from vault.server.key_worker.held_operation import HeldOperation
from vault.server.key_worker.rekey import Rekey
from vault.server.key_worker.rotation import Rotation
from vault.server.key_worker.worker import Worker
from vault.store import tables as t
from vault.store.reads import Reads
from vault.store.rotation.progress import end, runnable, take
from vault.v1 import key_service_pb2 as v1


@contextmanager
def desk(inside: Inside, name: str = "key-worker:test") -> Iterator[Desk]:
    """What a worker works with; it runs its calls as the node's own."""
    config = inside.vault.config
    manager, administrator = key_worker_manager(config), key_administrator(config)
    try:
        yield Desk(inside.node, inside.node.runner.run, manager, administrator, BUILT_IN, name)
    finally:
        manager.close()
        administrator.close()


@contextmanager
def worker(inside: Inside, name: str = "key-worker:test") -> Iterator[Worker]:
    """A worker of its own name."""
    with desk(inside, name) as one:
        yield Worker(one)


def phases(inside: Inside, batch: int = 2) -> Iterator[str]:
    """Run the rotation that was asked for, step by step: at which phase it is, after each."""
    with desk(inside) as one:
        with inside.engine.connect() as connection:
            (row,) = (row for row in runnable(connection) if row.kind == "Rotate")
        assert take(inside.engine, row, one.name)
        work = Rotation(HeldOperation(one, row), batch)
        while work.step():
            yield work.held.place.phase
        with inside.engine.begin() as connection:
            end(connection, row, one.name, "DONE", work.result())


def ask_rekey(inside: Inside, subject_id: str = "", rate: int = 0) -> str:
    """Ask for a re-keying of one subject, or of all; the operation's name."""
    request = v1.RekeyRequest(context=context("incident"), subject_id=subject_id, max_rows_per_second=rate)
    return str(inside.ask(request, "security").operation.name)


def rekeying_steps(inside: Inside, one: Desk, batch: int = 500) -> Iterator[Rekey]:
    """Run the re-keying that was asked for, or go on with it, step by step."""
    inside.edit(t.operation, {"live_kind": "Rekey"}, until_us=0)
    assert take(inside.engine, inside.row(t.operation, live_kind="Rekey"), one.name)
    work = Rekey(HeldOperation(one, inside.row(t.operation, live_kind="Rekey")), batch)
    while work.step():
        yield work


def rekeying(inside: Inside) -> Iterator[Rekey]:
    """The same with a desk of its own."""
    with desk(inside) as one:
        yield from rekeying_steps(inside, one)


def rekeyed_by_another(inside: Inside, name: str) -> v1.Attestation:
    """Let another worker bring a re-keying to its end, or find that it is there; what the operation says then."""
    inside.edit(t.operation, {"live_kind": "Rekey"}, until_us=0)
    with worker(inside, "key-worker:another") as working:
        working.look()
    return attested(inside, name)


def begin_rotation(inside: Inside, tenant: str = "acme", **wanted: int) -> operations_pb2.Operation:
    """Ask for a rotation."""
    request = v1.RotateRequest(context=context("rotation"), **wanted)
    return inside.ask(request, "security", tenant).operation


def rotate(inside: Inside, tenant: str = "acme") -> v1.Attestation:
    """Rotate, and wait for the end."""
    operation = begin_rotation(inside, tenant)
    with worker(inside) as working:
        working.look()
    return attested(inside, operation.name, tenant)


class _Approved:
    """The beginning of a destruction, as it is once somebody has approved it."""

    def __init__(self, keep_from: int) -> None:
        self._request = v1.DestroyRequest(keep_from_version=keep_from)

    def reads(self, _keys: TenantKeys) -> Reads:
        return Reads()

    def decide(self, admitted: Admitted) -> v1.GetOperationResponse:
        return v1.GetOperationResponse(operation=described(begin(admitted, "Destroy", self._request)))


def begin_destruction(inside: Inside, keep_from: int) -> str:
    """Have KEK versions destroyed, as if it were asked for and approved; the operation's name."""
    call = inside.call(v1.StatusRequest(context=context("incident")), "security")
    call.use_case = _Approved(keep_from)
    (answer,) = inside.answers([call])
    assert isinstance(answer, bytes), answer
    return v1.GetOperationResponse.FromString(answer).operation.name


def attested(inside: Inside, name: str, tenant: str = "acme") -> v1.Attestation:
    """What an operation says that it did, once it is done."""
    operation = found(inside, name, tenant)
    assert operation.done, operation
    attestation = v1.Attestation()
    assert operation.response.Unpack(attestation), operation.error
    return attestation


def found(inside: Inside, name: str, tenant: str = "acme") -> operations_pb2.Operation:
    """An operation as it is now."""
    return inside.ask(v1.GetOperationRequest(context=context("rotation"), name=name), "security", tenant).operation


class Stored:
    """People with values of which some were found, some deleted, some deterministic."""

    def __init__(self, inside: Inside, people: int = 5, tenant: str = "acme") -> None:
        self._inside, self._tenant = inside, tenant
        self.names = [new_subject() for _ in range(people)]
        self.emails = {name: new_email() for name in self.names}
        self.phones = {name: f"+447700900{number:03d}" for number, name in enumerate(self.names)}
        self.tokens = dict(zip(self.names, self._store("email", self.emails), strict=True))
        self.unique = dict(zip(self.names, self._store("email", self.emails, token_kind=DETERMINISTIC), strict=True))
        gone = self._store("phone", self.phones)
        inside.ask(delete(*gone), "all", tenant)
        self.gone = gone

    def _store(self, data_class: str, values: dict[str, str], **fields: int) -> list[str]:
        request = tokenize(*((name, data_class, text) for name, text in values.items()), **fields)
        return tokens_of(self._inside.ask(request, "all", self._tenant))

    def of(self, inside: Inside) -> "Stored":
        """The same, as another process finds it."""
        self._inside = inside
        return self

    def check(self) -> None:
        """Everything live is readable, found by value and by person, and found again by deterministic tokens."""
        ask = self._inside.ask
        revealed = ask(reveal(*self.tokens.values()), "all", self._tenant).results
        assert [result.value.text for result in revealed] == list(self.emails.values())
        for name, email in self.emails.items():
            by_value, by_name = ask(search(("email", email, None), ("email", None, name)), "all", self._tenant).results
            expected = {self.tokens[name], self.unique[name]}
            assert {hit.token for hit in by_value.items} == {hit.token for hit in by_name.items} == expected
        assert self._store("email", self.emails, token_kind=DETERMINISTIC) == list(self.unique.values())
