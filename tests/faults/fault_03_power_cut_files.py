"""Fault 3: the power is cut while the agent applies.

One agent applies one version after the other; strace stops it behind calls that the seed draws, and
what its disk holds then is copied. One more cut comes when an apply was said to be converged. Each
copy is mounted, read, and given to a new agent.
"""

from __future__ import annotations

import os
import random
import signal
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from saltern_agent.events import End

from tests.faults.agent_process import AgentError, AgentProcess, running, traced, wait_for
from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.cut_disk import HOW, cut, mounted, new_disk, settle
from tests.faults.held_node import (
    HeldNode,
    Tree,
    statement,
    torn,
    unlike,
    wanted,
    without_temporaries,
)

CUT: tuple[str, ...] = (
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "rename",
    "renameat2",
    "unlinkat",
    "unlink",
)
CUT += ("mkdir", "mkdirat", "fchmod", "chmod", "rmdir")
STEP = 19  # one call in so many of each name is followed by a cut


@dataclass(frozen=True, slots=True)
class Copy:
    """What a power cut left, and what the agent was at."""

    image: Path
    version: int  # that was being applied
    told: int  # that the agent had said to be converged


@dataclass(slots=True)
class Tally:
    """What was seen so far."""

    tried: int = 0
    torn: int = 0
    lower: int = 0
    lost: int = 0
    not_converged: int = 0
    said: list[str] = field(default_factory=list)


def run(trial: Trial) -> Seen:
    """Cut, as often as is asked for."""
    chance, tally = random.Random(trial.seed), Tally()
    image, place = trial.directory / "disk", trial.directory / "mounted"
    with new_disk(image, place):
        node = HeldNode(place / "node", place / "node/var/lib/saltern")
        node.make()
        settle(place)  # what the test itself wrote
        with running(node) as agent:
            agent.settled()
            _must_apply(agent, 1)
            version = 1
            while tally.tried < trial.rounds:
                version += 1
                left = trial.rounds - tally.tried
                for copy in _cut_through(agent, image, version, chance, left):
                    _judge(copy, trial, tally)
                    copy.image.unlink()
    for text in tally.said:
        trial.say(text)
    figures = (
        Figure("torn files", tally.torn),
        Figure("version on disk lower than what was applied", tally.lower),
        Figure("told to be converged and not on disk", tally.lost),
        Figure("not converged by the next agent", tally.not_converged),
    )
    return Seen(tally.tried, figures, HOW)


def _must_apply(agent: AgentProcess, version: int) -> None:
    if not (end := agent.apply(statement(version))).ok:
        raise AgentError(f"version {version} is not applied: {end}")


def _cut_through(
    agent: AgentProcess, image: Path, version: int, chance: random.Random, most: int
) -> list[Copy]:
    """Apply a version, and give what cuts on the way left."""
    # Few cuts are to be spread over one apply, which makes some 340 such calls.
    step = max(STEP, 420 // max(most, 1))
    wishes = (f"{name}:signal=STOP:when={chance.randint(1, step)}+{step}" for name in CUT)
    ends: list[End] = []
    applying = Thread(target=lambda: ends.append(agent.apply(statement(version))))
    copies: list[Copy] = []

    def cut_now(told: int) -> None:
        copy = image.with_name(f"copy-{len(copies)}")
        cut(image, agent.node.root.parent, copy)
        copies.append(Copy(copy, version, told))

    with traced(agent, *wishes):
        applying.start()
        while wait_for(lambda: ends or _is_stopped(agent), "the apply to end or to be cut"):
            if ends:
                break
            cut_now(version - 1)
            os.kill(agent.pid, signal.SIGCONT)  # at its return nobody is stopped by the last one
        applying.join()
        cut_now(version)
    if not ends[0].ok:
        raise AgentError(f"version {version} is not applied: {ends[0]}")
    return copies


def _is_stopped(agent: AgentProcess) -> bool:
    """Say whether the whole process is stopped: its poll loop too, which nobody traces."""
    stat = Path(f"/proc/{agent.pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"


def _judge(copy: Copy, trial: Trial, tally: Tally) -> None:
    place = trial.directory / "after"
    before, after = wanted(copy.version - 1), wanted(copy.version)
    with mounted(copy.image, place):
        node = HeldNode(place / "node", place / "node/var/lib/saltern")
        found = node.tree()
        broken = torn(found, (before, after))
        version = node.recorded()[0]
        lower = version < copy.told or (version < copy.version and _has_any(found, before, after))
        lost = copy.told == copy.version and unlike(without_temporaries(found), after)
        with running(node) as agent:
            status = agent.settled().status
            left = unlike(node.tree(), wanted(version))
    off = left or status.state != "converged" or status.version != version
    tally.tried += 1
    tally.torn += len(broken)
    tally.lower += lower
    tally.lost += bool(lost)
    tally.not_converged += bool(off)
    if broken or lower or lost or off:
        tally.said.append(f"{copy}: version {version}, {status.state}: {broken} {lost} {left}")


def _has_any(found: Tree, before: Tree, after: Tree) -> bool:
    """Say whether something is there that only the new version declares."""
    return any(
        path in after and held == after[path] and held != before.get(path)
        for path, held in found.items()
    )


FAULT = Fault(
    number=3,
    what="power cut while the agent applies",
    short=12,
    full=200,
    run=run,
)
