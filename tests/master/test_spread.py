"""How long nodes spread their coming back: never more at once than two cores can greet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from saltern_master.core.spread import HANDSHAKES_A_SECOND, LONGEST, SHORTEST, spread_of
from saltern_protocol.messages import MOST_SPREAD


@given(st.integers(0, 1_000_000))
def test_it_is_bounded_and_paces_all_that_it_can(nodes: int) -> None:
    seconds = spread_of(nodes)

    assert SHORTEST <= seconds <= LONGEST == MOST_SPREAD
    assert seconds == LONGEST or nodes <= seconds * HANDSHAKES_A_SECOND


def test_fifty_are_back_at_once_and_ten_thousand_within_twenty_seconds() -> None:
    assert (spread_of(50), spread_of(10_000)) == (1, 20)
