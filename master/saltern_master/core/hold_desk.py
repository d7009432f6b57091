"""What people ask of holds: answered from Holding, as views."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from saltern_master.api.held_asked import held_by, released_by
from saltern_master.api.holds import HoldAsk, HoldsView, HoldView, ReleaseAsk, WindowView
from saltern_master.api.service import HeldView, NodeView
from saltern_master.core.held import Open
from saltern_master.core.holding import Holding
from saltern_master.core.known import Known
from saltern_master.core.peer import Peer
from saltern_master.records.holds import PersonHold

TOLD_WAIT: Final = 2.0
"""Seconds that connected nodes are given to ask for the lease that says it."""


class HoldDesk:
    """Holds nodes, releases them, and tells who is held."""

    def __init__(self, holding: Holding, known: Known, clock: Callable[[], float]) -> None:
        self._holding, self._known, self._clock = holding, known, clock

    async def hold(self, ask: HoldAsk, nodes: Iterable[NodeView]) -> tuple[HoldView, ...]:
        """Hold nodes, and wait until those that are connected know it. MasterError."""
        names, now = held_by(ask, nodes), self._clock()
        before = {name: self._holding.holds.get(name) for name in names}
        self._holding.hold(
            PersonHold(
                node=name,
                incarnation=self._known.peers[name].node.incarnation,
                since=now,
                until=now + ask.seconds,
                why=ask.why,
                by=ask.by,
            )
            for name in names
            if name in self._known.peers
        )
        await self._holding.given(names, TOLD_WAIT)
        holds = self._holding.holds
        return tuple(self._view(holds[name], before[name]) for name in names if name in holds)

    async def release(self, ask: ReleaseAsk, nodes: Iterable[NodeView]) -> tuple[HoldView, ...]:
        """Hold nodes no longer, and wait until those that are connected know it. MasterError."""
        held: Mapping[str, PersonHold] = dict(self._holding.holds)
        names = released_by(ask, nodes, held)
        self._holding.release(names)
        await self._holding.given(names, TOLD_WAIT)
        return tuple(self._view(held[name], None) for name in names)

    def holds(self) -> HoldsView:
        """Give all of it."""
        now = self._clock()
        self._holding.refresh()
        holds = sorted(self._holding.holds.items())
        windows = [self._window(one, now) for one in self._holding.windows]
        shown = [one for one in windows if one is not None]
        return HoldsView(
            holds=tuple(self._view(one, None) for _, one in holds if one.until > now),
            windows=tuple(sorted(shown, key=lambda one: (not one.open, one.begins, one.name))),
        )

    def _view(self, hold: PersonHold, before: PersonHold | None) -> HoldView:
        peer, now = self._known.peers.get(hold.node), self._clock()
        lasts = before is not None and before.until > now
        return HoldView(
            node=hold.node,
            since=hold.since,
            until=hold.until,
            why=hold.why,
            by=hold.by,
            connected=peer is not None and peer.session.greeted,
            in_force=_is_told(peer, hold.until, now),
            before_until=before.until if before is not None and lasts else 0.0,
            before_by=before.by if before is not None and lasts else "",
        )

    def _window(self, window: Open, now: float) -> WindowView | None:
        span = window.next_span(now)
        if span is None:
            return None
        names, peers = self._holding.nodes_of(window), self._known.peers
        is_open = span.has(now)
        return WindowView(
            name=window.window.name,
            why=window.window.why,
            zone=window.window.zone,
            begins=span.begins,
            ends=span.ends,
            open=is_open,
            nodes=names,
            in_force=tuple(
                one for one in names if is_open and _is_told(peers[one], span.ends, now)
            ),
        )


def held_view(peer: Peer | None, now: float) -> HeldView | None:
    """Say what holds a node; None: nothing does."""
    held = peer.held_by(now) if peer is not None else None
    if peer is None or held is None:
        return None
    return HeldView(
        until=held.until,
        why=held.why,
        by=held.by,
        in_force=_is_told(peer, held.until, now),
    )


def _is_told(peer: Peer | None, until: float, now: float) -> bool:
    """Tell whether a node's last lease says that it is held for so long, or longer."""
    told = peer.session.hold if peer is not None and peer.session.greeted else None
    return told is not None and told.until > now and told.until >= until
