"""The master's clock is set while nodes are waited for: none is given up for it, or held on to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from saltern_master.api.service import Result
from saltern_master.core.desk import Deed
from saltern_master.core.known import Known
from saltern_master.core.patience import Patience
from saltern_master.core.turns import Limits, begin
from saltern_master.records.codec import put
from saltern_master.records.nodes import Node, node_key
from saltern_master.store import MemoryStore

NOW = 1_800_000_000.0
HOUR, YEAR = 3600.0, 365 * 86400.0
LIMITS = Limits(grace=5.0, deadline=600.0, longest=3 * HOUR)


class Clocks:
    """A wall clock that is set, and a monotonic one that is not."""

    def __init__(self) -> None:
        self.wall, self.steady = NOW, 100.0

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


class NoDesk:
    """Takes what patience ends, and keeps nothing."""

    def finish(self, deed: Deed) -> None: ...


class Waited:
    """Two nodes are waited for; one is connected."""

    def __init__(self) -> None:
        self.clocks, self.known, self.said = Clocks(), Known(), list[str]()
        store = MemoryStore()
        for name in ("here", "gone"):
            node = Node(name=name, node_class="worker", state="joined", incarnation="0" * 32,
                        key=name.encode().hex().ljust(64, "0"))  # fmt: skip
            store.commit(put(node_key(name), node))
        self.known.load(store, NOW)
        self.known.connected("here", NOW)
        self.known.put_turn(begin(1, 1, NOW, {"here": 1, "gone": 1}, {}), ("here", "gone"))
        self.patience = self.patience_by(lambda: self.clocks.steady)

    def patience_by(self, running: Callable[[], float]) -> Patience:
        """Give the patience of a core whose own running another clock tells."""
        return Patience(
            self.known, NoDesk(), LIMITS, lambda: self.clocks.wall, self.said.append,  # type: ignore[arg-type]
            running,
        )  # fmt: skip

    def results(self) -> dict[str, Result]:
        self.patience.pass_time()
        turn = self.known.turns.get(1)
        assert turn is not None
        return {name: one.result for name, one in turn.nodes.items()}


@pytest.mark.parametrize("jump", [HOUR, -HOUR, YEAR, -YEAR])
def test_a_clock_that_is_set_ends_nothing_and_holds_nothing_up(jump: float) -> None:
    waited = Waited()
    waited.clocks.pass_(10.0)
    waited.clocks.wall += jump

    assert waited.results() == {"here": "waiting", "gone": "waiting"}
    assert "the clock was set by" in waited.said[0]

    waited.clocks.pass_(26.0)  # those who are gone get RETURN and the grace, counted anew at most
    assert waited.results() == {"here": "waiting", "gone": "unreachable"}
    waited.clocks.pass_(601.0)
    assert waited.results() == {"here": "expired", "gone": "unreachable"}


def test_what_was_noted_between_the_jump_and_the_look_counts_from_then(tmp_path: Path) -> None:
    waited = Waited()
    waited.clocks.wall -= HOUR
    waited.known.connected("gone", waited.clocks.wall)

    assert waited.results() == {"here": "waiting", "gone": "waiting"}
    waited.clocks.pass_(599.0)
    assert waited.results() == {"here": "waiting", "gone": "waiting"}
    waited.clocks.pass_(2.0)
    assert waited.results()["here"] == "expired"


def test_a_clock_that_was_set_back_before_a_start_holds_nothing_up() -> None:
    turn = begin(1, 1, NOW + YEAR, {"here": 1}, {})
    known = Known()
    known.turns = {1: turn}
    known.reset_clock(0.0, NOW)

    assert known.turns[1].began == NOW
    assert known.turns[1].nodes["here"].moved == NOW
