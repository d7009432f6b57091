"""Laws of every rollout, whatever happens in whatever order."""

from __future__ import annotations

from typing import get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from saltern_master.rollouts import model
from saltern_master.rollouts.begin import begin
from saltern_master.rollouts.machine import room, step
from saltern_master.rollouts.model import IN_HAND, OVER, Event, Rollout
from saltern_master.rollouts.patience import due
from saltern_master.rollouts.strategy import Strategy, faults, number
from saltern_master.rollouts.wants import wants
from saltern_master.rollouts.waves import DRAINS, HARMS, Candidate, waves

NAMES = [f"n{at}" for at in range(8)]
BEGAN = 1_000_000.0

shares = st.sampled_from(["0", "1", "2", "25%", "50%"])
strategies_of = st.builds(
    Strategy,
    canary=shares,
    waves=st.sampled_from([("100%",), ("50%", "100%"), ("1", "3", "100%")]),
    max_unavailable=st.sampled_from([{}, {"worker": "2"}, {"worker": "50%", "control-plane": "3"}]),
    soak=st.sampled_from([0.0, 60.0]),
    budget=shares,
    on_spent=st.sampled_from(["stop", "undo"]),
    hold=st.sampled_from([0.0, 10.0]),
    on_drain_timeout=st.sampled_from(["pause", "force", "skip"]),
)


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=8))
    return [
        Candidate(
            name=name,
            group="control-plane" if single else "worker",
            zone=draw(st.sampled_from("ab")),
            control_plane=single,
            impact=draw(st.sampled_from(["none", "reload", "restart", "drain", "unknown"])),
            down=draw(st.sampled_from([False, False, True])),
            away=draw(st.sampled_from([False, False, True])),
        )
        for name in names
        for single in [draw(st.sampled_from([False, False, True]))]
    ]


@st.composite
def events(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(get_args(Event)))
    given = {"node": draw(st.sampled_from(NAMES)), "by": "ann", "why": "so"}
    results = ["converged", "changed", "failed", "blocked", "superseded", "expired"]
    flags = {name: draw(st.booleans()) for name in ("good", "hopeless")}
    chosen = {"result": draw(st.sampled_from(results)), **flags, **given}
    fields = {name: chosen[name] for name in kind.__struct_fields__}
    event: Event = kind(**fields)
    return event


def begun(strategy: Strategy, who: list[Candidate], first: bool) -> Rollout:
    return begin(1, 8, 7, strategy, who, BEGAN, control_plane_first=first)


@given(
    strategy=strategies_of,
    who=candidates(),
    first=st.booleans(),
    steps=st.lists(st.tuples(events(), st.sampled_from([0.0, 1.0, 30.0, 400.0])), max_size=60),
)
def test_laws_hold_whatever_happens(
    strategy: Strategy, who: list[Candidate], first: bool, steps: list[tuple[Event, float]]
) -> None:
    rollout, now = begun(strategy, who, first), BEGAN
    cut = {name: node.wave for name, node in rollout.nodes.items()}
    for event, later in [(model.Tick(), 0.0), *steps]:
        now += later
        after = step(rollout, event, now)
        assert step(rollout, event, now) == after
        assert msgspec.json.decode(msgspec.json.encode(after), type=Rollout) == after
        assert {name: node.wave for name, node in after.nodes.items()} == cut
        assert after.wave >= rollout.wave
        assert all(
            n.stage in {"waiting", "skipped"} for n in after.nodes.values() if n.wave > after.wave
        )
        _nobody_begins_in_vain(rollout, after)
        _nobody_serves_cordoned(after)
        _it_stops_at_what_nobody_forgave(rollout, after)
        _the_control_plane_goes_one_by_one(after)
        _an_end_ends_it(after)
        rollout = after


def _nobody_begins_in_vain(before: Rollout, after: Rollout) -> None:
    began = [
        name
        for name, node in after.nodes.items()
        if node.stage in IN_HAND and before.nodes[name].stage in {"waiting", "aside"}
    ]
    if began:
        assert after.phase not in {"aborted", "stopped"}
        assert not any(after.nodes[name].gone_since for name in began)
    for group in {after.nodes[name].group for name in began}:
        harmed = [
            name
            for name in began
            if after.nodes[name].group == group
            and after.nodes[name].impact in HARMS
            and not after.nodes[name].down
        ]
        assert not harmed or room(after, group) >= 0


