"""Fault 5: the agent's disk is full.

First each write of an apply, one at a time, finds no space once (strace), and the agent is stopped
so that what stands there then can be read; then a node whose files
and journal lie on one tmpfs of 1 MiB is filled to its last byte, is given a document and is
damaged, and some time later gets its space back. No file may be anything but one of its whole
versions, and what the master is to be told must all be there in the end.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from saltern_agent.events import End
from saltern_protocol.report import Applied, DriftEnded, DriftSeen
from saltern_states.contract import Spec
from saltern_states.file import File

from tests.faults.agent_process import (
    AgentError,
    AgentProcess,
    Point,
    met_a_wake,
    points_of,
    running,
    traced,
    wait_for,
)
from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.held_node import (
    FOLDERS,
    HeldNode,
    copied,
    statement,
    to_tell,
    torn,
    unlike,
    wanted,
)

FULL = 100
RECOVERED = 30.0  # seconds
PATIENCE = 90.0
WRITES = ("write", "pwrite64", "mkdir", "mkdirat", "rename", "renameat2")
BEFORE, AFTER = wanted(1), wanted(2)


@dataclass(slots=True)
class Tally:
    """What was seen so far."""

    tried: int = 0
    torn: int = 0
    lost: int = 0
    slowest: float = 0.0


def run(trial: Trial) -> Seen:
    """Find no space at each write of an apply or at some, then on a whole disk."""
    tally = Tally()
    node = _at_version_one(trial.directory / "template")
    points = _points(node, trial.directory / "counted")
    number = len(points) if trial.rounds >= FULL else trial.rounds - 1
    shuffled = random.Random(trial.seed).sample(range(len(points)), len(points))
    first = (seed for seed in trial.seeds if seed < len(points))
    for at in dict.fromkeys((*first, *shuffled)):  # more than `number`, for some meet only a wake
        if tally.tried == number:
            break
        _try(node, trial.directory / f"{at}", points[at], tally, trial)
    _fill(trial, tally, outage=40.0 if trial.rounds >= FULL else 1.0)
    return Seen(
        tally.tried,
        (
            Figure("target files changed", tally.torn),
            Figure("drift and results lost", tally.lost),
            Figure("slowest recovery", tally.slowest, RECOVERED, "s"),
        ),
        f"one of {len(points)} writes each, and one tmpfs of 1 MiB",
    )


def _at_version_one(root: Path) -> HeldNode:
    node = HeldNode(root, root / "var/lib/saltern")
    node.make(joined=True)
    with running(node) as agent:
        agent.settled()
        if not (end := agent.apply(statement(1))).ok:
            raise AgentError(f"the first version is not applied: {end}")
        agent.stop()
    return node


def _points(template: HeldNode, top: Path) -> list[Point]:
    node = copied(template, top)
    with running(node) as agent:
        agent.settled()
        with traced(agent) as trace:
            agent.apply(statement(2))
        return [point for point in points_of(trace) if point[0] in WRITES]


def _try(template: HeldNode, top: Path, point: Point, tally: Tally, trial: Trial) -> None:
    """Find no space at one write; then there is space again at once."""
    node = copied(template, top)
    with running(node) as agent:
        agent.settled()
        with traced(agent, f"{point[0]}:error=ENOSPC:signal=STOP:when={point[1]}") as trace:
            end, broken = _apply_and_read(agent)
        if met_a_wake(trace):
            return
        began = time.monotonic()
        taken = _settled(agent)
        if taken != 2 and not agent.apply(statement(2)).ok:
            raise AgentError(f"{point}: there is space again, and the document is not applied")
        _converged(agent)
        took = time.monotonic() - began
    said = [item for item in to_tell(node) if isinstance(item, Applied) and item.version == 2]
    lost = not said or (not end.ok and len(said) < 2 and taken != 2)
    tally.tried += 1
    tally.torn += len(broken) + bool(unlike(node.tree(), AFTER))
    tally.lost += lost
    tally.slowest = max(tally.slowest, took)
    if broken or lost or took > RECOVERED:
        trial.say(f"{point}: {end}, {broken}, {took:.1f} s, {[one.outcome for one in said]}")
    shutil.rmtree(top)


def _apply_and_read(agent: AgentProcess) -> tuple[End, list[str]]:
    """Apply, and name what is torn when the agent was just told that there is no space."""
    ends: list[End] = []
    broken: list[str] = []
    applying = Thread(target=lambda: ends.append(agent.apply(statement(2))))
    applying.start()
    wait_for(lambda: ends or agent.stopped, "the apply to end or to find no space")
    if not ends:
        broken = torn(agent.node.tree(), (BEFORE, AFTER))
        agent.go_on()
    applying.join()
    return ends[0], broken


def _settled(agent: AgentProcess) -> int:
    return agent.settled().status.version or 0


def _converged(agent: AgentProcess) -> None:
    def converged() -> bool:
        status = agent.settled().status
        return status.state == "converged" and not status.trouble

    wait_for(converged, "the agent to recover", PATIENCE)


def _fill(trial: Trial, tally: Tally, outage: float) -> None:
    """Fill the disk of a node, and free it after so many seconds."""
    place = trial.directory / "small"
    place.mkdir()
    _must("/usr/bin/mount", "-t", "tmpfs", "-o", "size=1m,mode=0755", "none", str(place))
    try:
        node = HeldNode(place / "node", place / "node/var/lib/saltern")
        node.make(joined=True, blobs=False)
        with running(node) as agent:
            agent.settled()
            if not (end := agent.apply(statement(1, _small(1)))).ok:
                raise AgentError(f"the first version is not applied: {end}")
            _full_for(agent, place / "ballast", tally, outage)
    finally:
        _must("/usr/bin/umount", "--", str(place))


def _full_for(agent: AgentProcess, ballast: Path, tally: Tally, outage: float) -> None:
    node, file = agent.node, agent.node.root / FOLDERS[0] / "0"
    _exhaust(ballast)
    end = agent.apply(statement(2, _small(2)))
    file.chmod(0o600)
    wait_for(lambda: file.stat().st_mode & 0o777 == 0o644, "the damage to be set right")
    until = time.monotonic() + outage
    wait_for(lambda: time.monotonic() > until, "the disk to have been full for a while")
    broken = [name for name, held in _read(node).items() if held not in (_text(1), _text(2))]
    ballast.unlink()
    began = time.monotonic()
    if _settled(agent) != 2 and not agent.apply(statement(2, _small(2))).ok:
        broken.append("the document, which is not taken although there is space again")
    _converged(agent)
    took = time.monotonic() - began
    broken += [name for name, held in _read(node).items() if held != _text(2)]
    told = to_tell(node)
    drifts = [one for one in told if isinstance(one, DriftSeen) and one.resource == "r0"]
    ends = [one for one in told if isinstance(one, DriftEnded) and one.resource == "r0"]
    results = [one for one in told if isinstance(one, Applied)]
    tally.lost += (not drifts) + (not ends) + max(0, 2 + (not end.ok) - len(results))
    tally.torn += len(broken)
    tally.tried += 1
    tally.slowest = max(tally.slowest, took)


def _exhaust(ballast: Path) -> None:
    """Write until there is no byte left."""
    handle = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    for size in (65536, 4096, 1):
        with suppress(OSError):
            while True:
                os.write(handle, b"\0" * size)
    os.close(handle)


def _read(node: HeldNode) -> dict[str, str]:
    return {path.name: path.read_text() for path in (node.root / FOLDERS[0]).iterdir()}


def _small(version: int) -> dict[str, Spec]:
    return {
        f"r{number}": File(path=f"/{FOLDERS[0]}/{number}", text=_text(version))
        for number in range(4)
    }


def _text(version: int) -> str:
    return f"version {version}\n" * 500 * version


def _must(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=60)


FAULT = Fault(
    number=5,
    what="the agent's disk is full",
    short=5,
    full=FULL,
    run=run,
)
