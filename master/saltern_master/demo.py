"""The demo: three bare machines join a master and become a Kubernetes cluster, break, and heal.

Everything is done by the commands that a person would type; they are shown before they run.
The nodes are real ones (systemd, docker, kubelet) on this machine. They and the master stay up
at the end; the last lines say how to look around and how to take all of it away.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from saltern_master.errors import MasterError
from saltern_master.lab.agent_package import checkout
from saltern_master.lab.fleet import Fleet, wait_for
from saltern_master.lab.lab import Lab
from saltern_master.stage import Stage

NAME = "saltern-make-demo"
"""The demo's own lab and HOME: each run begins anew and touches nothing else."""

NODES = {"cp1": "10.9.0.11", "w1": "10.9.0.21", "w2": "10.9.0.22"}
CLASSES = {"cp1": "control-plane", "w1": "worker", "w2": "worker"}
HEALING = 60.0  # seconds that a repair may take before the demo calls it a failure
TUTORIAL = checkout() / "docs/tutorial"


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that a person, or a bug, does to a node."""

    title: str
    node: str
    command: tuple[str, ...]
    resource: str


DAMAGES = (
    Damage(
        "Somebody deletes the pod bridge of w2",
        "w2",
        ("ip", "link", "delete", "cbr0"),
        "network/cbr0",
    ),
    Damage(
        "Somebody removes w1's route to w2's pods",
        "w1",
        ("ip", "route", "delete", "{w2-pods}"),
        "network/pod-routes",
    ),
    Damage(
        "Somebody edits the kubelet's configuration on w1",
        "w1",
        ("sed", "-i", "s/maxPods: 60/maxPods: 6/", "/var/lib/kubelet/config.yaml"),
        "kubelet/config.yaml",
    ),
    Damage(
        "Somebody stops docker on w2",
        "w2",
        ("systemctl", "stop", "docker"),
        "docker/docker.service",
    ),
    Damage(
        "Somebody lets everybody on cp1 read the key that signs the cluster's tokens",
        "cp1",
        ("chmod", "0644", "/etc/kubernetes/pki/sa.key"),
        "pki/sa.key",
    ),
)


def main() -> None:
    """Run the demo; exit code 1 when anything is not as it says."""
    stage = Stage.open()
    if os.geteuid() != 0:
        stage.line("the demo boots nodes, which needs root: sudo make demo")
        sys.exit(1)
    home = Path(tempfile.gettempdir(), NAME)
    fleet = Fleet(Lab(NAME), NODES, home, TUTORIAL / "cluster.yaml", stage.line)
    try:
        play(stage, fleet)
    except MasterError as error:
        stage.line(f"the demo failed: {error}")
        sys.exit(1)


def play(stage: Stage, fleet: Fleet) -> None:
    """Play it from three bare machines to the last healing."""
    stage.title("1. Three bare Debian machines boot")
    fleet.stop_master()
    fleet.lab.down()
    fleet.up()
    run(stage, fleet, "w1", "ip", "-brief", "address")

    stage.title("2. A master gets keys, a policy, packages, binaries and images, and runs")
    fleet.stock()
    fleet.start_master()

    stage.title("3. An agent joins from each machine")
    fleet.install()
    for name in NODES:
        fleet.join(name, CLASSES[name])
    fleet.saltern("node", "list")

    stage.title("4. A cluster file is applied")
    began = stage.seconds
    fleet.apply()
    wait_for("three nodes to be Ready", lambda: ready(fleet) == 3, HEALING)
    wait_for("the control plane to be Ready", lambda: control_plane_ready(fleet), HEALING)
    stage.line(f"all is Ready {stage.seconds - began:.1f} s after the apply began")

    stage.title("5. It is a Kubernetes cluster")
    show_kubectl(stage, fleet, "get", "nodes", "--output", "wide")
    show_kubectl(stage, fleet, "get", "pods", "--all-namespaces", "--output", "wide")
    reach(stage, fleet)

    stage.title("6. Applied again, there is nothing to do")
    fleet.apply()

    for number, damage in enumerate(DAMAGES, 7):
        stage.title(f"{number}. {damage.title}")
        break_and_heal(stage, fleet, damage)

    stage.title("The cluster at the end")
    wait_for("three nodes to be Ready", lambda: ready(fleet) == 3, HEALING)
    show_kubectl(stage, fleet, "get", "nodes")
    fleet.saltern("status")
    farewell(stage, fleet)


def farewell(stage: Stage, fleet: Fleet) -> None:
    """Say how to go on from here."""
    stage.line(f"look around:  export SALTERN_HOME={fleet.home}; .venv/bin/saltern status")
    stage.line(f"              .venv/bin/saltern lab shell --lab {NAME} w1")
    stage.line(
        f"take it down: kill $(cat {fleet.home}/run/master.pid); "
        f".venv/bin/saltern lab down --lab {NAME}; rm -r {fleet.home}"
    )


def reach(stage: Stage, fleet: Fleet) -> None:
    """Have a pod on w1 reach a pod on w2 by its address, and by its Service's."""
    show_kubectl(stage, fleet, "apply", "--filename", str(TUTORIAL / "web.yaml"))
    address = wait_for("web's address", lambda: pod(fleet, "web").get("podIP"), HEALING)
    service = json.loads(kubectl(fleet, "get", "service", "web", "--output", "json"))
    for name, to, port in (
        ("by-address", address, "8080"),
        ("by-service", service["spec"]["clusterIP"], "80"),
    ):
        overrides = '{"spec": {"nodeName": "w1"}}'
        show_kubectl(
            stage, fleet, "run", name, "--image=saltern/ask:1", "--restart=Never",
            f"--overrides={overrides}", "--", to, port,
        )  # fmt: skip
        wait_for(f"{name} to end", partial(has_ended, fleet, name), HEALING)
        show_kubectl(stage, fleet, "logs", name)
        kubectl(fleet, "delete", "pod", name, "--wait=false")


