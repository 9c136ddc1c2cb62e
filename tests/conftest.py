"""Real servers shared by a whole test session, and vaults on each combination of database and KMS."""

import os

# Tests start servers while gRPC's threads run. Its fork handlers, on by default, then crash or hang the process; no child of
# ours uses gRPC without an exec, so they are not needed. Read when gRPC is imported.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import grpc
import pytest
import sqlalchemy as sa
import structlog
from deploy.local_stack.postgres import PostgresServer
from hypothesis import settings
from tests.harness import NewVault, Vault, make_vault
from tests.postgres_by_url import new_database

from vault.store import runner
from vault.store.log import takeovers

_numbers = count()

PATIENCE_S = 60.0

# A deadline would assert a time, and machines are noisy. CI tries the same examples each time.
settings.register_profile("vault", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("vault")


@pytest.fixture(scope="session", autouse=True)
def take_overs_are_waited_for() -> None:
    """An integrator's round takes over the logs that it has to, however slow the machine; a server would look again later."""
    takeovers.GRACE_S = PATIENCE_S


@pytest.fixture(scope="session", autouse=True)
def transactions_may_take_long() -> None:
    """As the machine may be busy with other tests; that too long ones are not committed is shown with a limit of the test's own."""
    runner.MAX_TRANSACTION_S = PATIENCE_S


@pytest.fixture(scope="session", autouse=True)
def grpc_stays() -> Iterator[None]:
    """With its last object, gRPC ends, and begins anew with the next: not in the middle of a run, where tests may leave some."""
    with grpc.insecure_channel("127.0.0.1:1"):  # nobody calls on it, so it does not connect
        yield


@pytest.fixture(autouse=True)
def logged_where_it_is_captured() -> None:
    """What is logged goes to where this test looks, and not to where a command that ran in this process before has sent it."""
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def new_postgres_url() -> Iterator[Callable[..., str]]:
    """Makes a PostgreSQL database, empty or a copy of the one that is named; its URL.

    ``VAULT_TEST_PG_URL`` names a server to use instead of an embedded one.
    """
    given = os.environ.get("VAULT_TEST_PG_URL")
    if given:
        yield partial(new_database, given)
        return
    with PostgresServer() as server:
        yield lambda *template: server.create_database(f"vault_{os.getpid()}_{next(_numbers)}", *template)


@pytest.fixture(scope="session")
def mould(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    """A vault that is only ever copied: to make one takes a second."""
    return make_vault(tmp_path_factory.mktemp("mould"))


@pytest.fixture(scope="session")
def postgres_mould(tmp_path_factory: pytest.TempPathFactory, new_postgres_url: Callable[..., str]) -> Vault:
    """The same on PostgreSQL, where it takes longer."""
    return make_vault(tmp_path_factory.mktemp("mould"), database=f'url = "{new_postgres_url()}"')


@pytest.fixture(scope="session")
def new_vault(request: pytest.FixtureRequest) -> NewVault:
    """Makes a vault: a copy of the session's one on that database, with the same keys and tenants."""

    def make(database: str, folder: Path) -> Vault:
        if database == "sqlite":
            sqlite: Vault = request.getfixturevalue("mould")
            return sqlite.copy(folder)
        postgres: Vault = request.getfixturevalue("postgres_mould")
        name = sa.make_url(postgres.config.database.url or "").database
        return postgres.copy(folder, request.getfixturevalue("new_postgres_url")(name))

    return make


@pytest.fixture(params=["sqlite", "postgres"])
def vault(request: pytest.FixtureRequest, new_vault: NewVault, tmp_path: Path) -> Vault:
    """A vault of the test's own with local keys, on each database."""
    return new_vault(request.param, tmp_path)


@pytest.fixture
def sqlite_vault(mould: Vault, tmp_path: Path) -> Vault:
    """A vault of the test's own with local keys on SQLCipher, where the database makes no difference."""
    return mould.copy(tmp_path)
