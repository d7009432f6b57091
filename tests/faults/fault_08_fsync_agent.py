"""Fault 8, the agent's half: an fsync fails with EIO, at any place of an apply.

The kernel says so once and then forgets what it could not write, so the agent has to end instead of
trying again, and nothing of it may have been called converged. The next agent goes on from what the
disk has.
"""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.faults.agent_process import AgentError, Point, points_of, running, traced
from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.held_node import HeldNode, copied, statement, unlike, wanted

FULL = 60
SECONDS = 5.0  # that an agent has to end in


@dataclass(slots=True)
class Tally:
    """What was seen so far."""

    tried: int = 0
    went_on: int = 0
    called_converged: int = 0
    not_told: int = 0
    not_healed: int = 0


def run(trial: Trial) -> Seen:
    """Fail each fsync of an apply, or some of them."""
    root = trial.directory / "template"
    node = HeldNode(root, root / "var/lib/saltern")
    node.make()
    with running(node) as agent:
        agent.settled()
        if not (end := agent.apply(statement(1))).ok:
            raise AgentError(f"the first version is not applied: {end}")
        agent.stop()
    points = _points(node, trial.directory / "counted")
    number = len(points) if trial.rounds >= FULL else trial.rounds
    chosen = random.Random(trial.seed).sample(range(len(points)), min(number, len(points)))
    tally = Tally()
    for at in dict.fromkeys((*(seed for seed in trial.seeds if seed < len(points)), *chosen)):
        _try(node, trial.directory / f"{at}", points[at], tally, trial)
    return Seen(
        tally.tried,
        (
            Figure("agents that went on", tally.went_on),
            Figure("applies called converged", tally.called_converged),
            Figure("ends without a word of the disk", tally.not_told),
            Figure("not converged by the next agent", tally.not_healed),
        ),
        f"of {len(points)} calls",
    )


def _points(template: HeldNode, top: Path) -> list[Point]:
    node = copied(template, top)
    with running(node) as agent:
        agent.settled()
        with traced(agent) as trace:
            agent.apply(statement(2))
        # SQLite syncs its directory too and passes over an error; the agent did that when it began.
        own = f"{node.places.state}>)"
        return [point for point in points_of(trace, own) if point[0] in ("fsync", "fdatasync")]


def _try(template: HeldNode, top: Path, point: Point, tally: Tally, trial: Trial) -> None:
    node = copied(template, top)
    with running(node) as agent:
        agent.settled()
        with traced(agent, f"{point[0]}:error=EIO:when={point[1]}"):
            end = agent.apply(statement(2))
            code = agent.ended(SECONDS)
        tally.tried += 1
        tally.called_converged += end.ok
        tally.went_on += code is None
        tally.not_told += code is not None and "on its disk: " not in agent.said()
    with running(node) as agent:
        status = agent.settled().status
        if status.version == 1:
            agent.apply(statement(2))
        healed = not unlike(node.tree(), wanted(2)) and node.recorded() == (2, False)
    tally.not_healed += not healed
    if end.ok or code != 1 or not healed:
        trial.say(f"{point}: {end}, exit code {code}, then version {status.version}: {healed}")
    shutil.rmtree(top)


FAULT = Fault(
    number=8,
    what="an fsync of the agent's fails with EIO",
    short=7,
    full=FULL,
    run=run,
)
