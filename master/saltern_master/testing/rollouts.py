"""Rollouts of a master in memory: the real machine, and levers for what nodes would say.

Nothing moves by itself: no node speaks, no pod leaves and no time passes before a test says so.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping

import msgspec

from saltern_master.api.rollouts import Action, RolloutAsk, RolloutNode, RolloutView, Steering
from saltern_master.api.service import NodeView, ServiceError
from saltern_master.cluster.faults import ClusterFileError
from saltern_master.cluster.load import load
from saltern_master.cluster.model import Node
from saltern_master.rollouts import model
from saltern_master.rollouts.begin import begin, taken_back
from saltern_master.rollouts.machine import step
from saltern_master.rollouts.model import OVER, Event, Rollout
from saltern_master.rollouts.strategy import faults
from saltern_master.rollouts.wants import wants
from saltern_master.rollouts.waves import Candidate, Impact
from saltern_master.subjects import Subject
from saltern_master.targeting import TargetError, choose
from saltern_master.testing.rollout_views import Kept, head_view, node_view, whole_view


class FakeRollouts:
    """Drives rollouts. A part of FakeService, which knows nodes and what was applied."""

    now: Callable[[], float]
    _nodes: dict[str, NodeView]
    _file: bytes  # that was applied or rolled out last; empty: none

    def __init__(self) -> None:
        self.impact: Impact = "restart"  # that a document has on each node
        self._kept: dict[int, Kept] = {}
        self._rolled: list[tuple[int, RolloutNode | RolloutView]] = []
        self._rolls = asyncio.Condition()

    async def start_rollout(self, ask: RolloutAsk) -> RolloutView:
        """Begin a rollout, or queue it."""
        self._read(ask)
        on = self._on()
        if on is not None and not ask.queue:
            raise ServiceError("conflict", _taken("begin a rollout", on.rollout))
        number = len(self._kept) + 1
        empty = Rollout(
            number=number,
            revision=0,
            before=0,
            strategy=ask.strategy,
            began=self.now(),
            nodes={},
            waves=0,
        )
        self._kept[number] = Kept(empty, ask, queued=True)
        if on is None:
            await self._begin_asked(number)
        async with self._rolls:
            self._rolls.notify_all()
        return whole_view(self._kept[number], self.now())

    async def rollouts(self, most: int) -> tuple[RolloutView, ...]:
        """List rollouts, the newest first."""
        newest = sorted(self._kept, reverse=True)[:most]
        return tuple(head_view(self._kept[one], self.now()) for one in newest)

    async def rollout(self, number: int) -> RolloutView:
        """Give one; 0: the one that goes on, or the newest."""
        return whole_view(self._the(number), self.now())

    async def follow_rollout(self, number: int) -> AsyncIterator[RolloutNode | RolloutView]:
        """Give what moves, and the whole at the end."""
        number, told = self._the(number).rollout.number, len(self._rolled)
        while len(self._rolled) > told or self._the(number).rollout.phase not in OVER:
            async with self._rolls:
                await self._rolls.wait_for(lambda seen=told: len(self._rolled) > seen)  # type: ignore[misc]
            for whose, what in self._rolled[told:]:
                told += 1
                if whose == number:
                    yield what
        yield whole_view(self._the(number), self.now())

    async def steer_rollout(self, number: int, steering: Steering) -> RolloutView:
        """Pause, resume, abort, undo, or skip a node."""
        kept = self._the(number)
        rollout = kept.rollout
        if steering.action == "skip" and steering.node not in rollout.nodes:
            text = f"cannot skip {steering.node}: it has no part in rollout {rollout.number}"
            raise ServiceError("not-found", text)
        on = self._on()
        if steering.action == "undo" and on is not None and on.rollout.number != rollout.number:
            text = _taken(f"undo rollout {rollout.number}", on.rollout)
            raise ServiceError("conflict", text)
        if kept.queued and steering.action == "abort":
            self._kept[rollout.number] = kept = dataclasses.replace(kept, queued=False)
        if steering.action == "undo" and not rollout.before:
            text = f"cannot undo rollout {rollout.number}: there is no revision before it"
            raise ServiceError("conflict", text)
        event = _event(steering)
        if kept.queued or step(rollout, event, self.now()) is rollout:
            how = "queued" if kept.queued else rollout.phase
            text = f"cannot {steering.action} rollout {rollout.number}: it is {how}"
            raise ServiceError("conflict", text)
        await self._move(rollout.number, event)
        return whole_view(self._kept[rollout.number], self.now())

    # Levers: what nodes do.

    async def happens(self, *events: Event) -> None:
        """Let these happen to the rollout that goes on, one after the other."""
        for event in events:
            await self._move(self._the(0).rollout.number, event)

    async def carry(self, number: int, says: Mapping[str, str]) -> None:
        """Let every node do all that is wanted of it, until nothing more is; well, if not said."""
        await self.rolled(lambda: number in self._kept and not self._kept[number].queued)
        while events := list(self._answers(number, says)):
            before = self._kept[number].rollout
            for event in events:
                await self._move(number, event)
            if self._kept[number].rollout == before:
                return

    async def rolled(self, so: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with self._rolls:
            await self._rolls.wait_for(so)

    def stage_of(self, number: int, node: str) -> str:
        """Say how far a node is; "": there is no such rollout or node yet."""
        kept = self._kept.get(number)
        found = kept.rollout.nodes.get(node) if kept is not None else None
        return found.stage if found is not None else ""

    def is_queued(self, number: int) -> bool:
        """Say whether a rollout waits for another."""
        return number in self._kept and self._kept[number].queued

    def refuse_while_rolling(self, what: str) -> None:
        """Refuse what may not be done while a rollout goes on."""
        on = self._on()
        if on is not None:
            raise ServiceError("conflict", _taken(what, on.rollout))

    def rolled_revision(self) -> int:
        """Give the greatest revision that a rollout has recorded."""
        return max((one.rollout.revision for one in self._kept.values()), default=0)

    def done_revision(self) -> int:
        """Give the greatest revision that a rollout has brought to its end."""
        done = (one.rollout for one in self._kept.values() if one.rollout.phase == "done")
        return max((one.revision for one in done), default=0)

    def _revision(self) -> int:
        raise NotImplementedError

    def _applied(self) -> int:
        raise NotImplementedError

    def _answers(self, number: int, says: Mapping[str, str]) -> list[Event]:
        wanted = wants(self._kept[number].rollout)
        return [
            *(model.Quorum(one, good=True) for one in wanted.quorum),
            *(model.Drained(one) for one in wanted.drain),
            *(model.Said(one, says.get(one, "changed"), "for a test") for one in wanted.issue),
            *(model.Checked(one, good=True) for one in wanted.watch),
            *(model.Uncordoned(one) for one in wanted.uncordon),
        ]

    def _the(self, number: int) -> Kept:
        on = self._on()
        if number == 0 and (on is not None or self._kept):
            return on if on is not None else self._kept[max(self._kept)]
        if number not in self._kept:
            found = f"rollout {number}" if number else "a rollout: there was none yet"
            raise ServiceError("not-found", f"cannot find {found}; see: saltern rollout list")
        return self._kept[number]

    def _on(self) -> Kept | None:
        return next((one for one in self._kept.values() if one.goes_on), None)

    def _read(self, ask: RolloutAsk) -> tuple[bytes, tuple[Candidate, ...]]:
        """Read what is to be rolled out, and to whom; invalid with all faults."""
        file = ask.file.encode() or self._file
        if not file:
            text = "cannot begin a rollout: nothing was applied yet; give a cluster file with -f"
            raise ServiceError("conflict", text)
        found = [f"strategy: {one}" for one in faults(ask.strategy)]
        nodes: tuple[Node, ...] = ()
        try:
            nodes = load(file).cluster.nodes
            names = choose(ask.target, map(self._subject, nodes))
        except ClusterFileError as error:
            found = [*map(str, error.faults), *found]
        except TargetError as error:
            found = [*error.faults, *found]
        if found:
            plural = "" if len(found) == 1 else "s"
            text = f"cannot begin a rollout: {len(found)} fault{plural}"
            raise ServiceError("invalid", text, tuple(found))
        return file, tuple(
            self._candidate(one.name, set(one.roles)) for one in nodes if one.name in names
        )

    def _subject(self, node: Node) -> Subject:
        known = self._nodes.get(node.name)
        away = known is None or not known.connected
        return Subject(name=node.name, roles=node.roles, labels=node.labels, connected=not away)

    async def _begin_asked(self, number: int) -> None:
        kept, before = self._kept[number], self._applied()
        self._file, candidates = self._read(kept.ask)
        rollout = begin(
            number,
            self._revision() + 1,
            before,
            kept.ask.strategy,
            candidates,
            self.now(),
            control_plane_first=False,
        )
        await self._keep(Kept(rollout, kept.ask), kept)
        await self._move(number, model.Tick())

    def _candidate(self, name: str, roles: set[str]) -> Candidate:
        known = self._nodes.get(name)
        return Candidate(
            name=name,
            group="control-plane" if "control-plane" in roles else "worker",
            control_plane=bool(roles & {"control-plane", "etcd"}),
            impact=self.impact,
            away=known is None or not known.connected,
        )

    async def _move(self, number: int, event: Event) -> None:
        kept = self._kept[number]
        rollout = step(kept.rollout, event, self.now())
        over = rollout.phase in OVER and kept.rollout.phase not in OVER
        ended = self.now() if over else kept.ended
        after = dataclasses.replace(kept, rollout=rollout, ended=ended)
        if wants(rollout).undo:
            await self._undo(after)
            return
        await self._keep(after, kept)
        if self._on() is None:
            for one in [one for one, each in self._kept.items() if each.queued][:1]:
                await self._begin_asked(one)

    async def _undo(self, kept: Kept) -> None:
        """Begin the rollout that takes this one back, before a queued one."""
        old, number, now = kept.rollout, len(self._kept) + 1, self.now()
        known = {name: self._candidate(name, set()) for name in old.nodes}
        undo = begin(
            number,
            old.before,
            old.revision,
            old.strategy,
            taken_back(old, known),
            now,
            control_plane_first=False,
        )
        undo = msgspec.structs.replace(undo, undoes=old.number)
        done = step(old, model.UndoBegun(), now)
        before = self._kept[old.number]
        self._kept[number] = Kept(undo, RolloutAsk(strategy=old.strategy, by=kept.ask.by))
        ended = kept.ended or now
        after = dataclasses.replace(kept, rollout=done, ended=ended, undone_by=number)
        await self._keep(after, before)
        await self._move(number, model.Tick())

    async def _keep(self, kept: Kept, before: Kept) -> None:
        """Keep a rollout as it is now, and tell what moved."""
        number, now = kept.rollout.number, self.now()
        self._kept[number] = kept
        news: list[RolloutNode | RolloutView] = [
            node_view(name, node)
            for name, node in kept.rollout.nodes.items()
            if before.rollout.nodes.get(name) != node
        ]
        if head_view(kept, now) != head_view(before, now):
            news.append(head_view(kept, now))
        async with self._rolls:
            self._rolled += [(number, one) for one in news]
            self._rolls.notify_all()


def _event(steering: Steering) -> Event:
    made: Mapping[Action, Callable[[], Event]] = {
        "pause": lambda: model.Pause(steering.by),
        "resume": lambda: model.Resume(steering.by),
        "abort": lambda: model.Abort(steering.by),
        "undo": lambda: model.Undo(steering.by),
        "skip": lambda: model.Skip(steering.node, steering.by),
    }
    return made[steering.action]()


def _taken(what: str, on: Rollout) -> str:
    return (
        f"cannot {what}: rollout {on.number} is {on.phase}; wait for it: saltern rollout watch "
        f"{on.number}; or end it: saltern rollout abort {on.number}"
    )
