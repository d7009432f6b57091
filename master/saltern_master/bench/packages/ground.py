"""The ground of the packages' bench: a fresh node of a release of Debian, a cluster of it alone.

Both packages are on the one node, so that nothing of the checkout runs there but the probes: the
agent joins the package's own master beside it. Trial.home is that master's, in the node.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from saltern_master.bench.packages.body import (
    CLUSTER,
    NODE,
    PROGRAM_BYTES,
    cluster_file,
    policy,
)
from saltern_master.lab import Lab, network
from saltern_master.lab.errors import LabError
from saltern_master.lab.fleet import wait_for
from saltern_master.lab.trial import Show, Trial

TARGETS: Final = {"bookworm": "deb12", "trixie": "deb13"}
"""Releases of Debian by the names of their suites, as the builder calls them."""
HOME: Final = "/var/lib/saltern-master"
INCOMING: Final = "/tmp/incoming"
PROGRAM: Final = "/var/tmp/program"  # what becomes a blob of the master's library
SALTERN: Final = ("/usr/sbin/runuser", "-u", "saltern", "--", "/usr/bin/saltern")
SETTLING: Final = 60.0  # seconds


@contextmanager
def fresh_node(suite: str, show: Show, keep: bool) -> Iterator[Trial]:
    """Give a bare node of a release of Debian; it is taken down at the end."""
    name = f"bench-{TARGETS[suite]}"
    Lab(name).down()
    free = network.free(network.links(), network.used_subnets(), first=os.getpid())
    lab = Lab(name, free, suite=suite)
    try:
        lab.up((NODE,), show)
        yield Trial(lab, NODE, Path(HOME), Path(f"{INCOMING}/cluster.yaml"), show)
    finally:
        if not keep:
            lab.down()


def hold(trial: Trial) -> None:
    """Make a cluster, have the agent join it and hold the node; wait until it is at rest."""
    trial.must(*SALTERN, "init", "--cluster", CLUSTER)
    _given(trial, policy(), "/usr/bin/tee", f"{HOME}/policy.yaml")
    trial.must(*SALTERN, "policy")
    trial.must("/usr/bin/systemctl", "start", "saltern-master")
    token = trial.must("/usr/bin/saltern", "node", "token", NODE, "--class", "worker")
    _given(trial, token, "/usr/bin/saltern-agent", "join", "-")
    address = str(trial.lab.machine(NODE).node.address)
    text = cluster_file(address, _program(trial))
    _given(trial, text, "/usr/bin/install", "-D", "/dev/stdin", str(trial.cluster))
    trial.must("/usr/bin/saltern", "apply", str(trial.cluster))
    wait_for("the node to be at rest", lambda: _rests(trial), SETTLING)


def _program(trial: Trial) -> str:
    """Put a large program into the master's library; give its SHA-256."""
    size = f"count={PROGRAM_BYTES >> 20}"
    trial.must("/usr/bin/dd", "if=/dev/urandom", f"of={PROGRAM}", "bs=1M", size, "status=none")
    (added,) = json.loads(trial.must(*SALTERN, "blobs", "add", PROGRAM, "--output", "json"))
    trial.must("/usr/bin/rm", "--", PROGRAM)
    return str(added["sha256"])


def _rests(trial: Trial) -> bool:
    return trial.run("/usr/bin/saltern-agent", "look").returncode == 0


def _given(trial: Trial, text: str, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a program in the node that has to succeed, with a text to read."""
    done = trial.lab.exec(trial.node, argv, input=text, timeout=SETTLING)
    if done.returncode:
        raise LabError(f"cannot run {' '.join(argv)} on {trial.node}: {done.stdout}{done.stderr}")
    return done
