"""The agent of this checkout on a node of a lab: its package, installed as users do.

An agent that was there is upgraded: it starts anew, so that what runs is what lies there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from saltern_master.lab import agent_package
from saltern_master.lab.errors import LabError
from saltern_master.lab.lab import Lab

TREE: Final = "/usr/lib/saltern-agent"
INCOMING: Final = "/tmp/saltern-agent.deb"
DPKG: Final = ("/usr/bin/env", "DEBIAN_FRONTEND=noninteractive", "/usr/bin/dpkg", "--install", "--")


def install(lab: Lab, node: str, progress: Callable[[str], None]) -> None:
    """Put the agent on a node and leave it for the node to start; LabError."""
    install_all(lab, (node,), progress)


def install_all(lab: Lab, nodes: Sequence[str], progress: Callable[[str], None]) -> None:
    """Put the agent on nodes, made and told of once for each release of Debian; LabError."""
    for node in nodes:
        lab.machine(node)  # a name that is not there shall not cost a build
    source = agent_package.checkout()
    made: dict[str, Path] = {}
    for node in nodes:
        release = (lab.root(node) / "etc/os-release").read_text()
        target = agent_package.target_of(release, node)
        if target not in made:
            made[target] = agent_package.build(source, target, progress).path
        _put(lab, node, made[target])
        progress(f"{node} has the agent; there: saltern-agent join TOKEN")


def _put(lab: Lab, node: str, package: Path) -> None:
    lab.copy_in(node, package, INCOMING)
    _must(lab, node, *DPKG, INCOMING)
    _must(lab, node, "rm", "--", INCOMING)


def _must(lab: Lab, node: str, *argv: str) -> None:
    done = lab.exec(node, argv, timeout=300)
    if done.returncode:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise LabError(f"cannot install the agent on {node}: {argv[0]}: {said}")
