"""One server process: opens the node, answers until SIGTERM, and leaves nothing half-done."""

import asyncio
import contextlib
import os
import resource
import signal
import threading
from collections.abc import AsyncIterator, Callable

import grpc
import structlog
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

from vault.access.policy import PolicyEngine
from vault.audit.note import parse_vkey
from vault.call import MAX_RESPONSE
from vault.classes.taxonomy import BUILT_IN
from vault.server import audit_methods, collector
from vault.server.audit_service import AuditService
from vault.server.config import Config, ConfigError
from vault.server.dispatcher import Dispatcher
from vault.server.edge import Edge
from vault.server.erasing import Eraser
from vault.server.erasure_checks import ErasureChecks
from vault.server.erasure_flows import ErasureFlows
from vault.server.intake import Intake
from vault.server.journal import Journal
from vault.server.keeping.assembly import LogKeeping, keeping_logs
from vault.server.key_status import KeyStatus
from vault.server.key_worker.running import working_beside
from vault.server.lane import Lane
from vault.server.log_http.serving import logs_served
from vault.server.methods import SERVICES
from vault.server.metrics import Metrics
from vault.server.metrics_http import metrics_served
from vault.server.node import Node
from vault.server.streams.running import Streams
from vault.server.trust import REFRESH_S, Trust
from vault.server.unheard import Unheard
from vault.server.witnessing.running import witnessed
from vault.store.key_usage import overdue
from vault.store.sweeper import sweep

log = structlog.get_logger(__name__)

MAX_REQUEST = 4 * 1024 * 1024
_LAST_WORDS_S = 1.0
"""For answers to reach their callers; then streams end that watch the server's health."""
_LAST_RESORT_S = 3.0
"""Beyond the time for draining: a thread that waits for a database which neither answers nor breaks off can't be ended."""
MAX_CONCURRENT = 1000
"""Calls of all certificates; above it gRPC answers RESOURCE_EXHAUSTED by itself."""
_OPTIONS = (
    ("grpc.so_reuseport", 0),  # else a second server binds the same port without an error
    ("grpc.max_receive_message_length", MAX_REQUEST),
    ("grpc.max_send_message_length", MAX_RESPONSE + 64 * 1024),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.max_connection_age_ms", 30 * 60 * 1000),
    ("grpc.max_connection_age_grace_ms", 60 * 1000),
)


def serve(config: Config, ready: Callable[[str], None] = lambda _: None, open_node: Callable[[Config], Node] = Node) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        config: the node's configuration.
        ready: told the address once calls are taken.
        open_node: opens the node; a development vault's fails on purpose.

    Raises:
        VaultError: KMS, database or schema are not in order.
        ConfigError: the configuration can't be used.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold keys and values
    node = open_node(config)
    last_resort = threading.Timer(config.limits.drain_s + _LAST_WORDS_S + _LAST_RESORT_S, _end_at_once)
    last_resort.daemon = True
    try:
        node.check()
        collector.settle()
        with keeping_logs(node) as logs:
            uvloop.run(_serve(node, logs, ready, last_resort.start))
    finally:
        node.close()
        last_resort.cancel()


def _end_at_once() -> None:
    """End as a power cut would, which loses nothing that was answered."""
    log.error("the database does not answer, so the server ends without it")
    os._exit(1)


async def _serve(node: Node, logs: LogKeeping, ready: Callable[[str], None], ending: Callable[[], None]) -> None:
    config, metrics = node.config, logs.metrics
    trust = Trust(node.engine, config.server)
    policy = PolicyEngine.built_in(on_error=lambda name: _alert(metrics, name))
    lane = Lane(node.runner, config.limits.max_waiting_calls, metrics.group_calls.observe)
    logs.alarms.open(lane.submit)
    unheard = Unheard()
    node.runner.on_unheard = unheard.refused
    dispatcher = Dispatcher(lane, node.loader, node.keys, metrics, unheard)
    witnesses = [parse_vkey(witness.key) for witness in config.log.witness]
    audit = AuditService(node.engine, node.log_engine, node.gate.public_key, witnesses)
    streams = Streams(audit, dispatcher, node.keys, lane.submit)
    eraser = Eraser(node, lane.submit, dispatcher, metrics)
    checks = ErasureChecks(node.engine, node.key_manager)
    key_status = KeyStatus(node.engine, node.key_manager)
    flows = {**ErasureFlows(eraser, audit, checks).by_method(), **key_status.flows}
    edge = Edge(trust, Intake(BUILT_IN, policy), dispatcher, audit, streams, flows, metrics, unheard)
    server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=MAX_CONCURRENT)
    edge.register(server)
    health = health_aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    address = _bind(server, config.server.address, trust)
    journal = Journal(node, unheard, lane.submit)
    stopping = _stop_on_signals()
    async with (
        metrics_served(metrics, config.server.metrics_address) as metrics_address,
        _housekeeping(node, trust, metrics),
        eraser.resuming(),
        logs_served(node, trust, policy, dispatcher, metrics, unheard, witnesses),
        witnessed(node, metrics, logs.alarms.conflict),
        _keys_worked_on(node, lane),
        journal.kept(address),
    ):
        await server.start()
        for service in ("", *SERVICES, audit_methods.SERVICE):
            await health.set(service, health_pb2.HealthCheckResponse.SERVING)
        metrics.serving.set(1)
        log.info("serving", address=address, metrics=metrics_address, node=config.node)
        ready(address)
        await stopping.wait()
        ending()
        log.info("stopping", node=config.node)
        metrics.serving.set(0)
        await health.enter_graceful_shutdown()
        await edge.drain(config.limits.drain_s)
        await server.stop(_LAST_WORDS_S)
    edge.close()
    audit.close()
    key_status.close()
    eraser.close()
    checks.close()
    logs.alarms.close()
    await asyncio.to_thread(lane.close)
    dispatcher.close()


@contextlib.asynccontextmanager
async def _keys_worked_on(node: Node, lane: Lane) -> AsyncIterator[None]:
    """Beside an SQLite file, which no other process can open, the server is the key worker too."""
    with contextlib.ExitStack() as worker:
        await asyncio.to_thread(worker.enter_context, working_beside(node, lane.submit))
        yield
        await asyncio.to_thread(worker.close)


def _bind(server: grpc.aio.Server, address: str, trust: Trust) -> str:
    try:
        port = server.add_secure_port(address, trust.credentials())
    except RuntimeError:
        port = 0
    if not port:
        raise ConfigError(f"server.address: can't listen on {address}; it may be in use")
    return f"{address.rsplit(':', 1)[0]}:{port}"


def _stop_on_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


def _alert(metrics: Metrics, policy: str) -> None:
    metrics.policy_errors.inc()
    log.error("a policy can't be evaluated, so it denies", policy=policy)


@contextlib.asynccontextmanager
async def _housekeeping(node: Node, trust: Trust, metrics: Metrics) -> AsyncIterator[None]:
    """Every few seconds: tenants' CAs are read anew, expired keys leave memory and expired rows the database."""

    def count_overdue() -> None:
        metrics.tenants_overdue.set(len(overdue(node.engine)))

    async def keep() -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            node.keys.sweep()
            for chore in (trust.refresh, lambda: sweep(node.engine), count_overdue):
                try:
                    await asyncio.to_thread(chore)
                except Exception as error:  # noqa: BLE001  calls don't depend on it: their own transaction reads what counts
                    log.warning("housekeeping failed; it is tried again", error=type(error).__name__)

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