def _nobody_serves_cordoned(rollout: Rollout) -> None:
    """Who is cordoned is in hand, has failed, or is wanted to serve again, here or by the undo."""
    wanted = wants(rollout)
    for name, node in rollout.nodes.items():
        taken_over = node.issued and rollout.undo == "begun"
        if node.cordoned and name not in wanted.uncordon and not taken_over:
            assert node.stage in IN_HAND or node.stage == "failed"


def _it_stops_at_what_nobody_forgave(before: Rollout, after: Rollout) -> None:
    """It neither goes on nor is it done with more failures than may be."""
    counted = [
        name
        for name, node in after.nodes.items()
        if node.stage == "failed" and not node.down and not node.forgiven
    ]
    if after.phase in {"running", "soaking"} or (after.phase == "done" != before.phase):
        assert len(counted) <= number(after.strategy.budget, len(after.nodes))
        assert not counted or (after.wave > 0 and "done" in _stages(after))


def _the_control_plane_goes_one_by_one(rollout: Rollout) -> None:
    single = [one for one in rollout.nodes.values() if one.control_plane and not one.down]
    assert sum(1 for one in single if one.stage in IN_HAND) <= 1


def _an_end_ends_it(rollout: Rollout) -> None:
    """Nothing is watched or asked any more, and an undo that has begun gives all that is given."""
    if rollout.phase in OVER:
        wanted = wants(rollout)
        assert (wanted.watch, wanted.quorum, wanted.drain) == ((), (), ())
        assert not _stages(rollout) & {"asking", "draining", "settling"}
    if rollout.undo == "begun":
        assert wants(rollout).issue == ()


def _stages(rollout: Rollout) -> set[str]:
    return {one.stage for one in rollout.nodes.values()}


@given(strategy=strategies_of, who=candidates(), first=st.booleans())
def test_where_all_goes_well_it_ends_and_everybody_is_done(
    strategy: Strategy, who: list[Candidate], first: bool
) -> None:
    rollout, now = step(begun(strategy, who, first), model.Tick(), BEGAN), BEGAN
    away = {one.name for one in who if one.away}
    for _ in range(20 * len(who) + 20):
        if rollout.phase in OVER:
            break
        now = max(now + 11, min(due(rollout, now), now + 100))
        for event in _well(rollout):
            rollout = step(rollout, event, now)
        rollout = step(rollout, model.Tick(), now)
    assert rollout.phase == "done"
    for name, node in rollout.nodes.items():
        assert node.stage == ("aside" if name in away else "done")
    assert wants(rollout).uncordon == ()
    assert set(wants(rollout).issue) == away


def _well(rollout: Rollout) -> list[Event]:
    """Do all that is wanted, with success."""
    wanted = wants(rollout)
    return [
        *(model.Quorum(name, good=True) for name in wanted.quorum),
        *(model.Drained(name) for name in wanted.drain),
        *(model.Said(name, "changed") for name in wanted.issue),
        *(model.Checked(name, good=True) for name in wanted.watch),
        *(model.Uncordoned(name) for name in wanted.uncordon),
    ]


@given(strategy=strategies_of, who=candidates(), first=st.booleans())
def test_everybody_is_in_one_wave_and_equal_candidates_give_equal_waves(
    strategy: Strategy, who: list[Candidate], first: bool
) -> None:
    cut = waves(who, strategy, first)
    assert sorted(name for wave in cut for name in wave) == sorted(one.name for one in who)
    assert waves(reversed(who), strategy, first) == cut
    single = {one.name for one in who if one.control_plane and not one.down}
    assert all(len(wave) == 1 for wave in cut if single & set(wave))


@given(total=st.integers(0, 10_000), percent=st.integers(0, 100), count=st.integers(0, 999_999))
def test_a_share_is_never_more_than_all(total: int, percent: int, count: int) -> None:
    assert 0 <= number(f"{percent}%", total) <= total
    assert number("100%", total) == total
    assert number(f"{count}", total) == min(count, total)
    assert (number(f"{percent}%", total) == 0) == (percent == 0 or total == 0)


def test_all_that_is_wrong_with_a_strategy_is_told_at_once() -> None:
    wrong = Strategy(waves=("0", "50%"), max_unavailable={"worker": "0"})
    assert len(faults(wrong)) == 3
    assert faults(Strategy()) == ()


def test_who_drains_is_harmed() -> None:
    assert DRAINS < HARMS
