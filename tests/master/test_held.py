"""What holds a node: the longer one counts, what meets is one, a lease says how long is left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_master.cluster.load import load
from saltern_master.cluster.maintenance import Span
from saltern_master.core.held import (
    InForce,
    Source,
    calendar,
    in_force,
    meant,
    next_change,
    sources,
)
from saltern_master.records.holds import PersonHold, ended
from saltern_master.subjects import Subject
from saltern_protocol.lease import Hold
from saltern_protocol.terms import MOST_HELD

from tests.master.clusters import SMALL

SATURDAY = 1_795_824_000.0  # 2026-11-28T00:00:00Z


def source(begins: float, ends: float, by: str = "ann") -> Source:
    return Source(Span(begins, ends), f"why of {by}", by)


@pytest.mark.parametrize(
    ("found", "held"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param([source(0, 10)], None, id="what is over"),
        pytest.param([source(11, 20)], None, id="what comes later"),
        pytest.param([source(10, 20)], InForce(10, 20, "why of ann", "ann"), id="what begins"),
        pytest.param(
            [source(0, 20), source(5, 30, "window a")],
            InForce(5, 30, "why of window a", "window a"),
            id="the longer one counts",
        ),
        pytest.param(
            [source(0, 20), source(20, 30, "window a")],
            InForce(0, 30, "why of ann; then window a", "ann"),
            id="what meets is one",
        ),
        pytest.param(
            [source(0, 20), source(15, 25, "window a"), source(24, 40, "window b")],
            InForce(0, 40, "why of ann; then window b", "ann"),
            id="so is what overlaps, over several",
        ),
        pytest.param(
            [source(0, 20), source(21, 30, "window a")],
            InForce(0, 20, "why of ann", "ann"),
            id="a gap ends it",
        ),
    ],
)
def test_what_holds_at_ten(found: list[Source], held: InForce | None) -> None:
    assert in_force(found, 10) == held
    assert in_force(found[::-1], 10) == held


SOURCES = st.lists(
    st.builds(
        lambda begins, length, by: source(begins, begins + length, by),
        st.integers(0, 30),
        st.integers(1, 10),
        st.sampled_from(["ann", "window a", "window b"]),
    )
)


@given(SOURCES, st.integers(0, 40))
def test_it_holds_until_the_first_moment_at_which_nothing_does(
    found: list[Source], now: int
) -> None:
    held = in_force(found, now)
    free = [at for at in range(now, 100) if not any(one.span.has(at) for one in found)]
    if held is None:
        assert free[0] == now
    else:
        assert held.until == free[0]
        assert held.since <= now
        assert any(one.by == held.by and one.span.has(now) for one in found)


@pytest.mark.parametrize(
    ("until", "left"),
    [(10.1, 1), (11.0, 1), (11.5, 2), (10 + MOST_HELD + 9, MOST_HELD), (10.0, 1)],
)
def test_a_lease_says_whole_seconds_and_never_too_many(until: float, left: int) -> None:
    held = InForce(0, until, "w" * 300, "b" * 80)
    assert held.told(10) == Hold(left=left, why="w" * 200, by="b" * 64)


WINDOWS = """\
maintenance:
- {name: a, days: [sat], from: "01:00", to: "03:00", nodes: role=worker, why: one}
- {name: b, days: [sat], from: "02:00", to: "04:00", nodes: "w2", why: two}
"""


def test_a_calendar_means_nodes_by_their_targets_and_says_what_changes_next() -> None:
    cluster = load((SMALL + "- {name: w2, address: 10.9.0.22}\n" + WINDOWS).encode()).cluster
    hour = 3600.0
    opened = calendar(cluster, SATURDAY + 1.5 * hour)
    names = {
        name: [one.window.name for one in meant(Subject(name, roles=(role,)), opened)]
        for name, role in (("w1", "worker"), ("w2", "worker"), ("cp1", "control-plane"))
    }
    assert names == {"w1": ["a"], "w2": ["a", "b"], "cp1": []}
    assert [one.is_open(SATURDAY + 1.5 * hour) for one in opened] == [True, False]
    held = in_force(sources(None, opened), SATURDAY + 1.5 * hour)
    assert held == InForce(SATURDAY + hour, SATURDAY + 4 * hour, "one; then window b", "window a")
    moments = [SATURDAY + 0.5 * hour]
    person = PersonHold(
        node="w1",
        incarnation="i",
        since=0,
        until=SATURDAY + 1.2 * hour,
        why="x",
        by="ann",
    )
    while len(moments) < 6:
        change = next_change({"w1": person}, calendar(cluster, moments[-1]), moments[-1])
        assert change is not None
        moments.append(change)
    assert [(one - SATURDAY) / hour for one in moments[1:]] == [1, 1.2, 2, 3, 4]


def test_where_nothing_is_nothing_changes() -> None:
    assert calendar(None, SATURDAY) == ()
    assert next_change({}, (), SATURDAY) is None


def test_what_counts_no_more_is_named() -> None:
    def hold(node: str, until: float, incarnation: str = "1") -> PersonHold:
        return PersonHold(
            node=node, incarnation=incarnation, since=0, until=until, why="x", by="ann"
        )

    kept = [hold("w1", 11), hold("w2", 10), hold("w3", 11), hold("w4", 11, "2")]
    assert ended(kept, {"w1": "1", "w2": "1", "w4": "1"}, 10) == ("w2", "w3", "w4")
