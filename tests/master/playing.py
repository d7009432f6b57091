"""Nodes that play themselves: they take what they are given, say how it went, and what is planned.

A node says again what was not acknowledged when it connects anew, as an agent does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from saltern_master.api.plans import Impact, PlanLineView
from saltern_master.api.rollouts import RolloutAsk, RolloutView, Steering
from saltern_master.front.frames import Silent, Up
from saltern_master.rollouts.strategy import Strategy
from saltern_protocol import messages
from saltern_protocol.messages import Ack, Again, Current, Doc, Fetch, Poke, Proposal, Report
from saltern_protocol.report import Item

from tests.master.clusters import SMALL
from tests.master.core_stand import Node, Stand
from tests.master.plan_pages import page_of

HEAD = SMALL[: SMALL.index("- {name: w1")]
THREE = ("w1", "w2", "w3")
FAST = Strategy(
    canary="1", waves=("100%",), soak=0, hold=0, patience=20, absence=20, drain=20, budget="0"
)


def file_of(value: int, *names: str) -> bytes:
    """Give a cluster file; another value is another body for each of the nodes."""
    nodes = "".join(
        f"- {{name: {name}, address: 10.9.0.{at}}}\n" for at, name in enumerate(names, 21)
    )
    group = f"groups: [{{match: role=worker, sysctls: {{vm.max_map_count: '{value}'}}}}]\n"
    return (HEAD + nodes + group).encode()


@dataclass
class Player:
    """What plays one node. `says` gives how a document went there, by its body's hash."""

    node: Node
    impact: Impact = "restart"
    says: Callable[[str], str] = lambda _: "changed"
    health: str = "converged"
    here: bool = True
    got: list[str] = field(default_factory=list)
    unacked: list[tuple[int, tuple[Item, ...]]] = field(default_factory=list)
    body: str = ""

    def attach(self, stand: Stand) -> None:
        """Speak with this core's front from now on."""
        self.node.front = stand.front
        stand.nodes[self.node.name] = self.node
        stand.front.answering[self.node.key] = self._hear
        if self.here:
            self.connect()

    def connect(self) -> None:
        self.here = True
        self.node.front.say(Up(key=self.node.key))
        self._hello()

    def leave(self) -> None:
        self.here = False
        self.node.front.say(Silent(key=self.node.key))

    def _hello(self) -> None:
        self.node.say(self.node.hello(document=self.node.document))
        for first, items in self.unacked:
            self.node.say(Report(first=first, items=items))
        self.node.say(self.node.health(self.health))

    def _hear(self, data: bytes) -> None:
        node, message = self.node, messages.from_master(data)
        if not self.here:
            return
        match message:
            case Poke():
                node.say(Fetch())
            case Again():
                self._hello()
            case Proposal():
                node.say(page_of(message.turn, self._line()))
            case Ack():
                self.unacked = [one for one in self.unacked if one[0] > message.seq]
            case Doc():
                self._apply(message)
            case Current() if message.turn:
                node.say(node.looked(message.turn), node.health(self.health))

    def _apply(self, doc: Doc) -> None:
        node, body = self.node, doc.body.hex()
        node.take(doc)
        if self.body != body:
            self.got.append(body)
            self.body = body
        self.tell(doc.turn, self.says(body))

    def tell(self, turn: int, outcome: str) -> None:
        """Say how a document went; nothing where that is "silent"."""
        node = self.node
        if outcome == "silent":
            return
        node.seq += 1
        items = (node.applied(turn, outcome),)
        self.unacked.append((node.seq, items))
        node.say(Report(first=node.seq, items=items), node.health(self.health))

    def _line(self) -> PlanLineView:
        return PlanLineView(
            resource="sysctl",
            verb="hold",
            finding="to change",
            change="vm.max_map_count",
            impact=self.impact,
        )


async def played(stand: Stand, *names: str, node_class: str = "worker") -> dict[str, Player]:
    """Let nodes join and play themselves."""
    nodes = await stand.joined(*names, node_class=node_class)
    players = {node.name: Player(node) for node in nodes}
    for one in players.values():
        one.attach(stand)
    return players


async def applied(stand: Stand, file: bytes) -> None:
    """Apply a file and wait until all have it."""
    turn = await stand.service.apply(file)
    async for _ in stand.service.follow_turn(turn.turn):
        continue
    for node in stand.nodes.values():
        node.say(node.health())
    peers = stand.office.known.peers
    await until(stand, lambda: all(one.health is not None for one in peers.values()))


async def until(stand: Stand, so: Callable[[], bool]) -> None:
    """Wait until something is so; ten seconds at most."""
    async with asyncio.timeout(10):
        while not so():
            await asyncio.sleep(0.005)


async def rolled(stand: Stand, file: bytes, strategy: Strategy = FAST, **more: object) -> int:
    """Begin a rollout; give its number."""
    ask = RolloutAsk(file=file.decode(), strategy=strategy, by="ann", **more)  # type: ignore[arg-type]
    return (await stand.service.start_rollout(ask)).rollout


async def phase(stand: Stand, number: int, *wanted: str) -> RolloutView:
    """Wait until a rollout is in one of these phases; give it."""
    async with asyncio.timeout(10):
        while (view := await stand.service.rollout(number)).phase not in wanted:
            await asyncio.sleep(0.01)
    return view


def stages(view: RolloutView) -> dict[str, str]:
    return {one.node: one.stage for one in view.nodes}


async def ready(stand: Stand, *names: str) -> dict[str, Player]:
    """Let nodes join and have their first document."""
    players = await played(stand, *names)
    await applied(stand, file_of(1, *names))
    for one in players.values():
        one.got.clear()
    return players


async def steer(stand: Stand, number: int, action: str, node: str = "") -> RolloutView:
    steering = Steering(action=action, node=node, by="bob")  # type: ignore[arg-type]
    return await stand.service.steer_rollout(number, steering)
