"""Wheels and sdists: others' by the hashes of a lock, our own out of the sources.

Cache: ~/.cache/saltern/packages/wheels/KEY/, where KEY is a hash of the lock and of the target:
what pip downloaded and checked, finished when the directory has its name. All else is made
without a network from there.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from saltern_master import cache
from saltern_master.commands import run

from saltern_build.targets import Target, platforms
from saltern_build.tools import Tools

_RECIPE: Final = "1"


def downloaded(lock: Path, target: Target, machine: str, tools: Tools) -> Path:
    """Give the directory with a lock's wheels for a target; downloads what the cache lacks."""
    folder = cache.root() / "packages" / "wheels"
    made = folder / _key(lock, target, machine)
    if not made.is_dir():
        with cache.locked(folder / "lock") as held:
            if not made.is_dir():
                _download(made, lock, platforms(target, machine), target.python, tools, held)
    return made


def built(
    source: Path, distributions: Sequence[str], kind: str, into: Path, tools: Tools
) -> tuple[Path, ...]:
    """Build our own distributions, `kind` being wheel or sdist; no network; CommandError."""
    made = []
    for name in distributions:
        folder = into / name
        command = [tools.uv, "build", "--quiet", "--offline", f"--{kind}", f"--out-dir={folder}"]
        how = ["--no-create-gitignore", "--no-build-isolation", f"--python={sys.executable}"]
        run([*command, *how, str(source / name)], seconds=120, environment=tools.environment)
        made += [path.replace(into / path.name) for path in sorted(folder.iterdir())]
        folder.rmdir()
    return tuple(made)


def _key(lock: Path, target: Target, machine: str) -> str:
    head = f"{_RECIPE} {target.python} {target.libc} {machine}\0".encode()
    return hashlib.sha256(head + lock.read_bytes()).hexdigest()[:16]


def _download(
    made: Path, lock: Path, tags: Sequence[str], python: str, tools: Tools, held: int
) -> None:
    part = made.with_name(f"{made.name}.part")  # a crash's leavings have this name too
    if part.exists():
        shutil.rmtree(part)
    command = [*tools.pip, "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    wanted = ["--require-hashes", f"--requirement={lock}", f"--dest={part}"]
    runs_on = [f"--python-version={python}", *(f"--platform={tag}" for tag in tags)]
    run([*command, *wanted, *runs_on], seconds=600, environment=tools.environment, lock=held)
    part.rename(made)
