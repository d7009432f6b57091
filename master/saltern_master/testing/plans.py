"""Plans of a master in memory: nodes say what a test lets them foresee.

A node that foresees nothing yet is waited for; once it does, it answers every plan that is open
and every one that comes. A body's hash is that of the file and the node's name.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from hashlib import sha256
from typing import Final, get_args

from msgspec.structs import replace

from saltern_master.api.plans import Expected, Impact, NodePlan, PlanLineView, PlanView
from saltern_master.api.service import NodeView, ServiceError, TurnView
from saltern_master.cluster.faults import ClusterFileError
from saltern_master.cluster.load import load
from saltern_master.cluster.model import Cluster, Node
from saltern_master.plan_words import worded
from saltern_master.subjects import Subject, subject
from saltern_master.targeting import TargetError, choose

IMPACTS: Final[tuple[Impact, ...]] = get_args(Impact)
_HINDERED: Final = ("blocked", "unreadable")
NOT_HERE: Final = "it is not connected, so it cannot say what it would change"


class FakePlans:
    """Asks nodes for plans. A part of FakeService, which knows nodes and what was applied."""

    now: Callable[[], float]
    _nodes: dict[str, NodeView]
    _file: bytes  # that was applied last; empty: none

    def __init__(self) -> None:
        self._plans: dict[int, PlanView] = {}
        self._foreseen: dict[str, tuple[PlanLineView, ...]] = {}
        self._foreseeing = asyncio.Condition()

    @abstractmethod
    def _revision(self) -> int:
        """Give the revision that was applied last."""

    @abstractmethod
    async def _begin(
        self, names: tuple[str, ...], revision: int, notes: tuple[str, ...]
    ) -> TurnView:
        """Begin a turn."""

    async def plan(self, file: bytes, target: str) -> PlanView:
        """Begin to plan."""
        file = file or self._file
        if not file:
            raise ServiceError("conflict", "cannot plan: nothing was applied yet; give a file")
        cluster = _read(file)
        names = _targeted(cluster, target, self._nodes)
        number = len(self._plans) + 1
        made = PlanView(
            plan=number,
            revision=self._revision(),
            file=sha256(file).hexdigest(),
            began=self.now(),
            nodes=tuple(self._asked(name, _body(file, name)) for name in sorted(names)),
        )
        async with self._foreseeing:
            self._plans[number] = self._ended(made)
            self._foreseeing.notify_all()
        return self._plans[number]

    async def plan_so_far(self, number: int) -> PlanView:
        """Give a plan."""
        if number not in self._plans:
            text = f"cannot find plan {number}: it is kept no longer; plan again"
            raise ServiceError("not-found", text)
        return self._plans[number]

    async def follow_plan(self, number: int) -> AsyncIterator[NodePlan | PlanView]:
        """Give each node's plan as it comes."""
        told: set[str] = set()
        while True:
            plan = await self.plan_so_far(number)
            for one in plan.nodes:
                if one.result != "waiting" and one.node not in told:
                    told.add(one.node)
                    yield one
            if plan.ended:
                yield plan
                return
            await self._becomes_another(number, plan)

    async def apply_planned(self, file: bytes, expects: Mapping[str, Expected]) -> TurnView:
        """Apply exactly what was planned."""
        file = file or self._file
        if not file:
            raise ServiceError("conflict", "cannot apply a plan: nothing was applied; give a file")
        cluster = _read(file)
        known = {node.name for node in cluster.nodes}
        faults = [
            fault
            for name, one in sorted(expects.items())
            if (fault := self._stale(file, name, one, name in known))
        ]
        if faults:
            text = f"cannot apply: the plan is stale for {len(faults)} nodes; nothing was begun"
            raise ServiceError("conflict", f"{text}. Plan again", tuple(faults))
        self._file = file
        return await self._begin(tuple(sorted(expects)), self._revision() + 1, ())

    # Levers: what nodes say.

    async def foresee(self, node: str, *lines: PlanLineView) -> None:
        """Let a node say from now on what it would do."""
        async with self._foreseeing:
            self._foreseen[node] = lines
            for number, plan in self._plans.items():
                if not plan.ended:
                    nodes = tuple(
                        self._asked(one.node, one.body) if one.result == "waiting" else one
                        for one in plan.nodes
                    )
                    self._plans[number] = self._ended(replace(plan, nodes=nodes))
            self._foreseeing.notify_all()

    async def planning(self, number: int) -> None:
        """Wait until a plan has begun."""
        async with self._foreseeing:
            await self._foreseeing.wait_for(lambda: number in self._plans)

    async def _becomes_another(self, number: int, was: PlanView) -> None:
        async with self._foreseeing:
            await self._foreseeing.wait_for(lambda: self._plans[number] is not was)

    def _asked(self, name: str, body: str) -> NodePlan:
        """Give what a node says now."""
        node = self._nodes.get(name)
        if node is None or node.state != "joined":
            return NodePlan(node=name, result="refused", why="it has not joined")
        if not node.connected:
            return NodePlan(node=name, result="unreachable", body=body, why=NOT_HERE)
        if name not in self._foreseen:
            return NodePlan(node=name, body=body)
        lines = self._foreseen[name]
        return NodePlan(
            node=name,
            result="planned",
            changes=sum(one.finding == "to change" for one in lines),
            hindered=len({one.resource for one in lines if one.finding in _HINDERED}),
            impact=max((one.impact for one in lines), key=IMPACTS.index, default="none"),
            lines=worded(lines),
            body=body,
            version=node.version,
            digest=sha256(repr(lines).encode()).hexdigest(),
        )

    def _ended(self, plan: PlanView) -> PlanView:
        waited = any(one.result == "waiting" for one in plan.nodes)
        return plan if waited else replace(plan, ended=self.now())

    def _stale(self, file: bytes, name: str, expected: Expected, known: bool) -> str:
        """Say what moved since a node was planned; "": nothing."""
        if not known:
            return f"{name}: the cluster file does not name it"
        if _body(file, name) != expected.body:
            return f"{name}: what it shall be is compiled to another body now"
        now = self._asked(name, expected.body)
        if now.result != "planned":
            return f"{name}: {now.why or 'it does not say what it would do'}"
        if now.digest != expected.digest:
            return f"{name}: it would do something else now"
        return ""


def _body(file: bytes, name: str) -> str:
    return sha256(file + name.encode()).hexdigest()


def _read(file: bytes) -> Cluster:
    try:
        return load(file).cluster
    except ClusterFileError as error:
        head = str(error).partition("\n")[0]
        raise ServiceError("invalid", head, tuple(map(str, error.faults))) from error


def _targeted(cluster: Cluster, target: str, nodes: Mapping[str, NodeView]) -> tuple[str, ...]:
    try:
        return choose(target, [_subject(node, nodes.get(node.name)) for node in cluster.nodes])
    except TargetError as error:
        head = str(error).partition("\n")[0]
        raise ServiceError("invalid", head, error.faults) from error


def _subject(node: Node, known: NodeView | None) -> Subject:
    """Give what can be asked of a node of a file."""
    if known is None:
        return Subject(node.name, node.node_class, node.roles, node.labels)
    return subject(replace(known, roles=node.roles, labels=dict(node.labels)))