def has_ended(fleet: Fleet, name: str) -> bool:
    """Tell whether a pod has succeeded; a failed one ends the demo."""
    phase = pod(fleet, name).get("phase")
    if phase == "Failed":
        raise MasterError(f"cannot go on: pod {name} failed: {fleet.kubectl('logs', name).stdout}")
    return phase == "Succeeded"


def break_and_heal(stage: Stage, fleet: Fleet, damage: Damage) -> None:
    """Do damage; wait until the master has been told that it is healed; show what it says."""
    before = {record["number"] for record in drift(fleet, damage.node)}
    known = {"{w2-pods}": str(node_view(fleet, "w2")["pods"])}
    command = tuple(known.get(word, word) for word in damage.command)
    run(stage, fleet, damage.node, *command)

    def told() -> dict[str, Any] | None:
        new = (one for one in drift(fleet, damage.node) if one["number"] not in before)
        ended = (one for one in new if one["healed"])
        return next((one for one in ended if one["resource"] == damage.resource), None)

    record = wait_for("the node to heal it, and the master to hear of it", told, HEALING)
    since = record["since"]
    stage.line(f"seen by   {record['seen']}: {damage.node} {record['resource']}")
    stage.line(f"recorded  {(record['recorded'] - since) * 1000:.1f} ms after it was noticed")
    stage.line(f"stored    {(record['stored'] - since) * 1000:.1f} ms after it, on the master")
    stage.line(f"healed    {(record['healed'] - since) * 1000:.1f} ms after it, by:")
    for line in record["found"]:
        stage.line(f"          {line}")


def drift(fleet: Fleet, node: str) -> list[dict[str, Any]]:
    """Ask the master what drifted on a node."""
    told = fleet.try_saltern(
        "drift", "history", "--node", node, "--most", "100", "--output", "json"
    )
    if told.returncode:
        raise MasterError(f"cannot ask for drift: {told.stderr.strip()}")
    return list(json.loads(told.stdout))


def node_view(fleet: Fleet, name: str) -> dict[str, Any]:
    """Ask the master for one node."""
    return fleet.ask("node", "show", name)


def pod(fleet: Fleet, name: str) -> dict[str, Any]:
    """Give a pod's status."""
    done = fleet.kubectl("get", "pod", name, "--output", "json")
    return dict(json.loads(done.stdout)["status"]) if done.returncode == 0 else {}


def ready(fleet: Fleet) -> int:
    """Count the nodes that Kubernetes calls Ready."""
    done = fleet.kubectl("get", "nodes", "--no-headers")
    return sum(row.split()[1] == "Ready" for row in done.stdout.splitlines())


def control_plane_ready(fleet: Fleet) -> bool:
    """Tell whether its four pods are Ready, and pods may be made in the default namespace."""
    pods = fleet.kubectl("get", "pods", "--namespace", "kube-system", "--no-headers").stdout
    account = fleet.kubectl("get", "serviceaccount", "default")
    well = [row.split()[1] == "1/1" for row in pods.splitlines()]
    return len(well) == 4 and all(well) and account.returncode == 0


def kubectl(fleet: Fleet, *arguments: str) -> str:
    """Run kubectl, which has to succeed."""
    done = fleet.kubectl(*arguments)
    if done.returncode:
        raise MasterError(f"cannot run kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def show_kubectl(stage: Stage, fleet: Fleet, *arguments: str) -> None:
    """Run kubectl and show what it says."""
    stage.line(f"$ kubectl {shlex.join(arguments)}")
    stage.line(kubectl(fleet, *arguments))


def run(stage: Stage, fleet: Fleet, node: str, *argv: str) -> None:
    """Run a command in a node and show what it says."""
    stage.line(f"{node}$ {shlex.join(argv)}")
    if said := fleet.node(node).must(*argv):
        stage.line(said)


if __name__ == "__main__":
    main()
