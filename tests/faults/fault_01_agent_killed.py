"""Fault 1: the agent is killed at every system call of an apply that changes something.

The kill comes before the call is made, so each state between two changes is tried once: at first
the agent dies before it has changed anything, and at last only its last call is missing.
After each the agent is started again, and has to bring the node to the one version or the other.
"""

from __future__ import annotations

import random
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from tests.faults.agent_process import AgentError, Point, points_of, running, traced
from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.held_node import HeldNode, copied, statement, torn, unlike, wanted

FULL = 200

BEFORE, AFTER = wanted(1), wanted(2)


@dataclass(slots=True)
class Tally:
    """What was seen so far."""

    tried: int = 0
    torn: int = 0
    half: int = 0
    not_in_one_run: int = 0


def run(trial: Trial) -> Seen:
    """Kill at each call, or at some of them."""
    node = _at_version_one(trial.directory)
    points = _points(node, trial.directory / "counted")
    tally = Tally()
    for number in _chosen(len(points), trial):
        _try(node, trial.directory / f"{number}", points[number], tally, trial)
    return Seen(
        tally.tried,
        (
            Figure("torn files at the kill", tally.torn),
            Figure("half-applied after a restart", tally.half),
            Figure("not converged in one run", tally.not_in_one_run),
            Figure(
                "applies that a kill beyond their last call ended", _beyond(node, trial, points)
            ),
        ),
        f"one of {len(points)} calls each",
    )


def _at_version_one(directory: Path) -> HeldNode:
    root = directory / "template"
    node = HeldNode(root, root / "var/lib/saltern")
    node.make()
    with running(node) as agent:
        agent.settled()
        if not (end := agent.apply(statement(1))).ok:
            raise AgentError(f"the first version is not applied: {end}")
        agent.stop()
    return node


def _points(template: HeldNode, top: Path) -> list[Point]:
    """Give the calls that an apply makes."""
    node = copied(template, top)
    with running(node) as agent:
        agent.settled()
        with traced(agent) as trace:
            agent.apply(statement(2))
        return points_of(trace)


def _chosen(points: int, trial: Trial) -> list[int]:
    """Give every call in the full form; else one of each stretch of them, drawn by the seed."""
    if trial.rounds >= FULL:
        return list(range(points))
    stretch, chance = points / trial.rounds, random.Random(trial.seed)
    drawn = {int((at + chance.random()) * stretch) for at in range(trial.rounds)}
    return sorted({*(one for one in trial.seeds if one < points), *drawn})


def _try(template: HeldNode, top: Path, point: Point, tally: Tally, trial: Trial) -> None:
    node = copied(template, top)
    if not _killed(node, point):
        raise AgentError(f"an apply did not come to its {point[0]} number {point[1]}")
    tally.tried += 1
    tally.torn += bool(torn(node.tree(), (BEFORE, AFTER)))
    wrong = _again(node, tally)
    if wrong:
        trial.say(f"killed at {point[0]} number {point[1]}: {wrong}")
    shutil.rmtree(top)


def _killed(node: HeldNode, point: Point) -> bool:
    """Apply, to be killed at a call; say whether it was."""
    with running(node) as agent:
        agent.settled()
        with traced(agent, f"{point[0]}:signal=KILL:when={point[1]}"):
            end = agent.apply(statement(2))
            return not end.ok and agent.ended() == -signal.SIGKILL


def _again(node: HeldNode, tally: Tally) -> str:
    """Start it again; give what is wrong."""
    with running(node) as agent:
        status = agent.settled().status
        version = status.version or 0
        left = unlike(node.tree(), wanted(version))
        if left:
            tally.half += 1
        elif (
            status.state != "converged"
            or (version == 1 and not agent.apply(statement(2)).ok)
            or unlike(node.tree(), AFTER)
            or node.recorded() != (2, False)
        ):
            tally.not_in_one_run += 1
        else:
            return ""
        return f"version {version}, {status.state}, unlike it: {left}, {status.hindrances}"


def _beyond(template: HeldNode, trial: Trial, points: list[Point]) -> int:
    """Say whether a kill that is set behind the last call of its name is never met."""
    name, last = max(points, key=lambda point: point[1])
    return int(_killed(copied(template, trial.directory / "beyond"), (name, last + 9)))


FAULT = Fault(
    number=1,
    what="the agent is killed at every call of an apply that changes something",
    short=15,
    full=FULL,
    run=run,
)
