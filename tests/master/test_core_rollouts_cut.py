"""Core may end between any two steps of a rollout: the same nodes, in the same waves, once each.

The cut is at every commit of a rollout: before it is durable, and after that with nobody told.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_master.api.rollouts import RolloutView
from saltern_master.api.service import ServiceError
from saltern_master.records.revisions import applied_revision
from saltern_master.signing.home import Home
from saltern_master.store import LostError, Memory, MemoryStore, Write

from tests.master.core_stand import Stand, core_stand
from tests.master.homes import made_home
from tests.master.playing import FAST, Player, applied, file_of, phase, played, rolled, until

pytestmark = pytest.mark.timeout(300)  # thirty commits, and a core for each

NODES = ("w1", "w2", "w3")
MOST = 60


class CutStore(MemoryStore):
    """A store whose process ends at a commit; `durable`: that one is on the disk."""

    def __init__(self, memory: Memory, left: int, durable: bool) -> None:
        super().__init__(memory)
        self.left, self.durable, self.cut = left, durable, False

    def commit(self, *writes: Write) -> int:
        if self.cut:
            raise LostError("cannot write: it has ended")
        self.left -= 1
        self.cut = self.left < 0
        if self.cut and self.durable:
            super().commit(*writes)
        if self.cut:
            raise LostError("cannot write: it has ended")
        return super().commit(*writes)


@dataclass
class Begun:
    """A master whose nodes have their first document, to be gone on from again and again."""

    home: Home
    memory: Memory
    players: dict[str, Player] = field(default_factory=dict)

    def copied(self) -> Begun:
        players = {name: copy.copy(one) for name, one in self.players.items()}
        for one in players.values():
            one.node, one.got, one.unacked = copy.copy(one.node), [], list(one.unacked)
        return Begun(self.home, copy.deepcopy(self.memory), players)


def begun(home: Home) -> Begun:
    found = Begun(home, Memory())

    async def whole() -> None:
        async with core_stand(home, found.memory) as stand:
            found.players = await played(stand, *NODES)
            await applied(stand, file_of(1, *NODES))

    asyncio.run(whole())
    for one in found.players.values():
        one.node.front = None  # type: ignore[assignment]
    return found


Law = Callable[[Stand, Callable[[], bool]], Awaitable[None]]


def cut_and_go_on(at: Begun, left: int, durable: bool, law: Law) -> bool:
    """Run a law until the cut, and again on what is left; tell whether there was a cut."""

    async def one(store: CutStore) -> None:
        async with asyncio.timeout(30), core_stand(at.home, opened=lambda: store) as stand:
            for player in at.players.values():
                player.attach(stand)
            peers = stand.office.known.peers
            with suppress(ServiceError):
                await until(
                    stand,
                    lambda: store.cut or all(one.session.greeted for one in peers.values()),
                )
                await law(stand, lambda: store.cut)

    first = CutStore(at.memory, left, durable)
    asyncio.run(one(first))
    if first.cut:
        asyncio.run(one(CutStore(at.memory, 10_000, False)))
    return first.cut


async def brought(stand: Stand, cut: Callable[[], bool]) -> None:
    """Begin a rollout where there is none, and wait for its end."""
    if not await stand.service.rollouts(1):
        await rolled(stand, file_of(2, *NODES), replace(FAST, waves=("66%", "100%")))
    await until(stand, lambda: cut() or stand.office.driving.going is None)


@pytest.mark.parametrize("durable", [False, True], ids=["before", "after"])
def test_a_rollout_that_is_cut_goes_on_with_the_same_nodes(tmp_path: Path, durable: bool) -> None:
    start = begun(made_home(tmp_path))
    for left in range(MOST):
        at = start.copied()
        was_cut = cut_and_go_on(at, left, durable, brought)
        view = asyncio.run(_last(at))

        assert view.phase == "done", left
        waves = [[one.node for one in view.nodes if one.wave == wave] for wave in range(3)]
        assert waves == [["w1"], ["w2"], ["w3"]], left
        assert [len(one.got) for one in at.players.values()] == [1, 1, 1], left
        assert applied_revision(MemoryStore(at.memory)) == 2
        if not was_cut:
            assert left > 10
            return
    raise AssertionError(f"it took more than {MOST} commits")


async def _last(at: Begun) -> RolloutView:
    async with core_stand(at.home, at.memory) as stand:
        return await stand.service.rollout(0)


async def taken_back(stand: Stand, cut: Callable[[], bool]) -> None:
    """The same, with a strategy that takes it back by itself."""
    if not await stand.service.rollouts(1):
        strategy = replace(FAST, on_spent="undo", waves=("66%", "100%"))
        await rolled(stand, file_of(2, *NODES), strategy)
    await until(stand, lambda: cut() or stand.office.driving.going is None)
    if not cut():
        await phase(stand, 2, "done")


def test_an_undo_that_is_cut_is_begun_once(tmp_path: Path) -> None:
    start = begun(made_home(tmp_path))
    before = {name: one.body for name, one in start.players.items()}
    for left in range(0, MOST, 3):
        at = start.copied()
        at.players["w2"].says = lambda body: "changed" if body == before["w2"] else "failed"
        was_cut = cut_and_go_on(at, left, left % 2 == 0, taken_back)
        view = asyncio.run(_last(at))

        assert (view.rollout, view.undoes, view.phase) == (2, 1, "done"), left
        assert {name: one.body for name, one in at.players.items()} == before, left
        assert at.players["w3"].got == [], left
        assert applied_revision(MemoryStore(at.memory)) == 1
        if not was_cut:
            return
    raise AssertionError(f"it took more than {MOST} commits")
