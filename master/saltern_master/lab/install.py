"""The agent of this checkout on a node of a lab, where its package will put it.

A directory of Python, a launcher and a unit file: that is all of it. An agent that runs already
is restarted, so that what runs is what lies there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from saltern_master.lab import agent_tree
from saltern_master.lab.errors import LabError
from saltern_master.lab.lab import Lab

TREE: Final = "/usr/lib/saltern-agent"
PROGRAM: Final = "/usr/bin/saltern-agent"
UNIT: Final = "/usr/lib/systemd/system/saltern-agent.service"

LAUNCHER: Final = f"""#!/bin/sh
PYTHONPATH={TREE} exec /usr/bin/python3 -m saltern_agent "$@"
"""


def install(lab: Lab, node: str, progress: Callable[[str], None]) -> None:
    """Put the agent on a node and leave it for the node to start; LabError."""
    install_all(lab, (node,), progress)


def install_all(lab: Lab, nodes: Sequence[str], progress: Callable[[str], None]) -> None:
    """Put the agent on nodes, made and told of once; LabError."""
    for node in nodes:
        lab.machine(node)  # a name that is not there shall not cost a build
    source = agent_tree.checkout()
    tree = agent_tree.build(source, progress)
    for node in nodes:
        _put(lab, node, tree.path, source / "packaging/systemd/saltern-agent.service")
        progress(f"{node} has the agent; there: saltern-agent join TOKEN")


def _put(lab: Lab, node: str, tree: Path, unit: Path) -> None:
    _must(lab, node, "rm", "-rf", "--", TREE)  # what a newer agent has no more
    lab.copy_in(node, tree, TREE)
    _must(lab, node, "install", "-D", "--mode=755", "--", "/dev/stdin", PROGRAM, given=LAUNCHER)
    lab.copy_in(node, unit, UNIT)
    _must(lab, node, "systemctl", "daemon-reload")
    _must(lab, node, "systemctl", "try-restart", "saltern-agent")


def _must(lab: Lab, node: str, *argv: str, given: str | None = None) -> None:
    done = lab.exec(node, argv, input=given, timeout=120)
    if done.returncode:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise LabError(f"cannot install the agent on {node}: {argv[0]}: {said}")
