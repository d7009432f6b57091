"""What a real systemd says of its units, heard from beside the node by its own bus."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from saltern_agent.host.events.units import UnitSource
from saltern_agent.host.systemd import SystemdUnits
from saltern_agent.sources import Events
from saltern_master.lab import Machine
from saltern_states.contract import Watch, WatchUnit

from tests.agent.waiting import readable, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

SERVICE = """[Service]
ExecStart=/usr/bin/sleep infinity
[Install]
WantedBy=multi-user.target
"""
PROBE = WatchUnit("saltern-probe.service")
OTHER = WatchUnit("saltern-other.service")
BOTH: frozenset[Watch] = frozenset({PROBE, OTHER})


def bus_of(node: Machine) -> str:
    return f"/proc/{node.first_process()}/root/run/dbus/system_bus_socket"


def must(node: Machine, *argv: str) -> None:
    done = node.exec(argv)
    assert done.returncode == 0, done.stderr


def settle(source: UnitSource) -> Events:
    """Read until it has been quiet for a second."""
    touched: frozenset[Watch] = frozenset()
    while source.trouble() or readable(source, 1.0):
        assert readable(source, 20), source.trouble()
        touched |= source.read().touched
    return Events(touched)


@pytest.fixture(scope="module")
def prepared(node: Machine) -> Machine:
    assert node.wait(60) == "running"
    for watch in (PROBE, OTHER):
        path = f"/etc/systemd/system/{watch.unit}"
        node.exec(["tee", path], input=SERVICE)
    must(node, "systemctl", "daemon-reload")
    return node


@pytest.fixture
def source(prepared: Machine) -> Iterator[UnitSource]:
    source = UnitSource(bus_of(prepared), retry_seconds=(0.2,))
    source.set_watches(BOTH)
    wait_for(source, lambda events: events.touched == BOTH)
    settle(source)
    yield source
    source.close()
    prepared.exec(["systemctl", "disable", "--now", PROBE.unit, OTHER.unit])


def test_a_unit_that_starts_dies_and_stops_is_told(source: UnitSource, node: Machine) -> None:
    must(node, "systemctl", "start", PROBE.unit)
    assert settle(source).touched == {PROBE}
    must(node, "systemctl", "kill", "--signal=KILL", PROBE.unit)
    assert settle(source).touched == {PROBE}
    must(node, "systemctl", "restart", PROBE.unit)
    assert settle(source).touched == {PROBE}
    must(node, "systemctl", "stop", PROBE.unit)
    assert settle(source).touched == {PROBE}


def test_to_look_at_a_unit_that_is_not_loaded_touches_nothing(
    source: UnitSource, node: Machine
) -> None:
    units = SystemdUnits(bus_of(node))
    for _ in range(3):
        assert units.state(PROBE.unit).active == "inactive"
        assert settle(source) == Events()
    units.close()


def test_enabling_and_reloading_touch_every_unit(source: UnitSource, node: Machine) -> None:
    must(node, "systemctl", "--no-reload", "enable", PROBE.unit)
    assert settle(source).touched == BOTH
    must(node, "systemctl", "daemon-reload")
    assert settle(source).touched == BOTH


def test_other_units_touch_nothing(source: UnitSource, node: Machine) -> None:
    must(node, "systemd-run", "--wait", "--unit=saltern-stranger", "/bin/true")
    assert settle(source) == Events()


def test_a_systemd_that_executes_itself_anew_is_heard_on(source: UnitSource, node: Machine) -> None:
    must(node, "systemctl", "daemon-reexec")
    assert settle(source).touched == BOTH
    must(node, "systemctl", "start", PROBE.unit)
    assert settle(source).touched == {PROBE}


def test_a_bus_that_restarts_is_lost_and_heard_again(source: UnitSource, node: Machine) -> None:
    must(node, "systemctl", "restart", "dbus.service")
    assert wait_for(source, lambda events: events.lost).lost
    assert settle(source).touched == BOTH
    must(node, "systemctl", "start", PROBE.unit)
    assert settle(source).touched == {PROBE}
