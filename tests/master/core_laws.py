"""Laws of core as a whole: run on one store, on one core after another, with what nodes have."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from saltern_master.api.service import TurnView
from saltern_master.core.turns import Limits
from saltern_master.signing.home import Home
from saltern_master.store import Memory
from saltern_protocol.messages import Poke

from tests.master.core_stand import Node, Stand, core_stand

Law = Callable[[Stand], Awaitable[None]]


def run(home: Home, *laws: Law, limits: Limits | None = None) -> None:
    """Run each law on a core; all of them have one store, so a later one is a core after a kill."""
    memory = Memory()

    async def whole() -> None:
        nodes: dict[str, Node] = {}
        for law in laws:
            stand = core_stand(home, memory) if limits is None else core_stand(home, memory, limits)
            async with asyncio.timeout(30), stand as running:
                for node in nodes.values():
                    node.front = running.front
                running.nodes.update(nodes)
                await law(running)
                nodes = running.nodes

    asyncio.run(whole())


async def taken(turn: TurnView, *nodes: Node) -> None:
    """Let nodes have their document and tell that it changed something."""
    for node in nodes:
        await node.hear(Poke)
        await node.fetch()
        await node.report(node.applied(turn.turn, "changed"))


async def ended(stand: Stand, turn: TurnView) -> dict[str, str]:
    *_, last = [one async for one in stand.service.follow_turn(turn.turn)]
    assert isinstance(last, TurnView)
    return {one.node: one.result for one in last.nodes}
