"""What was measured of the cluster, and how it stands to the goals. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import msgspec

from saltern_master.bench.figures import Row
from saltern_master.bench.site import Site

GOAL_VALID_SECONDS = 60.0
GOAL_NO_OP_SECONDS = 1.0
GOAL_TOGETHER_MIB = 120.0
HOUR = 3600


class First(msgspec.Struct, frozen=True, kw_only=True):
    """The apply that makes the cluster. Seconds from its beginning."""

    told: float  # every node had said that it is as declared
    valid: float
    changes: int
    core_cpu: float  # seconds, to the valid cluster
    front_cpu: float


class NoOps(msgspec.Struct, frozen=True, kw_only=True):
    """Applies with nothing to do. Wall in seconds, CPU in ms for each."""

    requested: tuple[float, ...]  # from the HTTP request to the last node's word
    commanded: tuple[float, ...]  # of `saltern apply`, from its start to its end
    core_cpu: float
    front_cpu: float


class Rest(msgspec.Struct, frozen=True, kw_only=True):
    """A while in which nobody asked for anything. CPU in percent of one core."""

    seconds: float
    core_cpu: float
    front_cpu: float
    nodes: int
    counted_seconds: float  # between two Loads of the front
    messages: int
    bytes_in: int
    bytes_out: int


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """PSS in MiB."""

    core: float
    front: float

    @property
    def together(self) -> float:
        """Give both."""
        return self.core + self.front


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    site: Site
    first: First
    no_ops: NoOps
    rest: Rest
    at_rest: Memory
    peak: Memory  # the largest of each, from before the first apply to after the last no-op


def traffic(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Give what the front counted between two of its Loads."""
    return {name: after[name] - before[name] for name in ("messages", "bytes_in", "bytes_out")}


def hourly(rest: Rest, count: int) -> float:
    """Extrapolate: for each node and hour."""
    return count / rest.nodes / rest.counted_seconds * HOUR


def peak_of(samples: Sequence[Memory]) -> Memory:
    """Give the largest of each process."""
    return Memory(core=max(one.core for one in samples), front=max(one.front for one in samples))


def rows(figures: Figures) -> tuple[Row, ...]:
    """Give the figures that have a goal."""
    first, no_ops = figures.first, figures.no_ops
    return (
        _seconds("from apply to a valid cluster", first.valid, GOAL_VALID_SECONDS),
        _seconds(
            f"a no-op, from the request to the last node, worst of {len(no_ops.requested)}",
            max(no_ops.requested),
            GOAL_NO_OP_SECONDS,
        ),
        _seconds(
            f"a no-op, the command from start to end, worst of {len(no_ops.commanded)}",
            max(no_ops.commanded),
            GOAL_NO_OP_SECONDS,
        ),
        _memory("core and front at rest, PSS together", figures.at_rest),
        _memory("core and front at their peaks, PSS together", figures.peak),
    )


def table(figures: Figures) -> tuple[tuple[str, ...], ...]:
    """Give what core and front cost."""
    first, no_ops, rest = figures.first, figures.no_ops, figures.rest
    return (
        ("", "core", "front"),
        ("CPU of the first apply", f"{first.core_cpu:.2f} s", f"{first.front_cpu:.2f} s"),
        ("CPU of a no-op, mean", f"{no_ops.core_cpu:.1f} ms", f"{no_ops.front_cpu:.1f} ms"),
        ("CPU at rest, of one core", f"{rest.core_cpu:.2f} %", f"{rest.front_cpu:.2f} %"),
        ("PSS at rest, MiB", f"{figures.at_rest.core:.1f}", f"{figures.at_rest.front:.1f}"),
        ("PSS, peak, MiB", f"{figures.peak.core:.1f}", f"{figures.peak.front:.1f}"),
    )


def times(figures: Figures) -> tuple[tuple[str, ...], ...]:
    """Give how long what took."""
    first, no_ops = figures.first, figures.no_ops
    return (
        ("seconds", "runs", "median", "worst"),
        ("first apply, to the last node's word", "1", f"{first.told:.1f}", f"{first.told:.1f}"),
        ("first apply, to a valid cluster", "1", f"{first.valid:.1f}", f"{first.valid:.1f}"),
        _times("no-op, from the request", no_ops.requested),
        _times("no-op, the command", no_ops.commanded),
    )


def _times(name: str, values: Sequence[float]) -> tuple[str, ...]:
    return (name, str(len(values)), f"{median(values):.3f}", f"{max(values):.3f}")


def _seconds(what: str, found: float, goal: float) -> Row:
    return Row(what, f"{found:.2f} s", f"<= {goal:g} s", found <= goal)


def _memory(what: str, found: Memory) -> Row:
    goal = GOAL_TOGETHER_MIB
    return Row(what, f"{found.together:.1f} MiB", f"<= {goal:g} MiB", found.together <= goal)
