"""Fault 7: the file system becomes read-only under the agent, as ext4 does when it finds an error.

The agent's journal and the node's files lie on it. An agent that is given a document, one at rest
and one that systemd starts over and over have to complain, and none may spin.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from saltern_agent.giving_up import REST
from saltern_master.bench.processes import cpu_seconds

from tests.faults.agent_process import AgentError, AgentProcess, running, wait_for
from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.cut_disk import device_of, new_disk
from tests.faults.held_node import HeldNode, statement

COMPLAINT = 60.0  # seconds
BUSY = 5.0  # percent of a core
WORDS = (
    "cannot write the journal",
    "cannot open the journal",
    "on its disk: ",
    "cannot work on this node",
)
SYSTEMD = 1.0  # RestartSec= of the unit
STARTS = 3
FULL = 3


def run(trial: Trial) -> Seen:
    """Try it with a document; in the full form at rest and at starts as well."""
    full = trial.rounds >= FULL
    waited, busy = [_given_a_document(trial, 20.0 if full else 3.0)], 0.0
    figures = []
    if full:
        waited.append(_at_rest(trial))
        busy = _starting(trial)
        figures.append(Figure("agent that is started over and over", busy, BUSY, "%"))
    return Seen(
        len(waited) + len(figures),
        (
            Figure("slowest complaint", max(one[0] for one in waited), COMPLAINT, "s"),
            Figure("busiest agent that runs", max(one[1] for one in waited), BUSY, "%"),
            Figure("documents taken", sum(one[2] for one in waited)),
            *figures,
        ),
        "ext4 with errors=remount-ro that was told of an error",
    )


def _given_a_document(trial: Trial, seconds: float) -> tuple[float, float, int]:
    with read_only_disk(trial.directory) as (node, turn), running(node) as agent:
        _under_way(agent)
        turn()
        began = time.monotonic()
        taken = agent.apply(statement(2)).ok
        return _complaint(agent, began), _busy(agent, seconds), int(taken)


def _at_rest(trial: Trial) -> tuple[float, float, int]:
    with read_only_disk(trial.directory) as (node, turn), running(node) as agent:
        _under_way(agent)
        turn()
        return _complaint(agent, time.monotonic()), _busy(agent, 20.0), 0


def _starting(trial: Trial) -> float:
    """Start it as systemd does, again and again; give percent of a core."""
    command = [sys.executable, "-m", "saltern_agent"]
    environment = dict(os.environ) | {"INVOCATION_ID": "0" * 32}
    before, began = os.times(), time.monotonic()
    with read_only_disk(trial.directory) as (node, turn):
        turn()
        for _ in range(STARTS):
            done = subprocess.run(
                [*command, *node.words, "run"],
                env=environment,
                capture_output=True,
                text=True,
                timeout=REST + COMPLAINT,
                check=False,
            )
            if not done.returncode or not any(word in done.stderr for word in WORDS):
                raise AgentError(f"it does not say what is wrong: {done.stderr}")
    after, wall = os.times(), time.monotonic() - began + STARTS * SYSTEMD
    spent = after.children_user - before.children_user
    spent += after.children_system - before.children_system
    return 100 * spent / wall


def _under_way(agent: AgentProcess) -> None:
    """Wait until all of it has opened the journal, and see that it has nothing to complain of."""

    def opened() -> bool:
        link = agent.settled().link
        return link is not None and link.why != "the journal is being read"

    wait_for(opened, "the link to have read the journal")
    if any(word in agent.said() for word in WORDS):
        raise AgentError(f"it complains before anything happened: {agent.said()}")


def _complaint(agent: AgentProcess, since: float) -> float:
    """Give how long it took until it complained, or ended."""
    wait_for(
        lambda: not agent.alive or any(word in agent.said() for word in WORDS),
        "a complaint of the agent's",
        2 * COMPLAINT,
    )
    return time.monotonic() - since


def _busy(agent: AgentProcess, seconds: float) -> float:
    """Give the percent of a core that an agent takes; one that ended takes none."""
    if not agent.alive:
        return 0.0
    before, began = cpu_seconds(agent.pid), time.monotonic()
    wait_for(lambda: time.monotonic() > began + seconds, "some CPU to be counted")
    return 100 * (cpu_seconds(agent.pid) - before) / (time.monotonic() - began)


@contextmanager
def read_only_disk(directory: Path) -> Iterator[tuple[HeldNode, Callable[[], None]]]:
    """Give a node at version 1 on a disk of its own, and what makes that read-only."""
    own = Path(tempfile.mkdtemp(dir=directory))
    place, image = own / "mounted", own / "disk"
    with new_disk(image, place, "errors=remount-ro"):
        node = HeldNode(place / "node", place / "node/var/lib/saltern")
        node.make(joined=True)
        with running(node) as agent:
            agent.settled()
            if not (end := agent.apply(statement(1))).ok:
                raise AgentError(f"the first version is not applied: {end}")
            agent.stop()
        trigger = Path("/sys/fs/ext4", device_of(place).name, "trigger_fs_error")
        yield node, lambda: _tell(trigger)


def _tell(trigger: Path) -> None:
    trigger.write_text("1")


FAULT = Fault(
    number=7,
    what="the file system becomes read-only under the agent",
    short=1,
    full=FULL,
    run=run,
    alone=True,
)
