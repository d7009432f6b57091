"""When a thing is told: golden stories, and the laws that hold in all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_master.notify.machine import MOST_HELD, MOST_LISTED, Pace, idle, step
from saltern_master.notify.model import Happened, Looked, Memory, Notice, Trouble

BEGAN = 1_800_000_000.0
PACE = Pace()
EVERY = 10.0  # seconds between two looks
SETTLED = 100.0  # seconds from which on what is seen is believed, in these stories


def trouble(node: str, event: str = "away", subject: str = "", why: str = "why") -> Trouble:
    return Trouble(
        event=event,  # type: ignore[arg-type]
        node=node,
        subject=subject,
        since=BEGAN,
        why=why,
        remedy="do something",
        personal=event == "part",
    )


def happened(number: int, at: float) -> Happened:
    return Happened(event="rollout", word="done", subject=str(number), at=at, why="", remedy="")


Spans = dict[str, list[tuple[float, float]]]
"""From when to when a node is in trouble, in seconds from the story's beginning."""


def story(spans: Spans, until: float, pace: Pace = PACE, event: str = "away") -> list[str]:
    """Let time pass; give what is told, as "SECONDS STATUS NODES"."""
    return list(_story(spans, until, pace, event))


def _story(spans: Spans, until: float, pace: Pace, event: str) -> Iterator[str]:
    memory, at = Memory(), 0.0
    while at <= until:
        there = [n for n, all_ in spans.items() if any(a <= at < b for a, b in all_)]
        looked = Looked(troubles=tuple(trouble(name, event) for name in there))
        memory, told = step(memory, looked, BEGAN + at, pace)
        for one in told:
            yield line(one, at)
        at += EVERY


def line(one: Notice, at: float) -> str:
    names = " ".join(item.node or item.subject for item in one.items)
    more = f" +{one.more}" if one.more else ""
    return f"{at:.0f} {one.status} {names}{more}"


