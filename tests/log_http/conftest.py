"""Logs of any size on both databases, without a server."""

import secrets
import threading
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.log_http.built_log import BuiltLog

from vault.crypto.keys import Key
from vault.store import engine as engines
from vault.store import schema


@pytest.fixture(params=["sqlite", "postgres"], scope="module")
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    """An empty vault's database."""
    if request.param == "sqlite":
        made = engines.sqlite(tmp_path_factory.mktemp("log") / "vault.db", Key.generate())
    else:
        made = engines.postgres(request.getfixturevalue("new_postgres_url")())
    schema.upgrade(made)
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def log_keys() -> dict[bytes, bytes]:
    """The public keys of the logs made, by tenant uid, as the KMS has them."""
    return {}


@pytest.fixture(scope="module")
def new_log(engine: sa.Engine, log_keys: dict[bytes, bytes]) -> Callable[[], BuiltLog]:
    """Makes an empty log of a tenant of its own."""

    def make() -> BuiltLog:
        uid, key = secrets.token_bytes(16), Ed25519PrivateKey.generate()
        log_keys[uid] = key.public_key().public_bytes_raw()
        return BuiltLog(engine, uid, f"log.example.org/{uid.hex()}", log_keys[uid], key.sign)

    return make


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], object]], None]:
    """Waits for a condition, for at most a minute."""
    tick = threading.Event()

    def wait(condition: Callable[[], object]) -> None:
        for _ in range(300):
            if condition():
                return
            tick.wait(0.2)
        pytest.fail("the condition never held")

    return wait
