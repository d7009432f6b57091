"""What a node held before has its part in what a change does: a docker without live-restore ends
its containers, whatever the next one will do."""

from __future__ import annotations

import pytest
from saltern_agent.plan import plan
from saltern_agent.steps import steps
from saltern_states.body import Body, Resource
from saltern_states.contract import Impact
from saltern_states.testing import FakeHost
from saltern_states.unit import Unit

DOCKER = "docker.service"


def body(*, ends_work: bool) -> Body:
    unit = Unit(unit=DOCKER, running=False, enabled=False, ends_work=ends_work)
    return Body((Resource(id="docker", spec=unit),))


@pytest.mark.parametrize(
    ("before", "now", "impact"),
    [
        (None, False, Impact.RESTART),
        (None, True, Impact.DRAIN),
        (False, False, Impact.RESTART),
        (False, True, Impact.DRAIN),
        (True, False, Impact.DRAIN),
        (True, True, Impact.DRAIN),
    ],
)
def test_what_runs_ends_as_it_was_begun(before: bool | None, *, now: bool, impact: Impact) -> None:
    host = FakeHost()
    host.units.install(DOCKER)
    host.units.reload_daemon()
    host.units.start(DOCKER)
    held = {} if before is None else {one.id: one for one in body(ends_work=before).resources}
    (found,) = plan(host, steps(body(ends_work=now), held)).steps
    assert found.impact is impact
