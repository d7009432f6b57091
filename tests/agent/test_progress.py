"""A worker that gets on is never called stuck, however much it has to do; one that hangs is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from saltern_agent.host.dpkg import INSTALL_SECONDS
from saltern_agent.link.progress import STUCK, Progress

LOOKS = st.lists(st.floats(0, STUCK / 2), max_size=30)


@given(LOOKS)
def test_who_has_nothing_in_hand_is_not_stuck(pauses: list[float]) -> None:
    progress, now = Progress(), 0.0
    for pause in pauses:
        now += pause * 4
        assert not progress.stuck(0, 7, now)


@given(LOOKS)
def test_who_gives_signs_is_not_stuck(pauses: list[float]) -> None:
    progress, now = Progress(), 0.0
    for sign, pause in enumerate(pauses):
        now += pause
        assert not progress.stuck(3, sign, now)


def test_who_gives_none_is_stuck_after_the_longest_step_and_then_no_more() -> None:
    progress = Progress()

    assert STUCK > INSTALL_SECONDS
    assert not progress.stuck(1, 5, 1000.0)
    assert not progress.stuck(1, 5, 1000.0 + STUCK - 1)
    assert progress.stuck(1, 5, 1000.0 + STUCK)
    assert not progress.stuck(1, 6, 1001.0 + STUCK)
