"""What every source of events keeps, whatever it listens to (saltern_agent.sources).

Each on its own ground: files, links, chains, units, images, readings; grounds that need a
namespace or a bus of their own are `system`-marked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from saltern_agent.host.events.chains import ChainSource
from saltern_agent.host.events.images import ImageSource
from saltern_agent.host.events.links import LinkSource
from saltern_agent.host.events.paths import PathSource
from saltern_agent.host.events.readings import ReadingSource
from saltern_agent.host.events.units import UnitSource, unit_path
from saltern_agent.sources import Events, Source
from saltern_states.contract import (
    Watch,
    WatchChain,
    WatchImage,
    WatchLegacyRules,
    WatchLink,
    WatchPath,
    WatchReading,
    WatchRoute,
    WatchTimer,
    WatchUnit,
)

from tests.agent.docker_events import UNTAG, TellingDocker
from tests.agent.waiting import drain, readable, wait_for
from tests.open_descriptors import STRAY, TURNS, open_descriptors
from tests.system.event_bus import Manager, running_bus
from tests.system.event_namespaces import network_namespace, run

SOON = 0.02
MISSING = Path("/nonexistent/of/no/source")
OTHERS: frozenset[Watch] = frozenset(
    {
        WatchPath(MISSING),
        WatchLink("other0"),
        WatchRoute("192.0.2.0/24"),
        WatchChain("raw", ("SALTERN-OTHER",)),
        WatchUnit("saltern-other.service"),
        WatchReading(MISSING),
        WatchLegacyRules("raw"),
        WatchTimer(1.0),
    }
)
"""Of every kind; on no ground does any of them change."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A source, what it watches, how that is damaged, and what happens beside it."""

    make: Callable[[], Source]
    watch: Watch
    damage: Callable[[], object]  # may be done again and again: each time something changes
    beside: Callable[[], object]
    begin: Callable[[Source], None] = lambda _source: None  # until it is heard


@contextmanager
def files(folder: Path) -> Iterator[Ground]:
    path, other = folder / "watched", folder / "beside"
    path.write_text("")
    yield Ground(
        PathSource,
        WatchPath(path),
        lambda: path.write_text("x"),
        lambda: other.write_text("x"),
    )


@contextmanager
def links(_folder: Path) -> Iterator[Ground]:
    with network_namespace():
        run("/usr/sbin/ip", "link", "add", "cbr0", "type", "bridge")
        numbers = iter(range(100, 1000))

        def damage() -> None:
            run("/usr/sbin/ip", "address", "add", f"10.10.{next(numbers) - 99}.1/24", "dev", "cbr0")

        def beside() -> None:
            run("/usr/sbin/ip", "address", "add", f"127.0.1.{next(numbers) - 99}/32", "dev", "lo")

        yield Ground(LinkSource, WatchLink("cbr0"), damage, beside)


@contextmanager
def chains(_folder: Path) -> Iterator[Ground]:
    with network_namespace():
        nft = "/usr/sbin/iptables-nft"
        for name in ("SALTERN-A", "KUBE-A"):
            run(nft, "-t", "nat", "-N", name)
        yield Ground(
            ChainSource,
            WatchChain("nat", ("SALTERN-A", "POSTROUTING")),
            lambda: run(nft, "-t", "nat", "-A", "SALTERN-A", "-j", "RETURN"),
            lambda: run(nft, "-t", "nat", "-A", "KUBE-A", "-j", "RETURN"),
        )


@contextmanager
def images(folder: Path) -> Iterator[Ground]:
    docker = TellingDocker(folder)
    docker.start()

    def begin(source: Source) -> None:
        docker.answer()
        wait_for(source, lambda events: bool(events.touched))

    try:
        yield Ground(
            lambda: ImageSource(docker.address, docker.pid_file, SOON),
            WatchImage("pause:1"),
            lambda: docker.say(UNTAG),
            lambda: docker.say(UNTAG.replace(b"untag", b"push")),
            begin,
        )
    finally:
        docker.stop()


@contextmanager
def readings(folder: Path) -> Iterator[Ground]:
    path, other = folder / "read", folder / "beside"
    numbers = iter(range(1000))
    path.write_text("4096\n")
    yield Ground(
        lambda: ReadingSource(SOON),
        WatchReading(path),
        lambda: path.write_text(f"{next(numbers)}\n"),
        lambda: other.write_text("x"),
    )


@contextmanager
def units(folder: Path) -> Iterator[Ground]:
    def begin(source: Source) -> None:
        while source.trouble() or readable(source, 10 * SOON):
            source.read()

    with running_bus(folder) as bus:
        manager = Manager(bus)
        try:
            yield Ground(
                lambda: UnitSource(bus.path, retry_seconds=(SOON,)),
                WatchUnit("kubelet.service"),
                lambda: manager.change(unit_path("kubelet.service")),
                lambda: manager.change(unit_path("cron.service")),
                begin,
            )
        finally:
            manager.leave()


GROUNDS = [
    pytest.param(files, id="files"),
    pytest.param(images, id="images"),
    pytest.param(readings, id="readings"),
    pytest.param(links, id="links", marks=pytest.mark.system),
    pytest.param(chains, id="chains", marks=pytest.mark.system),
    pytest.param(units, id="units", marks=pytest.mark.system),
]


@pytest.fixture(params=GROUNDS)
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    with ExitStack() as stack:
        yield stack.enter_context(request.param(tmp_path))


@pytest.fixture
def source(ground: Ground) -> Iterator[Source]:
    source = ground.make()
    source.set_watches(OTHERS | {ground.watch})
    ground.begin(source)
    drain(source)
    yield source
    source.close()


def test_damage_is_told_of_what_was_damaged_alone(ground: Ground, source: Source) -> None:
    for _ in range(3):
        ground.damage()
        told = wait_for(source, lambda events: ground.watch in events.touched)
        assert (told.touched, told.lost) == (frozenset({ground.watch}), False)
        assert set(told.causes) <= told.touched


def test_what_happens_beside_it_is_not_told(ground: Ground, source: Source) -> None:
    ground.beside()
    readable(source, 5 * SOON)
    assert drain(source) == Events()


def test_reading_never_blocks_and_tells_nothing_twice(ground: Ground, source: Source) -> None:
    ground.damage()
    wait_for(source, lambda events: ground.watch in events.touched)
    drain(source)
    assert source.read() == Events()


def test_its_descriptor_stays_the_same(ground: Ground, source: Source) -> None:
    before = source.fileno()
    ground.damage()
    wait_for(source, lambda events: bool(events.touched))
    source.set_watches(OTHERS)
    source.set_watches(OTHERS | {ground.watch})
    assert source.fileno() == before


def test_what_is_watched_no_more_is_not_told(ground: Ground, source: Source) -> None:
    source.set_watches(OTHERS)
    with suppress(BrokenPipeError):  # of a docker that nobody listens to any longer
        ground.damage()
    readable(source, 5 * SOON)
    assert drain(source) == Events()


def test_all_that_can_be_heard_is_no_trouble(ground: Ground, source: Source) -> None:
    ground.damage()
    wait_for(source, lambda events: bool(events.touched))
    assert source.trouble() == ""


def test_closing_it_leaves_no_descriptor(ground: Ground) -> None:
    before = open_descriptors()
    for _ in range(TURNS):
        source = ground.make()
        source.set_watches(OTHERS)
        source.set_watches(frozenset())
        drain(source)
        source.close()
    assert open_descriptors() < before + STRAY
