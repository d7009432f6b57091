"""unit: what its Spec refuses, what it claims, and what its changes interrupt."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from saltern_protocol.policy import Claim
from saltern_states.contract import Impact, WatchPath, WatchUnit
from saltern_states.testing import FakeHost
from saltern_states.unit import KIND, Unit

from tests.states.laws import converge, lines
from tests.states.unit_node import (
    CONFIG,
    DROP_IN,
    UNIT,
    WANT,
    reloaded_with,
    restarted_with,
    running,
)


@pytest.mark.parametrize("unit", ["docker.socket", "a.timer", "b.target"])
def test_only_services_live_by_files(unit: str) -> None:
    host = FakeHost()
    host.units.install(unit, "[Install]\n")

    told = lines(converge(KIND, host, Unit(unit=unit)))

    assert told == [f"enable {unit}", f"start {unit} (was inactive)"]
    with pytest.raises(msgspec.ValidationError, match="only a service"):
        msgspec.convert({"kind": "unit/1", "unit": unit, "binary": "/bin/x"}, Unit)


def test_a_file_is_declared_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        Unit(unit=UNIT, files=(WANT.files[0], WANT.files[0]))


def test_impacts_claims_and_watches() -> None:
    host = running()
    restarted_with(CONFIG, "stranger")(host)
    assert [change.impact for change in KIND.plan(host, WANT)] == [Impact.RESTART]
    converge(KIND, host, WANT)
    reloaded_with(host)
    assert [change.impact for change in KIND.plan(host, WANT)] == [Impact.RELOAD]
    assert KIND.claims(WANT) == (Claim("unit", UNIT),)
    assert WatchUnit(UNIT) in KIND.watch(WANT)
    assert {WatchPath(Path(path)) for path in (CONFIG, DROP_IN, "/usr/bin/kubelet")} <= set(
        KIND.watch(WANT)
    )
