"""Fault 3: the power is cut while the agent applies.

One agent applies one version after the other; strace stops it behind calls that the seed draws, and
what its disks hold then is copied. One more cut comes when an apply was said to be converged. Each
copy is mounted, read, and given to a new agent. The node's files have a disk of their own: on one
disk, ext4 would write what was never synced whenever the journal syncs itself.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
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
class Disks:
    """The images of a node's files and of its agent's state, and where they are mounted."""

    files: Path
    state: Path
    places: Path

    @property
    def node(self) -> HeldNode:
        """The node that lies on them."""
        return HeldNode(self.places / "files/node", self.places / "state/node")

    @contextmanager
    def new(self) -> Iterator[HeldNode]:
        """Make both and have them mounted."""
        with (
            new_disk(self.files, self.places / "files"),
            new_disk(self.state, self.places / "state"),
        ):
            yield self.node

    @contextmanager
    def mounted(self) -> Iterator[HeldNode]:
        """Have both mounted."""
        with (
            mounted(self.files, self.places / "files"),
            mounted(self.state, self.places / "state"),
        ):
            yield self.node

    def settle(self) -> None:
        """Have on them what the test itself wrote."""
        for place in ("files", "state"):
            settle(self.places / place)

    def cut(self, copies: Path) -> Disks:
        """Copy what both hold now, while nobody writes."""
        copies.mkdir()
        (copies / "mounted").mkdir()
        cut(self.files, self.places / "files", copies / "files")
        cut(self.state, self.places / "state", copies / "state")
        return Disks(copies / "files", copies / "state", copies / "mounted")


@dataclass(frozen=True, slots=True)
class Copy:
    """What a power cut left, and what the agent was at."""

    disks: Disks
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
    own = trial.directory
    disks = Disks(own / "files", own / "state", own / "mounted")
    disks.places.mkdir()
    with disks.new() as node:
        node.make()
        disks.settle()
        with running(node) as agent:
            agent.settled()
            _must_apply(agent, 1)
            version = 1
            while tally.tried < trial.rounds:
                version += 1
                left = trial.rounds - tally.tried
                for copy in _cut_through(agent, disks, version, chance, left):
                    _judge(copy, tally)
                    shutil.rmtree(copy.disks.places.parent)
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
    agent: AgentProcess, disks: Disks, version: int, chance: random.Random, most: int
) -> list[Copy]:
    """Apply a version, and give what cuts on the way left."""
    # Few cuts are to be spread over one apply, which makes some 340 such calls.
    step = max(STEP, 420 // max(most, 1))
    wishes = (f"{name}:signal=STOP:when={chance.randint(1, step)}+{step}" for name in CUT)
    ends: list[End] = []
    applying = Thread(target=lambda: ends.append(agent.apply(statement(version))))
    copies: list[Copy] = []

    def cut_now(told: int) -> None:
        copy = disks.cut(disks.files.with_name(f"copy-{len(copies)}"))
        copies.append(Copy(copy, version, told))

    with traced(agent, *wishes):
        applying.start()
        while wait_for(lambda: ends or agent.stopped, "the apply to end or to be cut"):
            if ends:
                break
            cut_now(version - 1)
            agent.go_on()
        applying.join()
        cut_now(version)
    if not ends[0].ok:
        raise AgentError(f"version {version} is not applied: {ends[0]}")
    return copies


def _judge(copy: Copy, tally: Tally) -> None:
    before, after = wanted(copy.version - 1), wanted(copy.version)
    with copy.disks.mounted() as node:
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
    short=8,
    full=200,
    run=run,
)
