"""Two processes that live with one key are found; whatever one honest node does is not taken so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_master.core.instances import MOST, OFTEN, Instances, greeted


def after(told: Iterable[int]) -> Instances:
    """Give what is known after Hellos of these processes."""
    return reduce(greeted, (one.to_bytes(16, "big") for one in told), Instances())


HONEST: dict[str, Sequence[int]] = {
    "one that never ended": [1] * 50,
    "started again often and fast": range(1, 500),
    "each with two connections": [one for one in range(100) for _ in range(2)],
    "a late Hello": [1, 2, 1, 2],
    "a late Hello, and on it goes": [1, 2, 1, 2, 3, 4, 4, 5],
    "a late Hello of each of three that ended": [1, 2, 3, 4, 1, 4, 2, 4, 3, 4],
    "late Hellos that come together": [1, 2, 3, 3, 2, 1, 3],
    "late Hellos never heard before": [4, 1, 4, 2, 4, 3, 4],
    "two connections of one that ended, both late": [1, 2, 1, 1, 2],
}
CLONED: dict[str, Sequence[int]] = {
    "two by turns": [1, 2, 1, 2, 1],
    "two by turns, each heard more than once": [1, 1, 2, 2, 2, 1, 2, 2, 1],
    "two, after many starts": [*range(3, 100), 1, 2, 1, 2, 1],
    "three": [1, 2, 3, 1, 2, 3, 1, 2, 3],
    "a copy that is started for each try": [1, *(n for k in range(2, 2 + OFTEN) for n in (k, 1))],
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_node_is_never_taken_for_two(name: str) -> None:
    told = HONEST[name]

    assert not any(after(told[:end]).cloned for end in range(len(told) + 1))


@pytest.mark.parametrize("name", CLONED)
def test_two_that_live_are_found(name: str) -> None:
    assert after(CLONED[name]).cloned


@st.composite
def one_node(draw: st.DrawFn) -> list[int]:
    """Hellos of processes that follow one another; one of each that ended may come late.

    The one that lives is heard again after each that is late, as the front has it: its next word
    is answered by Again. Fewer than OFTEN late ones come while one process lives.
    """
    told: list[int] = []
    under_way: list[int] = []
    for process in range(draw(st.integers(1, 12))):
        told += [process] * draw(st.integers(0, 3))  # 0: all of its Hellos come late
        late = draw(st.lists(st.sampled_from(under_way), unique=True)) if under_way else []
        for one in late[: OFTEN - 2]:
            under_way.remove(one)
            told += [one] * draw(st.integers(1, 2)) + [process] * draw(st.integers(0, 2))
        under_way.append(process)
    return told


@given(one_node())
def test_processes_that_follow_one_another_are_one_node(told: list[int]) -> None:
    assert not after(told).cloned


@given(st.lists(st.sampled_from([1, 2, 2, 3]), max_size=20), st.integers(1, 3), st.integers(1, 3))
def test_two_that_live_are_found_whatever_was_before(before: list[int], one: int, two: int) -> None:
    """Three turns of each are enough, however often each is heard within its turn."""
    told = [*before, *([8] * one + [9] * two) * 3]

    assert after(told).cloned


@given(st.lists(st.integers(1, 200), max_size=150))
def test_what_is_remembered_is_bounded(told: list[int]) -> None:
    assert len(after(told).told) <= MOST
