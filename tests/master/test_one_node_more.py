"""One node more is one route more on each of the others, and restarts nothing.

Here for two hundred; `make bench-rollout` prints it for a thousand.
"""

from __future__ import annotations

from tests.simulation.one_more import OneMore, one_more


def test_one_node_more_is_one_route_more_on_each_of_the_others_and_no_restart() -> None:
    found = one_more(200)
    assert found == OneMore(size=201, resources=1, routes=1, changes=1, impacts=("none",))
