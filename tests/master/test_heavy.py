"""Light frames never wait for heavy ones; heavy ones keep their order, and none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from saltern_master.core.heavy import HEAVY, MOST, SLICE, Heavy
from saltern_master.front.frames import Heard, ToCore

KEY = bytes(32)
SIZES = st.lists(st.lists(st.sampled_from([1, HEAVY, HEAVY + 1, SLICE]), max_size=6), max_size=6)


def frame(size: int) -> Heard:
    return Heard(key=KEY, data=bytes(size))


def taken(came: Sequence[Sequence[Heard]]) -> list[list[ToCore]]:
    """Give what was taken, turn by turn; `came`: what came together."""

    async def whole() -> list[list[ToCore]]:
        turns: list[list[ToCore]] = []
        heavy = Heavy(lambda frames: turns.append(list(frames)))
        for frames in came:
            heavy.heard(frames)
        while sum(map(len, turns)) < sum(map(len, came)):
            await asyncio.sleep(0)
        return turns

    return asyncio.run(whole())


@given(SIZES)
def test_all_is_taken_in_its_order_and_the_light_first(sizes: list[list[int]]) -> None:
    came = [[frame(size) for size in each] for each in sizes]
    turns = taken(came)
    order = [one for turn in turns for one in turn]
    everything = [one for each in came for one in each]

    light = [one for one in everything if len(one.data) <= HEAVY]
    assert order[: len(light)] == light
    assert order[len(light) :] == [one for one in everything if len(one.data) > HEAVY]


def test_a_slice_is_as_much_as_one_turn_bears() -> None:
    turns = taken([[frame(SLICE)] * 3 + [frame(HEAVY + 1)] * 4])

    assert [len(turn) for turn in turns] == [1, 1, 1, 4]


def test_beyond_its_bound_nothing_is_put_by() -> None:
    many = [frame(SLICE)] * (MOST // SLICE + 2)
    turns = taken([many])

    assert len(turns[0]) == 2


def test_what_waits_is_forgotten_with_its_front() -> None:
    async def whole() -> None:
        turns: list[ToCore] = []
        heavy = Heavy(turns.extend)
        heavy.heard([frame(SLICE)])
        heavy.drop()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert turns == []
        heavy.heard([frame(SLICE)])
        async with asyncio.timeout(10):
            while not turns:
                await asyncio.sleep(0)

    asyncio.run(whole())
