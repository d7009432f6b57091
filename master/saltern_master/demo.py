"""The demo: a bare Debian becomes what a signed document says; then it is broken, and heals.

Everything is done by the commands that a person would type; they are shown before they run.
The node is a real one (systemd, docker, kubelet) on this machine; nothing is left but the
cache when it is taken down as its last line says.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from saltern_master.errors import MasterError
from saltern_master.lab.agent_tree import checkout
from saltern_master.lab.lab import Lab
from saltern_master.lab.trial import INCOMING, Trial

NAME = "saltern-make-demo"
"""The demo's own lab and HOME: each run begins anew and touches nothing else."""

NODE = "w1"
ADDRESS = "10.9.0.21"
STATEMENT, BLOBS = f"{INCOMING}/{NODE}.statement", f"{INCOMING}/blobs"
HEALING = 60.0  # seconds that a repair may take before the demo calls it a failure
ASK = (
    "import urllib.request; "
    "print(urllib.request.urlopen('http://{}:8080', timeout=2).read().decode().strip())"
)


T = TypeVar("T")


class DemoError(MasterError):
    """The node did not become what it should."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that a person, or a bug, does to a node."""

    title: str
    command: tuple[str, ...]
    resource: str


DAMAGES = (
    Damage("somebody deletes the pod bridge", ("ip", "link", "delete", "cbr0"), "network/cbr0"),
    Damage(
        "somebody edits the kubelet's configuration",
        ("sed", "-i", "s/maxPods: 60/maxPods: 6/", "/var/lib/kubelet/config.yaml"),
        "kubelet/config.yaml",
    ),
    Damage(
        "another program flushes our chain",
        ("iptables", "-t", "nat", "-F", "SALTERN-POST"),
        "network/SALTERN-POST",
    ),
    Damage("somebody stops docker", ("systemctl", "stop", "docker"), "docker/docker.service"),
)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo is shown, with the time since its start."""

    began: float
    color: bool

    def title(self, text: str) -> None:
        """Begin a part."""
        bold, plain = ("\033[1m", "\033[0m") if self.color else ("", "")
        self._print(f"\n{bold}{text}{plain}")

    def line(self, text: str) -> None:
        """Show a line of what happens, with the seconds since the start."""
        for row in text.rstrip("\n").split("\n"):
            self._print(f"{time.monotonic() - self.began:7.1f}  {row}")

    def _print(self, text: str) -> None:
        print(text, flush=True)  # noqa: T201  # its purpose


def main() -> None:
    """Run the demo; exit code 1 when anything is not as it says."""
    stage = Stage(time.monotonic(), sys.stdout.isatty())
    if os.geteuid() != 0:
        stage.line("the demo boots a node, which needs root: sudo make demo")
        sys.exit(1)
    home = Path(tempfile.gettempdir(), NAME)
    lab = Lab(NAME)
    trial = Trial(lab, NODE, home, checkout() / "docs/tutorial/one-node.yaml", stage.line)
    try:
        play(stage, trial)
    except MasterError as error:
        stage.line(f"the demo failed: {error}")
        sys.exit(1)


def play(stage: Stage, trial: Trial) -> None:
    """Play it from the bare machine to the last healing."""
    stage.title("1. A bare Debian node boots on this machine")
    trial.lab.down()
    trial.lab.up((f"{NODE}={ADDRESS}",), stage.line)
    run(stage, trial, "dpkg-query", "-W", "docker.io", "kubelet")
    run(stage, trial, "ip", "-brief", "address")

    stage.title("2. The master compiles a cluster file and signs a document for the node")
    trial.stock()
    trial.install()
    trial.learn()
    trial.sign()

    stage.title("3. The node plans it: nothing is changed")
    trial.pin()
    run(stage, trial, "saltern-agent", "plan", STATEMENT, "--blobs", BLOBS)

    stage.title("4. The node becomes what the document says")
    apply(stage, trial)
    stage.line(f"{NODE}$ systemctl enable --now saltern-agent")
    trial.must("systemctl", "enable", "--now", "saltern-agent")
    run(stage, trial, "ip", "-brief", "address", "show", "cbr0")
    run(stage, trial, "iptables", "-t", "nat", "-S", "SALTERN-POST")
    run(stage, trial, "kubelet", "--version")
    wait_for_pod(stage, trial)

    stage.title("5. Applied again, there is nothing to do")
    apply(stage, trial)
    wait_for("the agent's first look", lambda: settled(trial))

    for number, damage in enumerate(DAMAGES, 6):
        stage.title(f"{number}. {damage.title[0].upper()}{damage.title[1:]}")
        break_and_heal(stage, trial, damage)

    stage.title("The node at the end")
    run(stage, trial, "saltern-agent", "status")
    stage.line(f"look around:  .venv/bin/saltern lab shell --lab {NAME} {NODE}")
    stage.line(f"take it down: .venv/bin/saltern lab down --lab {NAME}; rm -r {trial.home}")


def apply(stage: Stage, trial: Trial) -> None:
    """Apply what was signed, and show how it went."""
    argv = ("saltern-agent", "apply", STATEMENT, "--blobs", BLOBS)
    stage.line(f"{NODE}$ {shlex.join(argv)}")
    trial.stream(*argv)


def break_and_heal(stage: Stage, trial: Trial, damage: Damage) -> None:
    """Do damage; wait until the agent has told of it and set it right; show what it says."""
    before = {record["seq"] for record in trial.drift()}
    stage.line(f"{NODE}$ {shlex.join(damage.command)}")
    trial.must(*damage.command)

    def told() -> dict[str, object] | None:
        new = (one for one in trial.drift() if one["seq"] not in before and one["healed"])
        return next((one for one in new if one["resource"] == damage.resource), None)

    record = wait_for("the agent to heal it", told)
    since, recorded, healed = (float(str(record[name])) for name in ("since", "recorded", "healed"))
    found = record["found"]
    stage.line(f"seen by   {record['seen']}: {record['resource']}")
    stage.line(f"recorded  {(recorded - since) * 1000:.1f} ms after it was noticed")
    stage.line(f"healed    {(healed - since) * 1000:.1f} ms after it was noticed, by:")
    for line in found if isinstance(found, list) else ():
        stage.line(f"          {line}")
    wait_for_pod(stage, trial)


def wait_for_pod(stage: Stage, trial: Trial) -> None:
    """Wait until the static pod answers at its address on cbr0, and show what it says."""

    def answer() -> str:
        addresses = pod_addresses(trial)
        asked = (trial.run("python3", "-c", ASK.format(one)) for one in addresses)
        return next((one.stdout.strip() for one in asked if one.returncode == 0), "")

    stage.line("the pod answers: " + " ".join(wait_for("the pod", answer).split()))


def pod_addresses(trial: Trial) -> list[str]:
    """Ask docker for the addresses that it gave from cbr0."""
    listed = trial.run("docker", "network", "inspect", "bridge")
    if listed.returncode:
        return []
    containers = json.loads(listed.stdout)[0]["Containers"].values()
    return [one["IPv4Address"].partition("/")[0] for one in containers]


def settled(trial: Trial) -> bool:
    """Say whether the running agent has looked at everything and found it well."""
    status = trial.status().get("status")
    return isinstance(status, dict) and status["state"] == "converged" and status["looks"] > 0


def wait_for(what: str, ask: Callable[[], T | None]) -> T:
    """Ask until there is an answer; DemoError after HEALING seconds."""
    deadline = time.monotonic() + HEALING
    while time.monotonic() < deadline:
        if found := ask():
            return found
        time.sleep(0.05)
    raise DemoError(f"waited {HEALING:.0f} s in vain for {what}")


def run(stage: Stage, trial: Trial, *argv: str) -> None:
    """Run a command in the node and show what it says."""
    stage.line(f"{NODE}$ {shlex.join(argv)}")
    done = trial.run(*argv)
    stage.line(done.stdout or done.stderr)


if __name__ == "__main__":
    main()
