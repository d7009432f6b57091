"""The agent of this checkout as the package that users install, for a lab's nodes.

What builds packages (packaging/saltern_build) is asked, in a process of its own: it reads agent
and master, which never meet. It keeps what it made in ~/.cache/saltern/packages, by a hash of all
that it is made from, so that a second node costs nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saltern_master.commands import CommandError, run
from saltern_master.lab.errors import LabError

TARGETS: Final = {"12": "deb12", "13": "deb13"}
"""What the builder calls a release of Debian, by its VERSION_ID (os-release(5))."""
SECONDS: Final = 1800.0  # a first build downloads its wheels


@dataclass(frozen=True, slots=True)
class AgentPackage:
    """A .deb, finished."""

    path: Path
    megabytes: float


def checkout() -> Path:
    """Find the checkout that this code runs from; LabError when it is installed otherwise."""
    root = Path(__file__).resolve().parents[3]
    if not (root / "packaging/locks/agent.txt").is_file():
        raise LabError(f"cannot build the agent: {root} is no checkout of Saltern's sources")
    return root


def build(
    source: Path, target: str, progress: Callable[[str], None], product: str = "agent"
) -> AgentPackage:
    """Give the agent's package of the checkout `source`, made when the cache lacks it; LabError.

    `product` "master": the master's, which the packages' bench installs beside it.
    """
    command = [sys.executable, "-P", "-m", "saltern_build", "one", f"{product}:{target}"]
    environment = {**os.environ, "PYTHONPATH": str(source / "packaging")}
    try:
        path = Path(run(command, seconds=SECONDS, environment=environment).strip())
    except CommandError as error:
        raise LabError(str(error)) from error
    made = AgentPackage(path, path.stat().st_size / 1e6)
    progress(f"the {product}: {made.megabytes:.0f} MB in {path}")
    return made


def target_of(os_release: str, node: str) -> str:
    """Name the target of a node by its /etc/os-release; LabError where there is none for it."""
    said = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    version = said.get("VERSION_ID", "").strip('"')
    if said.get("ID") != "debian" or version not in TARGETS:
        known = " and ".join(TARGETS)
        raise LabError(
            f"cannot install the agent on {node}: it is {said.get('ID')} {version}, "
            f"and packages are for Debian {known}"
        )
    return TARGETS[version]
