"""What an administrator does with the packages, from the first install to the last purge.

Both are on one node: the master that the agent joins is the package's own, in its own unit. At
each step it is written down what is seen; the tests say what it should have been.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.packages.machine import INCOMING, Administered, Tree, Unit

AGENT, JOIN, MASTER = (f"saltern-{name}.service" for name in ("agent", "agent-join", "master"))
HELD: Final = "site-clock.service"
UNITS: Final = (AGENT, JOIN, MASTER, HELD)
HOME: Final = "/var/lib/saltern-master"
WORD: Final = "/etc/site/word"
POLICY: Final = (
    ("    paths:\n", "/etc/site"),
    ("    paths:\n", f"/etc/systemd/system/{HELD}"),
    ("    paths:\n", f"/etc/systemd/system/{HELD}.d"),
    ("    units:\n", HELD),
)
CLUSTER: Final = """\
apiVersion: saltern/v1
cluster: {{name: demo}}
kubernetes: {{version: 1.20.2}}
network: {{pods: 10.10.0.0/16}}
nodes:
- {{name: w1, address: {address}, roles: [bare]}}
groups:
- match: role=bare
  resources:
  - {{id: site/dir, spec: {{kind: directory/1, path: /etc/site}}}}
  - {{id: site/word, after: [site/dir], spec: {{kind: file/1, path: {word}, text: "held\\n"}}}}
  - id: site/unit
    spec:
      kind: file/1
      path: /etc/systemd/system/{held}
      text: |
        [Service]
        ExecStart=/bin/sleep infinity
        [Install]
        WantedBy=multi-user.target
  - id: site/clock
    after: [site/unit, site/word]
    spec: {{kind: unit/1, unit: {held}, files: [{{path: {word}, sha256: ""}}]}}
"""
DECLARED: Final = frozenset(
    (
        "/etc/site",
        WORD,
        f"/etc/systemd/system/{HELD}",
        f"/etc/systemd/system/{HELD}.d",
        f"/etc/systemd/system/{HELD}.d/50-saltern-started.conf",
        f"/etc/systemd/system/multi-user.target.wants/{HELD}",
    )
)
"""All that the cluster file makes on the node."""


@dataclass(frozen=True)
class Step:
    """What was seen when a step was done."""

    units: Mapping[str, Unit]
    system: str  # as `systemctl is-system-running` says
    said: str = ""  # by the command


@dataclass(frozen=True)
class Life:
    """All steps, by name, and the node's file system between them."""

    node: Administered
    steps: Mapping[str, Step]
    trees: Mapping[str, Tree]
    journal: str  # of the agent, before it was removed
    security: str  # of the master while it ran
    in_run: bool  # whether /run/saltern was there after the purge
    core: Mapping[str, str]  # its /proc/PID/status, and that of its front
    front: Mapping[str, str]


def lived(node: Administered, agent: Path, master: Path) -> Life:
    """Do it all."""
    steps: dict[str, Step] = {}
    trees = {"bare": node.tree()}

    def done(name: str, said: str = "") -> None:
        units = {one: node.unit(one) for one in UNITS}
        system = node.machine.exec(["systemctl", "is-system-running"]).stdout.strip()
        steps[name] = Step(units, system, said)

    node.install(master)
    done("master installed")
    make_cluster(node)
    node.must("systemctl", "start", MASTER)
    done("master started")
    core = node.unit(MASTER).pid
    (front,) = node.must("cat", f"/proc/{core}/task/{core}/children").split()
    processes = [process(node, one) for one in (str(core), front)]
    node.install(agent)
    done("agent installed")
    done("joined", join(node))
    converge(node)
    done("converged")
    node.install(agent, master)
    node.waited("the agent to look", lambda: state_of(node, "converged"))
    done("upgraded")
    journal = node.journal(AGENT)
    security = node.must("systemd-analyze", "security", "--no-pager", MASTER)
    node.remove("saltern-agent")
    done("removed")
    trees["removed"] = node.tree()
    node.install(agent)
    node.waited("the agent to look", lambda: state_of(node, "converged"))
    done("installed again")
    done("purged", node.purge("saltern-agent"))
    in_run = node.machine.exec(["test", "-e", "/run/saltern"]).returncode == 0
    trees["purged"] = node.tree()
    done("master purged", node.purge("saltern-master"))
    trees["master purged"] = node.tree()
    return Life(node, steps, trees, journal, security, in_run, *processes)


def process(node: Administered, number: str) -> Mapping[str, str]:
    """Read what the kernel says of a process."""
    told = node.must("cat", f"/proc/{number}/status").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in told)}


def make_cluster(node: Administered) -> None:
    """Make a cluster whose policy lets the agent touch what the cluster file has."""
    node.master("init", "--cluster", "demo")
    policy = node.must("cat", f"{HOME}/policy.yaml")
    for head, one in POLICY:
        policy = policy.replace(head, f'{head}    - "{one}"\n')
    node.must("tee", f"{HOME}/policy.yaml", given=policy)
    node.master("policy")


def join(node: Administered) -> str:
    """Join the master that runs on this very node, by a token."""
    token = node.must("saltern", "node", "token", "w1", "--class", "worker")
    return node.must("saltern-agent", "join", "-", given=token)


def converge(node: Administered) -> None:
    """Apply the cluster file."""
    text = CLUSTER.format(address=node.machine.node.address, held=HELD, word=WORD)
    node.must("mkdir", "-p", INCOMING)
    node.must("tee", f"{INCOMING}/cluster.yaml", given=text)
    node.must("saltern", "apply", f"{INCOMING}/cluster.yaml")


def state_of(node: Administered, wanted: str) -> bool | None:
    """Tell whether the running agent calls its node so; None: not yet."""
    found = node.status("saltern-agent")
    if isinstance(found, dict) and found["status"]["state"] == wanted:
        return True
    return None
