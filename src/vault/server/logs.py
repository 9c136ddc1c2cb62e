"""The operational log: JSON lines on stderr (readable text on a terminal), and only fields that are known to be harmless."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

ALLOWED = frozenset(
    {
        "address", "boot_id", "calls", "erasure", "error", "event", "exc_type", "folder", "frames", "generation", "hint", "keyring",
        "kind", "level", "logger", "method", "metrics", "node", "operation", "policy", "reason", "request_id", "rows", "schema",
        "size", "subject", "tenant", "tenants", "timestamp", "witness",
    }
)  # fmt: skip
"""Names of fields that may be logged. Everything else is dropped, whoever logs it."""


def configure() -> None:
    """Send structlog and the standard library's loggers through one pipe."""
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            drop_unknown_fields,
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.CRITICAL, handlers=[logging.NullHandler()], force=True)


def drop_unknown_fields(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The event with nothing but ``ALLOWED`` fields."""
    return {name: value for name, value in event.items() if name in ALLOWED}
