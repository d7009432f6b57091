"""What each node's last heartbeat told, and when it came, by the master's clock."""

from __future__ import annotations

from saltern_protocol import messages

from saltern_master.records.codec import Record, every, put
from saltern_master.store import Put, Store

PREFIX = "health/"


class Health(Record, frozen=True):
    """Told by the node, but for `seen_at`: seconds since 1970 on the master."""

    node: str
    seen_at: float
    tick: int = 0
    state: str = ""
    version: int = 0
    drift: int = 0
    load: float = 0.0
    memory_kib: int = 0
    disk_kib: int = 0


def health_of(node: str, told: messages.Health, now: float) -> Health:
    """Give the record of a heartbeat."""
    return Health(
        node=node,
        seen_at=now,
        tick=told.tick,
        state=told.state,
        version=told.version,
        drift=told.drift,
        load=told.load_percent / 100,
        memory_kib=told.memory_kib,
        disk_kib=told.disk_kib,
    )


def health_key(node: str) -> str:
    """Where a node's health stands."""
    return PREFIX + node


def put_health(health: Health) -> Put:
    """Give its write."""
    return put(health_key(health.node), health)


def every_health(store: Store) -> tuple[Health, ...]:
    """Give the health of all nodes."""
    return every(store, PREFIX, Health)
