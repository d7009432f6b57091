"""A running cluster under test, and what the tests ask of it again and again."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from saltern_master.lab.fleet import Fleet, wait_for

from tests.lab.snapshot import Snapshot, snapshot

T = TypeVar("T")
Json = dict[str, Any]
SECONDS = 120.0
NAMES = ("cp1", "w1", "w2")
NO_PROGRAM = 127  # as a shell tells it
SHARED = ("sysctl fs.", "sysctl vm.")
UNITS = ("docker", "kubelet", "kube-proxy")


@dataclass(frozen=True, slots=True)
class Turn:
    """What an apply, or a removal, came to: the command's own end and its last event."""

    status: int  # the exit status
    events: tuple[Json, ...]
    told: str  # standard error

    @property
    def nodes(self) -> dict[str, Json]:
        """How each node ended."""
        assert self.events, self.told
        return {one["node"]: one for one in self.events[-1]["turn"]["nodes"]}

    @property
    def changes(self) -> dict[str, int]:
        """How much was changed on each node."""
        return {name: one["changes"] for name, one in self.nodes.items()}

    @property
    def results(self) -> dict[str, str]:
        """The word for how each node ended."""
        return {name: one["result"] for name, one in self.nodes.items()}


@dataclass(frozen=True, slots=True)
class Cluster:
    """Three nodes, their master, the API server that came of them; w2 as it was when bare."""

    fleet: Fleet
    bare: Snapshot

    def settle(self) -> None:
        """Wait until every node is connected, as declared, and Ready."""
        wait_for("all nodes to be as declared", self.is_well, SECONDS)
        wait_for("all nodes to be Ready", lambda: len(self.ready()) == len(NAMES), SECONDS)
        wait_for("kube-proxy to have its rules", self.is_proxied, SECONDS)

    def is_proxied(self) -> bool:
        """Tell whether kube-proxy has written its chains everywhere: a node is Ready before."""
        return all("KUBE-FORWARD" in self.say(name, "iptables-save") for name in NAMES)

    def is_well(self) -> bool:
        """Tell whether the master has all nodes, and nothing to wish for."""
        done = self.fleet.try_saltern("status", "--output", "json")
        if done.returncode or not done.stdout:
            return False
        found = self._joined(json.loads(done.stdout))
        return set(found) == set(NAMES) and all(map(is_settled, found.values()))

    def status(self) -> dict[str, Json]:
        """Give what the master says of each node that has joined."""
        done = self.fleet.try_saltern("status", "--output", "json")
        assert done.stdout, done.stderr
        return self._joined(json.loads(done.stdout))

    def _joined(self, status: Json) -> dict[str, Json]:
        return {one["name"]: one for one in status["nodes"] if one["state"] == "joined"}

    def ready(self) -> list[str]:
        """Name the nodes that Kubernetes calls Ready, and keeps pods from no more."""
        found = (one for one in self.objects("nodes") if is_ready(one) and not is_shunned(one))
        return [str(node["metadata"]["name"]) for node in found]

    def objects(self, *what: str) -> list[Json]:
        """List objects; none while the API server does not answer."""
        done = self.fleet.kubectl("get", *what, "--output", "json")
        return list(json.loads(done.stdout)["items"]) if done.returncode == 0 else []

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl, which has to succeed."""
        done = self.fleet.kubectl(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def drift(self, node: str = "") -> list[Json]:
        """Give all drift that the master stores, newest first."""
        asked = ("drift", "history", *(("--node", node) if node else ()))
        done = self.fleet.try_saltern(*asked, "--most", "10000", "--output", "json")
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout))

    def apply(self, *options: str, file: Path | None = None) -> Turn:
        """Apply the cluster file, or another one."""
        return self.turn("apply", str(file or self.fleet.cluster), *options)

    def turn(self, *command: str) -> Turn:
        """Run a command that begins a turn, to its end."""
        done = self.fleet.try_saltern(*command, "--output", "json")
        events = tuple(json.loads(line) for line in done.stdout.splitlines())
        return Turn(done.returncode, events, done.stderr)

    def edited(self, old: str, new: str) -> Path:
        """Give a cluster file that differs from the applied one in this."""
        text = self.fleet.cluster.read_text()
        assert text.count(old) == 1, (old, text)
        path = self.fleet.cluster.with_name("edited.yaml")
        path.write_text(text.replace(old, new))
        return path

    def with_file(self, file: Path) -> Cluster:
        """Give the same with another cluster file."""
        return replace(self, fleet=replace(self.fleet, cluster=file))

    def say(self, node: str, *argv: str) -> str:
        """Run a program in a node that has to succeed; gives what it printed."""
        return self.fleet.node(node).must(*argv, timeout=60)

    def run(self, node: str, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a program in a node."""
        return self.fleet.node(node).run(*argv, timeout=60)

    def snapshot(self, node: str) -> Snapshot:
        """Read a node beside Saltern.

        Left out is what of the kernel all labs of a machine share, and dead containers, which
        the kubelet sweeps when it likes.
        """
        seen = snapshot(self.fleet.lab.machine(node))
        return {name: what for name, what in seen.items() if not is_left_out(name, what)}

    def invocations(self, node: str, units: Sequence[str] = UNITS) -> dict[str, str]:
        """Give which run of each service this is: another one has another InvocationID."""
        asked = ("--property=InvocationID", "--value")
        return {unit: self.say(node, "systemctl", "show", *asked, unit).strip() for unit in units}

    def containers(self, node: str) -> set[str]:
        """Give the containers that run on a node; none where docker is none."""
        done = self.run(node, "docker", "ps", "--quiet", "--no-trunc")
        assert done.returncode in (0, NO_PROGRAM), done.stderr
        return set(done.stdout.split())

    def wait(self, what: str, ask: Callable[[], T | None], seconds: float = SECONDS) -> T:
        """Ask until there is an answer."""
        return wait_for(what, ask, seconds)


def now() -> float:
    """Give the wall clock, which nodes of a lab share: seconds since 1970."""
    return datetime.now(UTC).timestamp()


def is_left_out(name: str, what: str) -> bool:
    """Tell whether something that a node's reader saw says nothing about the node."""
    dead = name.startswith("container ") and not what.endswith(" running")
    return dead or name.startswith(SHARED)


def is_settled(node: Json) -> bool:
    """Tell whether a node's line of the status wants for nothing."""
    well = node["connected"] and node["health"] == "converged" and not node["drift"]
    return bool(well and node["version"] == node["wanted"])


def is_ready(thing: Json) -> bool:
    """Tell whether a Node, or a Pod, has the condition Ready."""
    found = thing["status"].get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in found)


def is_shunned(node: Json) -> bool:
    """Tell whether a Node bears a taint of Kubernetes' own, as one that was not ready just now."""
    taints = node["spec"].get("taints", ())
    return any(one["key"].startswith("node.kubernetes.io/") for one in taints)
