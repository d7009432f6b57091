"""Light frames wait for no other node's heavy ones; a node's keep their order, and none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from saltern_master.core.heavy import HEAVY, LEAST, MOST, SLICE, Heavy
from saltern_master.front.frames import Heard, ToCore
from saltern_protocol import messages

KEY, OTHER = bytes(32), bytes([1] * 32)
SIZES = (1, HEAVY, HEAVY + 1, SLICE)
HEALTH = messages.Health(
    tick=1,
    at_us=1,
    state="converged",
    version=1,
    drift=0,
    load_percent=0,
    memory_kib=1,
    disk_kib=1,
)


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


FRAMES = st.lists(
    st.lists(st.tuples(st.sampled_from([KEY, OTHER]), st.sampled_from(SIZES)), max_size=6),
    max_size=6,
)


@given(FRAMES)
def test_what_one_node_says_is_taken_in_its_order(said: list[list[tuple[bytes, int]]]) -> None:
    number = iter(range(100))
    came = [
        [Heard(key=key, data=next(number).to_bytes() * size) for key, size in one] for one in said
    ]
    order = [one for turn in taken(came) for one in turn]
    for node in (KEY, OTHER):
        mine = [one for each in came for one in each if one.key == node]
        assert [one for one in order if isinstance(one, Heard) and one.key == node] == mine


@given(st.lists(st.sampled_from(SIZES), max_size=12))
def test_what_is_light_waits_for_no_other_node(sizes: list[int]) -> None:
    heavy, light = [frame(size) for size in sizes], Heard(key=OTHER, data=b"light")
    order = [one for turn in taken([[*heavy, light]]) for one in turn]
    before = order[: order.index(light)]
    assert all(len(one.data) <= HEAVY for one in before if isinstance(one, Heard))


def test_that_a_node_is_well_waits_for_nothing_it_says() -> None:
    health = Heard(key=KEY, data=messages.encode(HEALTH))
    assert taken([[frame(HEAVY + 1), frame(1), health]])[0] == [health]


def test_a_slice_is_as_much_as_one_turn_bears() -> None:
    turns = taken([[frame(SLICE)] * 3 + [frame(HEAVY + 1)] * 4])

    assert [len(turn) for turn in turns] == [1, 1, 1, 4]


def test_many_short_ones_behind_a_heavy_one_are_no_turn_without_end() -> None:
    turns = taken([[frame(SLICE)] + [frame(1)] * 1000])

    assert max(map(len, turns)) <= SLICE // LEAST


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
