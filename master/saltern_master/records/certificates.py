"""Which certificates nodes were given last, and until when they hold.

    certificates/NODE/RESOURCE    the last one, and how many there were

* One record for each resource: a node that asks again and again fills no store.
* It tells of what was signed. Whether the node took it, the node says itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from saltern_master.pki.issue import Issued
from saltern_master.records.codec import Held, Record, every, hold
from saltern_master.store import Store, Write

PREFIX = "certificates/"


class Certified(Record, frozen=True):
    """A resource of a node, and the certificate that was signed for it last."""

    node: str
    issued: Issued
    times: int = 1  # certificates signed for it, with this one


def certificate_key(node: str, resource: str) -> str:
    """Where a resource's certificate stands."""
    return f"{PREFIX}{node}/{resource}"


def hold_certificate(store: Store, node: str, resource: str) -> Held[Certified]:
    """Read what was signed for a resource."""
    return hold(store, certificate_key(node, resource), Certified)


def certified(held: Held[Certified], node: str, issued: Issued) -> tuple[Write, ...]:
    """Give the writes that remember a certificate that is about to be sent."""
    times = held.value.times + 1 if held.value else 1
    return held.replaced(Certified(node=node, issued=issued, times=times))


def every_certificate(store: Store, node: str = "") -> tuple[Certified, ...]:
    """Give those of all nodes, or of one."""
    return every(store, f"{PREFIX}{node}/" if node else PREFIX, Certified)


def ending(certificates: Iterable[Certified], before: float) -> tuple[Certified, ...]:
    """Give those that end before a time (Unix seconds), the first to end first."""
    found = (one for one in certificates if one.issued.not_after < before)
    return tuple(sorted(found, key=lambda one: (one.issued.not_after, one.node, one.issued.path)))
