"""Entries of a made-up log, as the server sends them."""

from vault.v1 import audit_pb2, audit_service_pb2

TENANT, SUBJECT, TOKEN = b"\x11" * 16, b"\x22" * 16, b"\x33" * 16


def leaf(index: int = 0, **fields: object) -> bytes:
    """A leaf; fields replace what it holds."""
    chosen = {"format": 1, "time_us": 1_800_000_000_000_000 + index, "tenant_uid": TENANT, "action": "Reveal", "decision": 1}
    return audit_pb2.AuditEvent(**{**chosen, **fields}).SerializeToString()


def entry(index: int, **fields: object) -> audit_service_pb2.LogEntry:
    """An entry with such a leaf."""
    return audit_service_pb2.LogEntry(index=index, leaf=leaf(index, **fields))


def tail(*indexes: int, upto: int | None = None) -> audit_service_pb2.TailResponse:
    """A message of Tail with these entries; ``upto`` where it is not the one after the last."""
    return audit_service_pb2.TailResponse(
        entries=[entry(index) for index in indexes], next_index=indexes[-1] + 1 if upto is None else upto
    )
