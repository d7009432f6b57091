"""What was measured, and how it stands to the goals. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

import msgspec

GOAL_LOOK_MILLISECONDS = 20.0  # of CPU, for 40 resources
GOAL_PSS_MIB = 45.0
GOAL_GROWTH_MIB = (
    0.25  # "none": a page that is touched late is no leak; 10,000 looks would show one
)
GOAL_RECORD_MILLISECONDS = 50.0
GOAL_START_SECONDS = 0.5
MIB = 1024 * 1024


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at everything costs when there is nothing to do. Milliseconds."""

    resources: int
    count: int
    cpu: float  # of the agent, with answering the question
    children: float  # CPU of programs that it ran
    wall_median: float
    wall_p99: float


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """The running agent before and after the looks. MiB, and a number of descriptors."""

    pss_before: float
    pss_after: float
    descriptors_before: int
    descriptors_after: int


class Healing(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of damage. Milliseconds, all from the moment before it was begun."""

    name: str
    by: str
    event: bool
    runs: int
    done_median: float  # to the damage's own end
    record_median: float
    record_p99: float
    healed_median: float
    healed_p99: float


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """From exec of `saltern-agent run` to the end of its first look. Seconds, medians."""

    count: int
    first_look: float
    first_look_after_boot: float  # nothing is kept then: all that is large is hashed
    python: float  # the interpreter alone
    imports: float  # what the agent's imports add to it


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """Where and of what it was measured."""

    date: str
    machine: str
    load: str  # before the measuring
    kernel: str
    node: str
    commit: str
    command: str
    tree_megabytes: float
    installed_megabytes: float  # with the bytecode that Python adds


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    ground: Ground
    look: Look
    memory: Memory
    start: Start
    healing: tuple[Healing, ...]


class Row(msgspec.Struct, frozen=True):
    """A figure that has a goal, in words."""

    what: str
    found: str
    goal: str
    met: bool


def quantile(values: Sequence[float], part: float) -> float:
    """Give the smallest value that at least `part` of all are not above (nearest rank)."""
    ranked = sorted(values)
    return ranked[max(math.ceil(part * len(ranked)) - 1, 0)]


def look_of(found: dict[str, Any]) -> Look:
    """Sum up what the probe says of looks."""
    return Look(
        resources=found["resources"],
        count=found["count"],
        cpu=found["cpu_milliseconds"],
        children=found["children_milliseconds"],
        wall_median=median(found["wall_milliseconds"]),
        wall_p99=quantile(found["wall_milliseconds"], 0.99),
    )


def memory_of(found: dict[str, Any]) -> Memory:
    """Sum up what the probe says of the agent's memory."""
    before, after = found["before"], found["after"]
    return Memory(
        pss_before=before["pss"] / MIB,
        pss_after=after["pss"] / MIB,
        descriptors_before=before["descriptors"],
        descriptors_after=after["descriptors"],
    )


def healing_of(found: dict[str, Any]) -> Healing:
    """Sum up what the probe says of one kind of damage."""
    runs = found["runs"]
    spans = {
        name: [(run[name] - run["begin"]) * 1000 for run in runs]
        for name in ("end", "durable", "healed")
    }
    return Healing(
        name=found["name"],
        by=found["by"],
        event=found["event"],
        runs=len(runs),
        done_median=median(spans["end"]),
        record_median=median(spans["durable"]),
        record_p99=quantile(spans["durable"], 0.99),
        healed_median=median(spans["healed"]),
        healed_p99=quantile(spans["healed"], 0.99),
    )


def start_of(found: dict[str, Any]) -> Start:
    """Sum up what the probe says of starts."""
    python = median(found["python_seconds"])
    return Start(
        count=len(found["seconds"]),
        first_look=median(found["seconds"]),
        first_look_after_boot=median(found["boot_seconds"]),
        python=python,
        imports=median(found["import_seconds"]) - python,
    )


def rows(figures: Figures) -> tuple[Row, ...]:
    """Give the figures that have a goal."""
    look, memory, start = figures.look, figures.memory, figures.start
    growth = memory.pss_after - memory.pss_before
    more = memory.descriptors_after - memory.descriptors_before
    cpu = look.cpu + look.children
    worst = max((one for one in figures.healing if one.event), key=lambda one: one.record_p99)
    return (
        Row(
            f"CPU of one look at {look.resources} resources",
            f"{cpu:.2f} ms",
            f"<= {GOAL_LOOK_MILLISECONDS:g} ms",
            cpu <= GOAL_LOOK_MILLISECONDS,
        ),
        Row(
            f"PSS after {look.count} looks",
            f"{memory.pss_after:.1f} MiB",
            f"<= {GOAL_PSS_MIB:g} MiB",
            memory.pss_after <= GOAL_PSS_MIB,
        ),
        Row("its growth over them", f"{growth:+.2f} MiB", "none", growth <= GOAL_GROWTH_MIB),
        Row("more descriptors after them", f"{more}", "none", more <= 0),
        Row(
            f"from damage to record, p99 of the slowest kind ({worst.name})",
            f"{worst.record_p99:.1f} ms",
            f"<= {GOAL_RECORD_MILLISECONDS:g} ms",
            worst.record_p99 <= GOAL_RECORD_MILLISECONDS,
        ),
        Row(
            "from exec to the end of the first look",
            f"{start.first_look:.3f} s",
            f"<= {GOAL_START_SECONDS:g} s",
            start.first_look <= GOAL_START_SECONDS,
        ),
        Row(
            "the same where nothing is kept, as after a boot",
            f"{start.first_look_after_boot:.3f} s",
            f"<= {GOAL_START_SECONDS:g} s",
            start.first_look_after_boot <= GOAL_START_SECONDS,
        ),
    )
