"""All nodes at a glance, for who looks again and again: metrics and notifications.

What `saltern status` shows is read from the store, facts and all; that of ten thousand nodes holds
the event loop for a third of a second. This takes what core has in memory, AT_ONCE nodes at a time,
and reads from the store what is nowhere else: who is pending, who was revoked, and, once, when
nodes were heard before core started. Facts, labels and findings are left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Final

from saltern_protocol.messages import Health as Told

from saltern_master.api.service import NodeView
from saltern_master.core.conditions import part_views
from saltern_master.core.hold_desk import held_view
from saltern_master.core.office import Office
from saltern_master.core.peer import Peer
from saltern_master.core.views import nowhere, pending_view
from saltern_master.records.codec import read
from saltern_master.records.health import Health, every_health
from saltern_master.records.nodes import PREFIX, Node, hold_pending

AT_ONCE: Final = 500


class Glance:
    """Looks at all nodes, and remembers when they were heard before core started."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._before: Mapping[str, Health] | None = None

    async def nodes(self) -> tuple[NodeView, ...]:
        """Give all nodes that are, wait, or were revoked, in order of names. StoreError."""
        office, found = self._office, dict[str, NodeView]()
        if self._before is None:
            self._before = {one.node: one for one in every_health(office.store)}
        cluster = office.rolling.applied.cluster
        addresses = {one.name: one.address for one in (cluster.nodes if cluster else ())}
        for number, (name, peer) in enumerate(tuple(office.known.peers.items()), 1):
            found[name] = self._view(peer, addresses.get(name, ""), self._before.get(name))
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        async for node in _not_among(office, found):
            if node.state == "revoked":
                found[node.name] = NodeView(
                    name=node.name, node_class=node.node_class, state="revoked", fingerprint=""
                )
        for view in _pending(office):
            found.setdefault(view.name, view)
        return tuple(found[name] for name in sorted(found))

    def _view(self, peer: Peer, address: str, before: Health | None) -> NodeView:
        node, told = peer.node, peer.condition
        if node.state == "offline":
            raise AssertionError("a peer has joined")
        there = peer.session.greeted and node.name not in self._office.known.gone
        heard = peer.heard or (before.seen_at if before is not None else 0.0)
        seen_at = max(heard, peer.spoke, told.seen_at if told is not None else 0.0)
        kept = peer.health if peer.health is not None else before
        return NodeView(
            name=node.name,
            node_class=node.node_class,
            state=node.state,
            fingerprint="",
            connected=there,
            seen_at=seen_at,
            version=_version(peer, kept),
            wanted=node.version,
            drift=len(peer.drift),
            release=node.release,
            address=address,
            parts=part_views(told, there, seen_at),
            hold=held_view(peer, self._office.clock()),
        )


def _version(peer: Peer, kept: Told | Health | None) -> int:
    """Give the document that a node has, or that it had when it was heard last."""
    if peer.session.greeted:
        return peer.session.held
    return kept.version if kept is not None else 0


async def _not_among(office: Office, found: Mapping[str, NodeView]) -> AsyncIterator[Node]:
    after = ""
    while page := office.store.list(PREFIX, after=after, most=AT_ONCE):
        for entry in page:
            if entry.key.removeprefix(PREFIX) not in found:
                yield read(entry, Node)
        after = page[-1].key
        await asyncio.sleep(0)


def _pending(office: Office) -> Iterator[NodeView]:
    for held in hold_pending(office.store):
        if held.value is not None and held.value.expires > office.clock():
            yield pending_view(held.value, nowhere(held.value.node))
