"""What was measured of the packages, and how it stands to the goals. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median

import msgspec

from saltern_master.bench.figures import (
    GOAL_PSS_MIB,
    GOAL_START_SECONDS,
    MIB,
    Memory,
    Row,
)
from saltern_master.bench.site import Site

GOAL_INSTALLED_MEGABYTES = 40.0  # of the agent with bytecode, for it is on every node; of the
# master, which is on one machine, as dpkg counts what is installed (Installed-Size): its files


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """A package and what it has put on a node. Bytes, but for a number of files and seconds."""

    package: int
    count: int
    files: int  # dpkg's
    bytecode: int  # made of them while installing
    blocks: int  # what all of it takes of the disk
    seconds: float  # of dpkg -i

    @property
    def megabytes(self) -> float:
        """All files with their bytecode."""
        return (self.files + self.bytecode) / 1e6


class Starts(msgspec.Struct, frozen=True, kw_only=True):
    """From exec of the service's process to the end of its first look. Seconds."""

    kept: tuple[float, ...]
    fresh: tuple[float, ...]  # nothing is kept, as after a boot: all that is large is hashed


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One release of Debian. Memory is PSS in MiB."""

    system: str  # Debian 12.15, Python 3.11.2
    agent: Installed
    master: Installed
    starts: Starts
    looks: int
    memory: Memory  # of the agent that joined and applied, over its looks
    memory_started: float  # of the agent that was started last
    core: float
    front: float

    @property
    def name(self) -> str:
        """Name it in short: Debian 12."""
        return self.system.partition(".")[0]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    site: Site
    releases: tuple[Release, ...]


def mib(number: float) -> float:
    """Give bytes as MiB."""
    return number / MIB


def rows(figures: Figures) -> tuple[Row, ...]:
    """Give the figures that have a goal."""
    return tuple(row for one in figures.releases for row in _rows(one))


def _rows(one: Release) -> Iterator[Row]:
    for what, megabytes in (
        ("the agent installed, with bytecode", one.agent.megabytes),
        ("the master installed, its files", one.master.files / 1e6),
    ):
        yield Row(
            f"{one.name}: {what}",
            f"{megabytes:.1f} MB",
            f"<= {GOAL_INSTALLED_MEGABYTES:g} MB",
            megabytes <= GOAL_INSTALLED_MEGABYTES,
        )
    for what, seconds in (("", one.starts.kept), (", nothing kept", one.starts.fresh)):
        yield Row(
            f"{one.name}: from exec to the end of the first look{what}",
            f"{median(seconds):.3f} s",
            f"<= {GOAL_START_SECONDS:g} s",
            median(seconds) <= GOAL_START_SECONDS,
        )
    largest = max(one.memory.pss_before, one.memory.pss_after, one.memory_started)
    yield Row(
        f"{one.name}: PSS of the agent, the largest found",
        f"{largest:.1f} MiB",
        f"<= {GOAL_PSS_MIB:g} MiB",
        largest <= GOAL_PSS_MIB,
    )


def table(figures: Figures) -> list[tuple[str, ...]]:
    """Give everything, a column for each release of Debian."""
    told: list[tuple[str, Callable[[Release], str]]] = [
        *_sizes("agent", lambda one: one.agent),
        *_sizes("master", lambda one: one.master),
        ("a start, median and worst", lambda one: _seconds(one.starts.kept)),
        ("a start with nothing kept", lambda one: _seconds(one.starts.fresh)),
        ("PSS of the agent after its first apply", lambda one: f"{one.memory.pss_before:.1f} MiB"),
        ("PSS after the looks", lambda one: f"{one.memory.pss_after:.1f} MiB"),
        ("PSS of an agent just started", lambda one: f"{one.memory_started:.1f} MiB"),
        ("PSS of core; of front", lambda one: f"{one.core:.1f}; {one.front:.1f} MiB"),
    ]
    head = ("what", *(one.name for one in figures.releases))
    return [head, *((what, *map(tell, figures.releases)) for what, tell in told)]


def _sizes(
    product: str, of: Callable[[Release], Installed]
) -> list[tuple[str, Callable[[Release], str]]]:
    return [
        (f"the {product}: the .deb", lambda one: f"{of(one).package / 1e6:.1f} MB"),
        (f"the {product}: its files", lambda one: f"{of(one).files / 1e6:.1f} MB"),
        (f"the {product}: bytecode", lambda one: f"{of(one).bytecode / 1e6:.1f} MB"),
        (f"the {product}: all of it", lambda one: f"{of(one).megabytes:.1f} MB"),
        (f"the {product}: files in all", lambda one: f"{of(one).count}"),
        (f"the {product}: of the disk", lambda one: f"{of(one).blocks / 1e6:.1f} MB"),
        (f"the {product}: dpkg -i", lambda one: f"{of(one).seconds:.1f} s"),
    ]


def _seconds(found: tuple[float, ...]) -> str:
    return f"{median(found):.3f}; {max(found):.3f} s"
