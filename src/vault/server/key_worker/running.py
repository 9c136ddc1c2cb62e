"""The key worker for as long as it runs: as a process of its own, or beside a server that alone may open its SQLite file."""

import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager

import structlog

from vault.classes.taxonomy import BUILT_IN
from vault.kms.key_manager import KeyManager
from vault.server.backends import key_administrator, key_worker_manager
from vault.server.config import Config, ConfigError
from vault.server.key_worker.desk import Desk, RunsCalls, by_lane
from vault.server.key_worker.worker import Worker
from vault.server.node import Node
from vault.store import schema
from vault.store.runner import Answer, Call

log = structlog.get_logger(__name__)


class KeyWorkerNode(Node):
    """A node with the key worker's identity in the KMS."""

    def _open_key_manager(self) -> KeyManager:
        return key_worker_manager(self.config)


def work(config: Config, ready: Callable[[], None] = lambda: None) -> None:
    """Run operations until SIGTERM or SIGINT; the step under way is ended first.

    Raises:
        VaultError: KMS, database or schema are not in order.
        ConfigError: the configuration names no identity of a key worker, or its database role lacks rights.
    """
    if config.database.sqlite_file:
        raise ConfigError("an SQLite file has one process: its server runs operations itself, and no key worker is needed")
    with closing(KeyWorkerNode(config)) as node:
        node.check_backends()
        missing = schema.missing_rights(node.engine, schema.KEY_WORKER_MAY)
        if missing:
            raise ConfigError(f"the database role lacks {', '.join(missing)}: `pdvault db upgrade --grant-keys-to` gives it")
        with _desk(node, node.runner.run) as desk:
            worker = Worker(desk)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: worker.stop())
            log.info("working", node=config.node)
            ready()
            worker.run()


@contextmanager
def working_beside(node: Node, submit: Callable[[Call, int], "Future[Answer]"]) -> Iterator[None]:
    """Run operations on a thread of a server whose database no other process can open; with PostgreSQL, nothing.

    A KMS in which no key worker's identity is configured leaves operations waiting.
    """
    if not node.config.database.sqlite_file:
        yield
        return
    with ExitStack() as stack:
        try:
            worker = Worker(stack.enter_context(_desk(node, by_lane(submit))))
        except ConfigError as error:
            log.warning("operations on keys will wait", hint=str(error))
            yield
            return
        thread = threading.Thread(target=worker.run, name="key-worker", daemon=True)
        thread.start()
        try:
            yield
        finally:
            worker.stop()
            thread.join()


@contextmanager
def _desk(node: Node, run: RunsCalls) -> Iterator[Desk]:
    """What the worker works with.

    Raises:
        ConfigError: no identity of a key worker is configured.
        VaultError: the KMS does not answer.
    """
    name = f"key-worker:{node.config.node}:{secrets.token_hex(4)}"
    with closing(key_worker_manager(node.config)) as manager, closing(key_administrator(node.config)) as administrator:
        yield Desk(node, run, manager, administrator, BUILT_IN, name)
