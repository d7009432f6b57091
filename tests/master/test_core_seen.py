"""What is shown of one node fits together, while its heartbeat is to come and once it is gone.

A node's reports come as things happen, its state by heartbeats, most of which the front answers.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from saltern_master.core.glance import Glance
from saltern_master.front.frames import Silent
from saltern_master.store import Memory

from tests.master.core_stand import Stand, core_stand, now
from tests.master.homes import made_home

SECONDS = 20


async def gone(stand: Stand, name: str) -> None:
    async with asyncio.timeout(SECONDS):
        while (await stand.service.node(name)).connected:
            await asyncio.sleep(0.01)


async def shown(stand: Stand, name: str) -> tuple[str, int]:
    one = await stand.service.node(name)
    return one.health, one.drift


async def told(stand: Stand, name: str, state: str) -> None:
    """Have a node say its state, and wait until core has heard that."""
    stand.nodes[name].say(stand.nodes[name].health(state))
    async with asyncio.timeout(SECONDS):
        while (one := stand.office.known.peers[name].health) is None or one.state != state:
            await asyncio.sleep(0.01)


def test_the_state_that_is_shown_fits_the_drift_that_is_open(tmp_path: Path) -> None:
    home, memory = made_home(tmp_path), Memory()

    async def law() -> None:
        async with core_stand(home, memory) as stand:
            await stand.joined("w1")
            await told(stand, "w1", "converged")
            await stand.deviate("w1", "file.a")
            assert await shown(stand, "w1") == ("drifted", 1)
            await told(stand, "w1", "drifted")
            await stand.heal("w1", "file.a")
            assert await shown(stand, "w1") == ("converged", 0)
            await told(stand, "w1", "not converged")
            await stand.deviate("w1", "file.a")
            assert await shown(stand, "w1") == ("not converged", 1)

    asyncio.run(law())


def test_who_is_gone_was_seen_when_the_front_heard_it_last(tmp_path: Path) -> None:
    async def law() -> None:
        async with core_stand(made_home(tmp_path)) as stand:
            await stand.joined("w1", "w2")
            later = now()
            for name, quiet in (("w1", 0), ("w2", 3600 * 1_000_000)):
                stand.front.say(Silent(key=stand.nodes[name].key, quiet_us=quiet))
                await gone(stand, name)
            w1, w2 = [await stand.service.node(name) for name in ("w1", "w2")]
            assert later <= w1.seen_at <= now()
            assert 0 < w2.seen_at <= later
            glanced = {one.name: one.seen_at for one in await Glance(stand.office).nodes()}
            assert glanced == {"w1": w1.seen_at, "w2": w2.seen_at}

    asyncio.run(law())
