"""Two nodes with agents from packages, and a master from its package, on the first of them.

They hold a file, and a unit that is never to be restarted for what becomes of an agent.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from tests.packages.life import CLUSTER, HELD, HOME, MASTER, WORD, make_cluster
from tests.packages.machine import INCOMING, Administered

Json = dict[str, Any]
NAMES: Final = ("w1", "w2")
NODE: Final = "- {{name: {name}, address: {address}, roles: [bare]}}\n"
QUICK: Final = ("--canary", "1", "--waves", "50%,100%", "--soak", "2s", "--hold", "2s")
"""Waves of one, of two nodes."""


@dataclass(frozen=True)
class Rolled:
    """The nodes, by name."""

    nodes: Mapping[str, Administered]

    @property
    def first(self) -> Administered:
        """The one that has the master."""
        return self.nodes["w1"]

    def saltern(self, *words: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command beside the master."""
        return self.first.machine.exec(["saltern", *words], timeout=seconds)

    def file(self, word: str, agent: str = "") -> str:
        """Write a cluster file; gives where it lies."""
        text = CLUSTER.format(address="0.0.0.0", held=HELD, word=WORD).replace("held\\n", word)
        (line,) = re.findall(r"(?m)^- \{name: w1.*\n", text)
        nodes = (
            NODE.format(name=name, address=node.machine.node.address)
            for name, node in self.nodes.items()
        )
        text = text.replace(line, "".join(nodes))
        text += f"agent: {agent}\n" if agent else ""
        self.first.must("mkdir", "-p", INCOMING)
        self.first.must("tee", f"{INCOMING}/cluster.yaml", given=text)
        return f"{INCOMING}/cluster.yaml"

    def apply(self, word: str, agent: str = "") -> tuple[int, dict[str, Json]]:
        """Apply a cluster file; gives the exit status, and how each node ended."""
        done = self.saltern("apply", self.file(word, agent), "--output", "json")
        assert done.stdout, done.stderr
        turn = json.loads(done.stdout.splitlines()[-1])["turn"]
        return done.returncode, {one["node"]: one for one in turn["nodes"]}

    def status(self) -> dict[str, Json]:
        """Give what the master says of each node."""
        told = json.loads(self.saltern("status", "--output", "json").stdout)
        return {one["name"]: one for one in told["nodes"]}

    def releases(self) -> dict[str, str]:
        """Give the release that each node tells."""
        return {name: one["release"] for name, one in self.status().items()}

    def installed(self) -> dict[str, str]:
        """Give the version that dpkg calls installed on each node, without Debian's revision."""
        form = "--showformat=${db:Status-Status} ${Version}"
        said = {
            name: node.must("dpkg-query", form, "-W", "saltern-agent").split(" ")
            for name, node in self.nodes.items()
        }
        assert all(one[0] == "installed" for one in said.values()), said
        return {name: one[1].partition("-")[0] for name, one in said.items()}

    def wait_well(self, seconds: float = 90) -> None:
        """Wait until all are connected and as declared."""
        deadline = time.monotonic() + seconds
        while ill := self._ill():
            assert time.monotonic() < deadline, f"waited in vain for all to be well: {ill}"
            time.sleep(0.5)

    def _ill(self) -> list[Json]:
        found = self.status()
        return [{"lacking": name} for name in self.nodes if name not in found] + [
            one
            for one in found.values()
            if not one["connected"]
            or one["health"] != "converged"
            or one["drift"]
            or one["version"] != one["wanted"]
        ]

    def is_as_declared(self) -> None:
        """See that every node plans no change of what was applied last."""
        done = self.saltern("plan", "--output", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        told = json.loads(done.stdout)["nodes"]
        assert {(one["node"], one["result"]) for one in told} == {
            (name, "planned") for name in self.nodes
        }

    def runs(self, unit: str) -> dict[str, str]:
        """Give which run of a unit this is, on each node."""
        shown = ("systemctl", "show", "--property=InvocationID", "--value", "--", unit)
        return {name: node.must(*shown).strip() for name, node in self.nodes.items()}

    def held(self) -> object:
        """Give all that must not be restarted: what is held, and the master."""
        return self.runs(HELD), self.first.unit(MASTER).pid

    def drift(self, name: str) -> list[Json]:
        """Give the drift of a node that the master stores."""
        asked = ("drift", "history", "--node", name, "--most", "1000", "--output", "json")
        return list(json.loads(self.saltern(*asked).stdout))

    def set_right(self, name: str, wanted: str) -> None:
        """Edit what a node holds; it is told to the master, and put back by the agent."""
        node, known = self.nodes[name], {one["number"] for one in self.drift(name)}
        node.must("tee", WORD, given="edited\n")
        node.waited("the edit to be set right", lambda: node.must("cat", WORD) == wanted or None)
        found = node.waited(
            "the drift to be told",
            lambda: [one for one in self.drift(name) if one["number"] not in known] or None,
        )
        assert "site/word" in {one["resource"] for one in found}
        node.waited(
            "its end to be told",
            lambda: all(one["healed"] for one in self.drift(name)) or None,
        )


def begun(nodes: Mapping[str, Administered], packages: Mapping[str, Iterable[Path]]) -> Rolled:
    """Install packages on each node, make a cluster and join all of them."""
    for name, node in nodes.items():
        node.install(*packages[name])
    made = Rolled(nodes)
    make_cluster(made.first)
    made.first.must("systemctl", "start", MASTER)
    for name, node in nodes.items():
        token = made.first.must("saltern", "node", "token", name, "--class", "worker")
        node.must("saltern-agent", "join", "-", given=token)
    return made


def offer(rolled: Rolled, *releases: Path) -> None:
    """Add releases to the library, and name them in policy."""
    node = rolled.first
    paths = node.bring(*releases)
    node.must("chmod", "-R", "a+rX", INCOMING)
    node.master("releases", "add", *paths)
    named = "".join(f"\n    - {sha256(file.read_bytes()).hexdigest()}" for file in releases)
    text = node.must("cat", f"{HOME}/policy.yaml").replace("    releases: []\n", "")
    text = text.replace("    paths:\n", f"    releases:{named}\n    paths:\n")
    node.must("tee", f"{HOME}/policy.yaml", given=text)
    node.master("policy")
