"""Witnessing for the time that a server runs, with the witnesses of its configuration."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

import structlog

from vault.audit.note import parse_vkey
from vault.server.config import ConfigError, WitnessSettings
from vault.server.metrics import Metrics
from vault.server.node import Node
from vault.server.witnessing.client import Alarm, Witnessing
from vault.server.witnessing.exchange import Witness

log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def witnessed(node: Node, metrics: Metrics, alarm: Alarm) -> AsyncIterator[None]:
    """Have checkpoints cosigned for the time of the block; do nothing without witnesses.

    Raises:
        ConfigError: the CA of a witness can't be loaded.
    """
    settings = node.config.log
    if not settings.witness:
        yield
        return
    witnesses = [_witness(number, each) for number, each in enumerate(settings.witness)]
    witnessing = Witnessing(node.engine, node.log_engine, witnesses, settings.witness_interval_s, metrics, alarm)
    task = asyncio.create_task(witnessing.run())
    task.add_done_callback(_say_if_it_broke)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _witness(number: int, settings: WitnessSettings) -> Witness:
    try:
        tls = ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"log.witness.{number}.ca_file: {settings.ca_file}: {error.strerror}") from None
    return Witness(parse_vkey(settings.key), settings.url, tls)


def _say_if_it_broke(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("checkpoints are not put to witnesses any more; restart the server", error=type(error).__name__)
