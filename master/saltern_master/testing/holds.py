"""Holds of a master in memory. A node that is connected knows at once what holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec.structs import replace

from saltern_master.api.held_asked import held_by, released_by
from saltern_master.api.holds import HoldAsk, HoldsView, HoldView, ReleaseAsk, WindowView
from saltern_master.api.service import HeldView, NodeView
from saltern_master.cluster.load import load
from saltern_master.cluster.maintenance import spans
from saltern_master.cluster.model import Window
from saltern_master.subjects import Subject, label_keys
from saltern_master.targeting import parse


class FakeHolds:
    """Holds nodes. A part of FakeService, which knows nodes and what was applied."""

    now: Callable[[], float]
    _nodes: dict[str, NodeView]
    _file: bytes

    def __init__(self) -> None:
        self._holds: dict[str, HoldView] = {}

    async def hold(self, ask: HoldAsk) -> tuple[HoldView, ...]:
        """Hold nodes."""
        before = self._held()
        names = held_by(ask, self._nodes.values())
        self._holds = dict(before) | {name: self._made(name, ask) for name in names}
        return tuple(
            replace(self._holds[one], before_until=before[one].until, before_by=before[one].by)
            if one in before
            else self._holds[one]
            for one in names
        )

    async def release(self, ask: ReleaseAsk) -> tuple[HoldView, ...]:
        """Hold nodes no longer."""
        held = self._held()
        names = released_by(ask, self._nodes.values(), held)
        self._holds = {name: one for name, one in held.items() if name not in names}
        return tuple(replace(held[name], in_force=False) for name in names)

    async def holds(self) -> HoldsView:
        """Give persons' holds, and all windows."""
        windows = sorted(self._windows(), key=lambda one: (not one.open, one.begins, one.name))
        return HoldsView(
            holds=tuple(one for _, one in sorted(self._held().items())), windows=tuple(windows)
        )

    def held_node(self, node: NodeView) -> NodeView:
        """Give a node with what holds it."""
        person = self._held().get(node.name)
        found = [] if person is None else [(person.until, person.why, person.by)]
        found += [
            (one.ends, one.why, f"window {one.name}")
            for one in self._windows()
            if one.open and node.name in one.nodes
        ]
        if not found:
            return node
        until, why, by = max(found)
        return replace(node, hold=HeldView(until=until, why=why, by=by, in_force=node.connected))

    def _made(self, name: str, ask: HoldAsk) -> HoldView:
        here, now = self._nodes[name].connected, self.now()
        return HoldView(
            node=name,
            since=now,
            until=now + ask.seconds,
            why=ask.why,
            by=ask.by,
            connected=here,
            in_force=here,
        )

    def _held(self) -> Mapping[str, HoldView]:
        """Give what is not over, of those who are nodes still."""
        now, gone = self.now(), ("revoked", "removed")
        return {
            name: one
            for name, one in self._holds.items()
            if one.until > now and self._nodes[name].state not in gone
        }

    def _windows(self) -> Iterator[WindowView]:
        cluster = load(self._file).cluster if self._file else None
        for window in cluster.maintenance if cluster is not None else ():
            span = next((one for one in spans(window, self.now()) if one.ends > self.now()), None)
            names = self._meant(window)
            if span is not None:
                yield WindowView(
                    name=window.name,
                    why=window.why,
                    zone=window.zone,
                    begins=span.begins,
                    ends=span.ends,
                    open=span.has(self.now()),
                    nodes=names,
                    in_force=names if span.has(self.now()) else (),
                )

    def _meant(self, window: Window) -> tuple[str, ...]:
        described = {one.name: one for one in load(self._file).cluster.nodes}
        subjects = [
            Subject(name, one.node_class, described[name].roles, described[name].labels)
            if name in described
            else Subject(name, one.node_class)
            for name, one in sorted(self._nodes.items())
            if one.state in ("joined", "removing", "locked")
        ]
        return parse(window.nodes, label_keys(subjects)).of(subjects)
