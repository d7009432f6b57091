"""Copies of this checkout to build from: elsewhere, of another version, changed at will."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.house.tree import ROOT

WHAT = ("packaging", "protocol", "states", "agent", "master", "docs/tutorial")
FILES = ("CHANGELOG.md", "LICENSE", "pyproject.toml")
TOOLS = (".tools", ".venv")
EPOCH = "1700000000"


def copied(to: Path, source: Path = ROOT) -> Path:
    """Copy what packages are made from; the tools are this checkout's own."""
    for name in WHAT:
        shutil.copytree(
            source / name, to / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    for name in FILES:
        shutil.copyfile(source / name, to / name)
    for name in TOOLS:
        to.joinpath(name).symlink_to(ROOT / name)
    return to


def environment(checkout: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Give the environment in which a checkout's own modules are what is imported."""
    places = [checkout / name for name in ("packaging", "protocol", "states", "agent", "master")]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    path = os.pathsep.join(map(str, places))
    return {**kept, "PYTHONPATH": path, "SOURCE_DATE_EPOCH": EPOCH, **more}


def build(
    checkout: Path,
    package: str,
    into: Path,
    before: Sequence[str] = (),
    umask: int = 0o022,
    **more: str,
) -> Path:
    """Build one package of a checkout, such as agent:deb12, past every cache of packages.

    `before` is a command that runs what follows it, `more` what the environment has besides.
    """
    command = [*before, sys.executable, "-B", "-m", "saltern_build", "into", package, str(into)]
    done = subprocess.run(
        command,
        cwd=checkout,
        env=environment(checkout, more),
        umask=umask,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())
