"""Which certificates nodes were given last, and until when they hold.

    certificates/NODE/RESOURCE    the last one that was signed for it (pki.issue.Issued)

* One record for each resource: a node that asks again and again fills no store.
* It tells of what was signed. Whether the node took it, the node says itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from saltern_master.pki.issue import Issued
from saltern_master.records.codec import holds, put
from saltern_master.store import Put, Store

PREFIX = "certificates/"


@dataclass(frozen=True, slots=True)
class Certified:
    """A node, and the certificate that was signed last for one of its resources."""

    node: str
    issued: Issued


def certificate_key(node: str, resource: str) -> str:
    """Where a resource's certificate stands."""
    return f"{PREFIX}{node}/{resource}"


def put_certificate(node: str, issued: Issued) -> Put:
    """Give the write that remembers a certificate, to be stored before it is sent."""
    return put(certificate_key(node, issued.resource), issued)


def every_certificate(store: Store, node: str = "") -> tuple[Certified, ...]:
    """Give those of all nodes, or of one."""
    prefix = f"{PREFIX}{node}/" if node else PREFIX
    return tuple(
        Certified(held.key.removeprefix(PREFIX).partition("/")[0], held.value)
        for held in holds(store, prefix, Issued)
        if held.value is not None
    )


def ending(certificates: Iterable[Certified], before: float) -> tuple[Certified, ...]:
    """Give those that end before a time (Unix seconds), the first to end first."""
    found = (one for one in certificates if one.issued.not_after < before)
    return tuple(sorted(found, key=lambda one: (one.issued.not_after, one.node, one.issued.path)))
