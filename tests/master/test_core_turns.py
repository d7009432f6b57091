"""Turns: which ends there are, what patience ends, and that what ended stays."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_master.api.service import Result
from saltern_master.core.turns import (
    Limits,
    Standing,
    Turn,
    begin,
    end,
    is_open,
    next_due,
    pass_time,
    progressed,
    supersede,
    upgrades,
    view_of,
)

LIMITS = Limits(grace=5, upgrade=300, deadline=600, longest=3600)
NOBODY: dict[str, float] = {}
TOLD: tuple[Result, ...] = ("converged", "changed", "failed", "blocked", "refused", "superseded")


def turn(*names: str, at: float = 1000.0) -> Turn:
    return begin(1, 1, at, dict.fromkeys(names, 3), {})


def results(of: Turn) -> dict[str, Result]:
    return {name: one.result for name, one in of.nodes.items()}


@pytest.mark.parametrize("result", TOLD)
def test_a_node_tells_its_end(result: Result) -> None:
    after = end(turn("a", "b"), "a", Standing(result=result, changes=2, why="w"), 1007.0)

    assert results(after) == {"a": result, "b": "waiting"}
    assert after.ended == 0
    (line, _) = view_of(after).nodes
    assert (line.node, line.seconds, line.changes, line.why) == ("a", 7.0, 2, "w")


def test_a_turn_ends_with_its_last_node_and_once() -> None:
    done = end(turn("a", "b"), "a", Standing(result="changed"), 1001.0)
    done = end(done, "b", Standing(result="converged"), 1002.0)

    assert done.ended == 1002.0
    assert end(done, "b", Standing(result="failed"), 1003.0) is done


def test_a_turn_that_waits_for_nobody_has_ended_at_once() -> None:
    lost = begin(1, 1, 1000.0, {}, {"a": Standing(result="unreachable", why="has not joined")})

    assert (lost.ended, results(lost)) == (1000.0, {"a": "unreachable"})


@pytest.mark.parametrize(
    ("gone", "now", "expected"),
    [
        ({}, 1599.0, "waiting"),
        ({}, 1600.0, "expired"),
        ({"a": 900.0}, 1004.9, "waiting"),  # gone before the turn began: counted from there
        ({"a": 900.0}, 1005.0, "unreachable"),
        ({"a": 1100.0}, 1104.9, "waiting"),
        ({"a": 1100.0}, 1105.0, "unreachable"),
        ({"b": 900.0}, 1005.0, "waiting"),
    ],
)
def test_patience_ends(gone: dict[str, float], now: float, expected: Result) -> None:
    after = pass_time(turn("a"), gone, now, LIMITS)

    assert results(after) == {"a": expected}
    assert (after.nodes["a"].why == "") == (expected == "waiting")


def test_progress_keeps_a_node_alive_but_not_for_ever() -> None:
    at_work = turn("a")
    for now in range(1500, 4600, 500):
        at_work = progressed(at_work, "a", float(now))
        at_work = pass_time(at_work, NOBODY, now + 99.0, LIMITS)

    assert results(pass_time(at_work, NOBODY, 4599.0, LIMITS)) == {"a": "waiting"}
    assert results(pass_time(at_work, NOBODY, 4600.0, LIMITS)) == {"a": "expired"}


def test_who_comes_back_later_changes_its_line_and_not_the_end() -> None:
    lost = pass_time(turn("a"), {"a": 1000.0}, 1005.0, LIMITS)
    back = end(lost, "a", Standing(result="changed", version=3), 1100.0)

    assert (results(lost), lost.ended) == ({"a": "unreachable"}, 1005.0)
    assert (results(back), back.ended) == ({"a": "changed"}, 1005.0)


def test_a_newer_turn_takes_over() -> None:
    older = end(turn("a", "b", "c"), "b", Standing(result="changed"), 1001.0)
    older = supersede(older, ["a", "b"], 1002.0)

    assert results(older) == {"a": "superseded", "b": "changed", "c": "waiting"}


def test_nothing_new_is_the_same_value() -> None:
    one = turn("a")

    assert pass_time(one, NOBODY, 1001.0, LIMITS) is one
    assert supersede(one, [], 1001.0) is one
    assert end(one, "stranger", Standing(result="changed"), 1001.0) is one
    assert progressed(one, "stranger", 1001.0) is one


NAMES = ("a", "b", "c")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["end", "progress", "supersede", "time", "go", "come"]),
        st.sampled_from(NAMES),
        st.sampled_from(TOLD),
        st.floats(0.0, 400.0),
    ),
    max_size=40,
)


def step(
    of: Turn, gone: dict[str, float], said: tuple[str, str, Result, float], now: float
) -> Turn:
    what, name, result, _ = said
    match what:
        case "end":
            return end(of, name, Standing(result=result), now)
        case "progress":
            return progressed(of, name, now)
        case "supersede":
            return supersede(of, [name], now)
        case "go":
            gone.setdefault(name, now)
        case "come":
            gone.pop(name, None)
    return pass_time(of, gone, now, LIMITS)


@given(STEPS)
def test_whatever_happens_ends_stay_and_time_ends_all(
    steps: list[tuple[str, str, Result, float]],
) -> None:
    of, now, gone = turn(*NAMES, at=0.0), 0.0, NOBODY.copy()
    for said in steps:
        now += said[3]
        before, of = of, step(of, gone, said, now)
        for name in NAMES:
            was, is_ = before.nodes[name].result, of.nodes[name].result
            assert was == is_ or is_open(was)
        assert bool(of.ended) == ("waiting" not in results(of).values())
        assert before.ended in (0.0, of.ended)
    over = pass_time(of, gone, now + LIMITS.longest, LIMITS)
    assert over.ended
    assert "waiting" not in results(over).values()


@given(STEPS)
def test_what_is_due_next_is_when_time_changes_something(
    steps: list[tuple[str, str, Result, float]],
) -> None:
    of, now, gone = turn(*NAMES, at=0.0), 0.0, NOBODY.copy()
    for said in steps:
        now += said[3]
        of = step(of, gone, said, now)
    due = next_due(of, gone, LIMITS)
    if due is None:
        assert pass_time(of, gone, now + 1e6, LIMITS) is of
    else:
        assert pass_time(of, gone, due - 0.001, LIMITS) is of or due <= now
        assert pass_time(of, gone, due, LIMITS) is not of


def test_every_result_is_known_here() -> None:
    assert set(get_args(Result)) == {*TOLD, "waiting", "unreachable", "expired"}


@pytest.mark.parametrize(
    ("said", "gone", "now", "expected"),
    [
        (1003.0, {"a": 1008.0}, 1302.9, "waiting"),
        (1003.0, {"a": 1008.0}, 1303.0, "unreachable"),
        (1003.0, {"a": 1299.0}, 1303.9, "waiting"),  # who is back has a grace like anybody
        (1003.0, {"a": 1299.0}, 1304.0, "unreachable"),
        (1003.0, {}, 1599.0, "waiting"),
    ],
)
def test_who_goes_away_to_upgrade_its_agent_has_longer(
    said: float, gone: dict[str, float], now: float, expected: Result
) -> None:
    told = upgrades(turn("a", "b"), "a", said)
    assert told.nodes["a"].why == "it upgrades its agent"
    due = next_due(told, gone, LIMITS)

    after = pass_time(told, gone, now, LIMITS)
    assert results(after)["a"] == expected
    assert (due is not None and due <= now) == (expected == "unreachable")
    if expected == "unreachable":
        assert after.nodes["a"].why.startswith("it went away to upgrade its agent, and is not back")


def test_its_first_word_that_it_goes_away_counts_and_its_end_is_its_own() -> None:
    told = upgrades(turn("a"), "a", 1003.0)
    assert upgrades(told, "a", 1090.0) is told

    done = end(told, "a", Standing(result="blocked", why="it went back"), 1090.0)
    assert (done.nodes["a"].why, done.nodes["a"].upgrades) == ("it went back", 0.0)
    assert upgrades(done, "a", 1091.0) is done
