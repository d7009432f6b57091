"""Events of units over a real message bus, from a manager that speaks as systemd's does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jeepney import DBusAddress, HeaderFields, new_signal
from saltern_agent.host.events.units import UnitSource, unit_path
from saltern_agent.sources import Events
from saltern_states.contract import Watch, WatchPath, WatchUnit

from tests.agent.waiting import readable, wait_for
from tests.open_descriptors import STRAY, open_descriptors
from tests.system.event_bus import Manager, RunningBus, running_bus

pytestmark = pytest.mark.system

KUBELET = WatchUnit("kubelet.service")
DOCKER = WatchUnit("docker.service")
BOTH: frozenset[Watch] = frozenset({KUBELET, DOCKER})


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[RunningBus]:
    with running_bus(tmp_path) as one:
        yield one


@pytest.fixture
def manager(bus: RunningBus) -> Iterator[Manager]:
    manager = Manager(bus)
    yield manager
    manager.leave()


@pytest.fixture
def source(bus: RunningBus, manager: Manager) -> Iterator[UnitSource]:
    source = UnitSource(bus.path, retry_seconds=(0.05, 0.1))
    source.set_watches(BOTH)
    wait_for(source, lambda events: events.touched == BOTH)
    settle(source)
    yield source
    source.close()


def settle(source: UnitSource) -> Events:
    """Read until systemd has answered and all that comes of it is told."""
    touched: frozenset[Watch] = frozenset()
    while source.trouble() or readable(source, 0.2):
        assert readable(source, 10), source.trouble()
        touched |= source.read().touched
    return Events(touched)


def test_at_first_every_unit_is_touched_once_it_is_heard(bus: RunningBus, manager: Manager) -> None:
    source = UnitSource(bus.path)
    source.set_watches(BOTH)
    assert source.trouble() == ""  # nothing is wrong with an answer that is still to come
    wait_for(source, lambda events: events.touched == BOTH)
    settle(source)
    source.set_watches(BOTH | {WatchUnit("kube-proxy.service"), WatchPath(Path("/etc/hosts"))})
    assert settle(source).touched == {WatchUnit("kube-proxy.service")}
    source.close()


def test_a_unit_that_changes_is_touched_alone(source: UnitSource, manager: Manager) -> None:
    manager.change(unit_path("cron.service"))
    manager.change(unit_path("kubelet.service"))
    assert wait_for(source, lambda events: bool(events.touched)) == Events(frozenset({KUBELET}))


def test_a_unit_that_is_only_asked_about_is_not_touched(
    source: UnitSource, manager: Manager
) -> None:
    manager.active = {"kubelet.service": "inactive", "docker.service": "active"}
    manager.signal("UnitNew", "so", ("kubelet.service", unit_path("kubelet.service")))
    manager.signal("UnitNew", "so", ("cron.service", unit_path("cron.service")))
    manager.signal("UnitNew", "so", ("docker.service", unit_path("docker.service")))
    assert wait_for(source, lambda events: bool(events.touched)).touched == {DOCKER}
    assert settle(source) == Events()
    assert manager.asked.count("ListUnitsByPatterns") == 2


def test_a_reload_and_changed_unit_files_touch_every_unit(
    source: UnitSource, manager: Manager
) -> None:
    manager.signal("Reloading", "b", (True,))
    assert settle(source) == Events()
    manager.signal("Reloading", "b", (False,))
    assert settle(source).touched == BOTH
    manager.signal("UnitFilesChanged", "", ())
    assert settle(source).touched == BOTH


def test_a_unit_that_is_watched_no_more_is_not_told(source: UnitSource, manager: Manager) -> None:
    source.set_watches(frozenset({DOCKER}))
    settle(source)
    manager.change(unit_path("kubelet.service"))
    manager.change(unit_path("docker.service"))
    assert wait_for(source, lambda events: bool(events.touched)).touched == {DOCKER}


def test_a_stranger_who_plays_systemd_is_not_believed(
    source: UnitSource, manager: Manager, bus: RunningBus
) -> None:
    stranger = bus.connect()
    manager.change(unit_path("docker.service"))
    drained = wait_for(source, lambda events: bool(events.touched))
    assert drained.touched == {DOCKER}
    unit = DBusAddress(unit_path("kubelet.service"), interface="org.freedesktop.DBus.Properties")
    forged = new_signal(unit, "PropertiesChanged", "sa{sv}as", ("x", {}, []))
    for name in (f":1.{number}" for number in range(20)):  # whoever the source is among them
        forged.header.fields[HeaderFields.destination] = name
        stranger.send(forged)
    assert settle(source) == Events()
    stranger.close()


def test_what_is_too_long_is_passed_over_and_the_next_is_heard(
    source: UnitSource, manager: Manager
) -> None:
    unit = DBusAddress(unit_path("kubelet.service"), interface="org.freedesktop.DBus.Properties")
    long = new_signal(unit, "PropertiesChanged", "sa{sv}as", ("x" * 3_000_000, {}, []))
    manager.send(long)
    manager.change(unit_path("docker.service"))
    assert wait_for(source, lambda events: bool(events.touched)).touched == {DOCKER}


def test_systemd_that_leaves_and_comes_back_is_heard(
    source: UnitSource, manager: Manager, bus: RunningBus
) -> None:
    manager.leave()
    wait_for(source, lambda events: events.touched == BOTH)
    assert source.trouble() == "cannot hear units: systemd left the bus"
    again = Manager(bus)
    again.subscribed = True  # as after a re-execution, which keeps its subscribers
    assert settle(source).touched == BOTH
    again.change(unit_path("kubelet.service"))
    assert wait_for(source, lambda events: bool(events.touched)).touched == {KUBELET}
    again.leave()


def test_a_bus_that_restarts_is_lost_and_heard_again(
    source: UnitSource, manager: Manager, bus: RunningBus
) -> None:
    descriptor = source.fileno()
    bus.stop()
    assert wait_for(source, lambda events: events.lost).lost
    assert source.trouble() == f"cannot hear the bus at {bus.path}: it closed the connection"
    for _ in range(5):
        assert readable(source, 10)  # a try that is in vain
        assert source.read() == Events()
        assert "cannot hear the bus" in source.trouble()
    bus.start()
    again = Manager(bus)
    assert settle(source).touched == BOTH
    assert source.fileno() == descriptor
    again.change(unit_path("docker.service"))
    assert wait_for(source, lambda events: bool(events.touched)).touched == {DOCKER}
    again.leave()


def test_a_bus_without_systemd_is_trouble(bus: RunningBus) -> None:
    source = UnitSource(bus.path)
    source.set_watches(BOTH)
    while not source.trouble():
        assert readable(source, 10)
        source.read()
    assert source.trouble().startswith("cannot hear units: systemd is not on the bus (")
    late = Manager(bus)
    assert settle(source).touched == BOTH
    late.leave()
    source.close()


def test_nothing_leaks_over_a_thousand_changes_of_watches(
    source: UnitSource, manager: Manager
) -> None:
    descriptors = open_descriptors()
    for cycle in range(1000):
        source.set_watches(frozenset({WatchUnit(f"unit{cycle % 7}.service"), DOCKER}))
        source.read()
    source.set_watches(BOTH)
    settle(source)
    assert source.trouble() == ""  # the bus allows 512 rules for one connection
    assert open_descriptors() < descriptors + STRAY