FOREVER = 1e9
STORIES: dict[str, tuple[Spans, float, list[str]]] = {
    "nothing is wrong": ({}, 1000, []),
    "one is told once, however long": ({"a": [(200, FOREVER)]}, 3000, ["230 begins a"]),
    "what is over before it is told is not told": ({"a": [(200, 220)]}, 2000, []),
    "the end is told once it has been calm": (
        {"a": [(200, 500)]},
        3000,
        ["230 begins a", "590 ended a"],
    ),
    "many at once are one message, and one end": (
        {"a": [(200, 500)], "b": [(210, 510)], "c": [(220, 490)]},
        3000,
        ["230 begins a b c", "580 ended a b c"],
    ),
    "who comes later is a message of its own": (
        {"a": [(200, FOREVER)], "b": [(300, FOREVER)]},
        1000,
        ["230 begins a", "330 begins b"],
    ),
    "what was wrong before the master began is told when it has settled": (
        {"a": [(0, FOREVER)]},
        1000,
        ["120 begins a"],
    ),
    "a short way back is not an end": (
        {"a": [(200, 400), (450, 600), (640, FOREVER)]},
        3000,
        ["230 begins a"],
    ),
    "one that comes and goes is calmer each time": (
        {"a": [(200, 300), (500, 600), (900, 1000), (1500, 1600)]},
        9000,
        [
            "230 begins a",
            "390 ended a",
            "530 begins a",
            "750 ended a",
            "930 begins a",
            "1270 ended a",
            "1530 begins a",
            "2110 ended a",
        ],
    ),
    "one that flaps for ever is told a few times and then stays told": (
        {"a": [(200 + 100 * n, 250 + 100 * n) for n in range(60)]},
        6100,
        ["230 begins a"],
    ),
    "what goes on is told again after a day": (
        {"a": [(200, FOREVER)], "b": [(200, FOREVER)]},
        2 * 86_400,
        ["230 begins a b", "86630 goes-on a b"],
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_stories(name: str) -> None:
    spans, until, told = STORIES[name]

    assert story(spans, until) == told


def test_again_may_be_never() -> None:
    pace = Pace(again=0.0)

    assert story({"a": [(200, FOREVER)]}, 3 * 86_400, pace) == ["230 begins a"]


def test_ten_thousand_nodes_are_one_message() -> None:
    names = [f"n{number:05}" for number in range(10_000)]
    told = story({name: [(200, 400)] for name in names}, 600)

    listed = " ".join(names[:MOST_LISTED])
    more = len(names) - MOST_LISTED
    assert told == [f"230 begins {listed} +{more}", f"490 ended {listed} +{more}"]


def test_memory_is_bounded() -> None:
    many = tuple(trouble(f"n{number}") for number in range(MOST_HELD + 5))
    memory, _ = looked_at(Looked(troubles=many), range(0, 200, 50))

    assert len(memory.held) == MOST_HELD
    memory, _ = looked_at(Looked(), range(200, 600, 50), memory, Pace(memory=120.0))
    assert memory.held == {}


def test_a_node_that_tells_other_troubles_all_the_while_silences_nobody() -> None:
    memory, at = Memory(), 0
    while at < 7200:  # as many as it likes, each long enough to be told, and over again
        one = at // 120
        many = (trouble("bad", "incident", f"{one}-{n}") for n in range(4096))
        memory, _ = looked_at(Looked(troubles=tuple(many)), range(at, at + 120, 20), memory)
        at += 120
    found = Looked(troubles=(trouble("bad"), trouble("n1")))

    _, told = looked_at(found, range(at, at + 100, 20), memory)

    assert ["bad", "n1"] in [[item.node for item in one.items] for one in told]


def looked_at(
    looked: Looked, at: Iterable[float], memory: Memory | None = None, pace: Pace = PACE
) -> tuple[Memory, list[Notice]]:
    """Look the same at these times."""
    memory, told = memory or Memory(), list[Notice]()
    for one in at:
        memory, more = step(memory, looked, BEGAN + one, pace)
        told += more
    return memory, told


def test_a_core_that_is_started_again_tells_nothing_anew() -> None:
    looked = Looked(troubles=(trouble("a"), trouble("b")))
    memory, told = looked_at(looked, range(0, 300, 10))
    assert [one.status for one in told] == ["begins"]
    kept = Memory(held=memory.held, number=memory.number, until=memory.until)

    # nobody is seen until nodes are back, and nothing of that is told
    memory, told = looked_at(Looked(), range(400, 480, 10), kept)
    memory, more = looked_at(looked, range(480, 2000, 10), memory)
    assert told + more == []


@pytest.mark.parametrize("gap", [61, 3600, -100])
def test_a_pause_and_a_clock_that_is_set_are_nobodys_fault(gap: float) -> None:
    told_before = Looked(troubles=(trouble("a"),))
    memory, _ = looked_at(told_before, range(0, 300, 10))
    resumed = 290 + gap

    memory, told = looked_at(
        Looked(troubles=(trouble("b"), trouble("c"))), [resumed, resumed + 80], memory
    )
    assert told == []
    later = [resumed + 90 + 10 * n for n in range(40)]
    _, told = looked_at(told_before, later, memory)
    assert told == []


def test_what_a_node_says_is_not_over_because_it_is_not_heard() -> None:
    bad = Looked(troubles=(trouble("a", "part"), trouble("a", "away")))
    memory, _ = looked_at(bad, range(0, 300, 10))

    unheard = Looked(unsure=frozenset({"a"}))
    memory, told = looked_at(unheard, range(300, 2000, 10), memory)
    assert [(one.status, one.event) for one in told] == [("ended", "away")]
    _, told = looked_at(Looked(), range(2000, 3000, 10), memory)
    assert [(one.status, one.event) for one in told] == [("ended", "part")]


def test_what_happened_is_told_once_and_not_what_was_before_the_first_look() -> None:
    old, new, newer = happened(1, BEGAN - 5), happened(2, BEGAN + 150), happened(3, BEGAN + 160)
    memory, told = looked_at(Looked(happened=(old,)), range(0, 150, 10))
    assert told == []

    memory, told = looked_at(Looked(happened=(old, new, newer)), range(150, 400, 10), memory)
    assert [(one.status, one.items[0].subject) for one in told] == [
        ("happened", "2"),
        ("happened", "3"),
    ]
    assert [one.number for one in told] == [1, 2]


def test_the_first_receiver_of_a_master_that_runs_is_told_soon_what_stands_and_nothing_old() -> (
    None
):
    memory = Memory()
    for at in range(0, 500, 10):
        memory = idle(memory, BEGAN + at, PACE)
    looked = Looked(troubles=(trouble("a"),), happened=(happened(1, BEGAN + 480),))
    memory, told = looked_at(looked, range(500, 700, 10), memory)

    assert [line(one, one.at - BEGAN) for one in told] == ["530 begins a"]


@pytest.mark.parametrize("pause", [-3600, 3600])
def test_who_idles_after_a_gap_is_patient_all_the_same(pause: int) -> None:
    memory = Memory()
    for at in (*range(0, 500, 10), *range(490 + pause, 520 + pause, 10)):
        memory = idle(memory, BEGAN + at, PACE)
    began = 520 + pause
    _, told = looked_at(Looked(troubles=(trouble("a"),)), range(began, began + 200, 10), memory)

    assert [one.at - BEGAN - 490 - pause for one in told] == [120]


def test_other_kinds_are_other_messages() -> None:
    looked = Looked(troubles=(trouble("a"), trouble("a", "drift"), trouble("b", "incident", "r")))
    _, told = looked_at(looked, range(0, 300, 10))

    assert [(one.event, line(one, 0)) for one in told] == [
        ("away", "0 begins a"),
        ("drift", "0 begins a"),
        ("incident", "0 begins b"),
    ]


def test_the_newest_words_are_told() -> None:
    memory, _ = looked_at(Looked(troubles=(trouble("a", why="first"),)), range(0, 110, 10))
    _, told = looked_at(Looked(troubles=(trouble("a", why="later"),)), range(110, 300, 10), memory)

    assert [one.items[0].why for one in told] == ["later"]


SIGHTS = st.lists(st.frozensets(st.sampled_from("abc"), max_size=3), max_size=150)


@given(SIGHTS, st.integers(min_value=0, max_value=149))
def test_laws(sights: list[frozenset[str]], restarted: int) -> None:
    """Beginnings and ends alternate for each node, with a core that is started again in between."""
    memory, at = Memory(), 0.0
    told: dict[str, list[str]] = {}
    numbers = []
    for number, sight in enumerate(sights):
        if number == restarted:
            memory = Memory(held=memory.held, number=memory.number, until=memory.until)
        at += 20.0
        looked = Looked(troubles=tuple(map(trouble, sorted(sight))))
        memory, notices = step(memory, looked, BEGAN + at, PACE)
        numbers += [one.number for one in notices]
        for one in notices:
            for item in one.items:
                told.setdefault(item.node, []).append(one.status)
    assert numbers == sorted(set(numbers))
    for statuses in told.values():
        assert statuses[0] == "begins"
        assert all(
            (a, b) in {("begins", "ended"), ("ended", "begins")} for a, b in pairwise(statuses)
        )
