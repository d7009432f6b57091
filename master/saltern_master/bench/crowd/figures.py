"""What was measured of the crowd, and how it stands to the goals. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, median

import msgspec

from saltern_master.bench.crowd.crowd import Turn
from saltern_master.bench.figures import Row
from saltern_master.bench.site import Site

GOAL_NO_OP_SECONDS = 0.1  # to the last of all nodes, in the worst of the runs
GOAL_AGENT_MILLISECONDS = 2.0  # of CPU per agent and no-op
MILLISECONDS = 1000


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Applies of one sort, in the order in which they were made. Wall in seconds, CPU in ms."""

    name: str
    answered: tuple[float, ...]
    last: tuple[float, ...]
    agent_cpu: tuple[float, ...]  # mean of all agents
    core_cpu: tuple[float, ...]
    front_cpu: tuple[float, ...]

    @property
    def worst(self) -> float:
        """Seconds to the last node's word, in the slowest run."""
        return max(self.last)


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """PSS in MiB at the end."""

    agent: float  # mean
    largest_agent: float
    core: float
    front: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    site: Site
    size: int
    join_seconds: float  # tokens, joins and starts of all, one after the other
    first: Series
    no_op: Series
    changed: Series
    memory: Memory


def series_of(name: str, size: int, turns: Sequence[Turn]) -> Series:
    """Sum up some applies."""
    return Series(
        name=name,
        answered=tuple(one.followed.answered for one in turns),
        last=tuple(one.followed.last for one in turns),
        agent_cpu=tuple(one.agents_cpu / size * MILLISECONDS for one in turns),
        core_cpu=tuple(one.core_cpu * MILLISECONDS for one in turns),
        front_cpu=tuple(one.front_cpu * MILLISECONDS for one in turns),
    )


def memory_of(agents: Sequence[float], core: float, front: float) -> Memory:
    """Sum up what each process has."""
    return Memory(agent=mean(agents), largest_agent=max(agents), core=core, front=front)


def rows(figures: Figures) -> tuple[Row, ...]:
    """Give the figures that have a goal."""
    no_op = figures.no_op
    cpu = mean(no_op.agent_cpu)
    return (
        Row(
            f"a no-op, to the last of {figures.size}, worst of {len(no_op.last)}",
            f"{no_op.worst:.3f} s",
            f"<= {GOAL_NO_OP_SECONDS:g} s",
            no_op.worst <= GOAL_NO_OP_SECONDS,
        ),
        Row(
            "CPU of an agent for it, mean",
            f"{cpu:.2f} ms",
            f"<= {GOAL_AGENT_MILLISECONDS:g} ms",
            cpu <= GOAL_AGENT_MILLISECONDS,
        ),
    )


def table(figures: Figures) -> tuple[tuple[str, ...], ...]:
    """Give every sort of apply: wall in seconds, CPU in milliseconds, medians."""
    head = ("apply", "runs", "answered", "last", "worst", "CPU agent, ms", "core", "front")
    return (head, *(_line(one) for one in (figures.first, figures.no_op, figures.changed)))


def _line(one: Series) -> tuple[str, ...]:
    seconds = (median(one.answered), median(one.last), one.worst)
    cpu = (mean(one.agent_cpu), mean(one.core_cpu), mean(one.front_cpu))
    wall = (f"{value:.3f} s" for value in seconds)
    return (one.name, str(len(one.last)), *wall, *(f"{value:.2f}" for value in cpu))
