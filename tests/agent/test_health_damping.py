"""How a part is told from what it was found to be: a lost answer is none, flapping is told."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from saltern_agent.health.damping import FLAPS, MOST_FALLS, Kept, Moment, damped
from saltern_agent.health.values import GOOD, Judged
from saltern_protocol.condition import State

STOPPED = Judged(State.BAD, "kubelet.service is inactive")
LOST = Judged(State.BAD, "it does not answer: timed out", sure=False)
EVERY = 15.0


def at(seconds: float) -> Moment:
    return Moment(1_800_000_000.0 + seconds, seconds)


def told(found: Iterable[Judged], every: float = EVERY) -> list[Kept]:
    """Give how a part is told after each round."""
    kept: list[Kept] = []
    for number, one in enumerate(found):
        kept.append(damped(kept[-1] if kept else None, one, at(number * every)))
    return kept


def states(found: Iterable[Judged], every: float = EVERY) -> list[State]:
    return [one.state for one in told(found, every)]


def test_what_is_sure_is_told_at_once_and_so_is_its_end() -> None:
    assert states([GOOD, STOPPED, GOOD]) == [State.GOOD, State.BAD, State.GOOD]


def test_one_lost_answer_is_not_told_and_two_are() -> None:
    assert states([GOOD, LOST, GOOD, LOST, GOOD]) == [State.GOOD] * 5
    assert states([GOOD, LOST, LOST]) == [State.GOOD, State.GOOD, State.BAD]


def test_what_was_bad_already_is_not_made_good_by_a_lost_answer() -> None:
    kept = told([GOOD, STOPPED, LOST])
    assert kept[-1].state is State.BAD
    assert kept[-1].since == at(EVERY)
    assert kept[-1].why == LOST.why


def test_a_first_answer_that_is_lost_is_unknown() -> None:
    assert states([LOST, LOST]) == [State.UNKNOWN, State.BAD]
    assert states([LOST, GOOD]) == [State.UNKNOWN, State.GOOD]


def test_since_stays_while_the_reason_changes() -> None:
    kept = told([GOOD, STOPPED, Judged(State.BAD, "kubelet.service is failed")])
    assert kept[-1].since == at(EVERY)


def test_a_part_that_falls_again_keeps_the_moment_of_its_first_fall() -> None:
    kept = told([GOOD, STOPPED, GOOD, STOPPED])
    assert kept[-1].since == at(EVERY)
    late = told([GOOD, STOPPED, GOOD, STOPPED], every=FLAPS)
    assert late[-1].since == at(3 * FLAPS)


def test_who_comes_and_goes_is_degraded_until_it_stays() -> None:
    rounds = [GOOD, STOPPED] * MOST_FALLS
    kept = told([*rounds, GOOD])
    assert (kept[-1].state, kept[-1].since) == (State.DEGRADED, at(EVERY))
    calm = told([*rounds, *[GOOD] * int(FLAPS / EVERY + 2)])
    assert calm[-1].state is State.GOOD
    within = calm[len(rounds) : int(FLAPS / EVERY)]
    assert within
    assert {one.state for one in within} == {State.DEGRADED}


ANY = st.builds(Judged, st.sampled_from(list(State)), st.just("why"), st.booleans())


@given(st.lists(ANY, min_size=1, max_size=40))
def test_since_is_never_later_than_now_and_no_earlier_than_a_window(found: list[Judged]) -> None:
    for number, kept in enumerate(told(found)):
        assert kept.since.steady <= number * EVERY
        assert len(kept.falls) <= FLAPS / EVERY
        assert kept.state is not State.GOOD or kept.why in ("", "why")


@given(st.lists(st.sampled_from([GOOD, STOPPED]), min_size=2, max_size=40))
def test_what_is_sure_is_never_told_as_better_than_it_is(found: list[Judged]) -> None:
    for one, kept in zip(found, told(found), strict=True):
        assert kept.state is State.BAD or one is GOOD
