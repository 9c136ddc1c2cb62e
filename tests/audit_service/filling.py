"""Logs full of synthetic events."""

from tests.audit_service.desk import Desk
from tests.audit_service.synthetic import BEGIN_US, HOUR_US, NODES, dice, draft


def fill(desk: Desk, tenant: str, events: int, seed: int) -> None:
    """Events of two nodes, not in the order of their times."""
    chance, uid, left = dice(seed), desk.tenant(tenant).uid, events
    while left:
        commit = min(left, chance.randrange(1, 12))
        time_us = BEGIN_US + chance.randrange(40) * HOUR_US + chance.randrange(3)
        desk.write([draft(chance, uid) for _ in range(commit)], time_us, chance.choice(NODES))
        left -= commit
    desk.integrate()
