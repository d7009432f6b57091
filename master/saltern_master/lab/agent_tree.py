"""The agent as one directory, to be copied to a node as /usr/lib/saltern-agent.

What packaging/locks/agent.txt names, checked by hash, as wheels for the nodes' Python and libc,
and this checkout's own protocol, states and agent; without bytecode and without the libraries'
own tests. The node needs nothing but its Python: `PYTHONPATH=DIR python3 -m saltern_agent`.

Cache: ~/.cache/saltern/lab/agent/KEY/, where KEY is a hash of the lock and of the sources.
"""

import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from saltern_master import cache
from saltern_master.commands import run
from saltern_master.lab.errors import LabError

PYTHON = "3.11"  # Debian 12's
LIBC = "manylinux_2_36"  # Debian 12's
DISTRIBUTIONS = ("protocol", "states", "agent")
_RECIPE = "1"
_KEPT = 8


@dataclass(frozen=True, slots=True)
class AgentTree:
    """The agent's directory, finished."""

    path: Path
    megabytes: float


def checkout() -> Path:
    """Find the checkout that this code runs from; LabError when it is installed otherwise."""
    root = Path(__file__).resolve().parents[3]
    if not (root / "packaging/locks/agent.txt").is_file():
        raise LabError(f"cannot build the agent: {root} is no checkout of Saltern's sources")
    return root


def build(source: Path, progress: Callable[[str], None]) -> AgentTree:
    """Give the agent of the checkout `source` as a directory; made when the cache lacks it."""
    folder = cache.root() / "lab" / "agent"
    made = folder / key(source)
    if not made.is_dir():
        with cache.locked(folder / "lock") as lock:
            if not made.is_dir():
                _make(source, made, lock)
                _prune(folder)
    tree = AgentTree(made, _megabytes(made))
    progress(f"the agent: {tree.megabytes:.0f} MB in {made}")
    return tree


def key(source: Path) -> str:
    """Hash all that the directory is made from."""
    digest = hashlib.sha256(f"{_RECIPE} {PYTHON} {LIBC} {platform.machine()}".encode())
    for path in (source / "packaging/locks/agent.txt", *_sources(source)):
        content = path.read_bytes()
        digest.update(f"\0{path.relative_to(source)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def _sources(source: Path) -> Iterator[Path]:
    for name in DISTRIBUTIONS:
        for path in sorted((source / name).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def _make(source: Path, made: Path, lock: int) -> None:
    part = made.with_name(f"{made.name}.part")  # a crash's leavings have this name too
    if part.exists():
        shutil.rmtree(part)
    uv = find_uv(source, os.environ.get("PATH", ""))
    install = [uv, "pip", "install", "--quiet", "--link-mode=copy", f"--target={part}"]
    wheels = [
        f"--python-version={PYTHON}",
        f"--python-platform={platform.machine()}-{LIBC}",
        "--only-binary=:all:",
        "--require-hashes",
        f"--requirement={source / 'packaging/locks/agent.txt'}",
    ]
    ours = ["--no-deps", "--no-build-isolation", f"--python={sys.executable}", "--"]
    folders = [str(source / name) for name in DISTRIBUTIONS]
    # The person's settings of package index and proxy; certificates as the system has them.
    environment = {"UV_SYSTEM_CERTS": "1", **os.environ}
    run([*install, *wheels], seconds=600, environment=environment, lock=lock)
    run([*install, *ours, *folders], seconds=300, environment=environment, lock=lock)
    _strip(part)
    part.rename(made)


def _prune(folder: Path) -> None:
    """Each edit of a source makes a new directory: keep the newest few."""
    trees = [path for path in folder.iterdir() if path.is_dir() and path.suffix != ".part"]
    for old in sorted(trees, key=lambda path: path.stat().st_mtime)[:-_KEPT]:
        shutil.rmtree(old)


def find_uv(source: Path, path: str) -> str:
    """Find uv in the checkout's own tools, else on `path`."""
    found = shutil.which("uv", path=f"{source / '.tools/bin'}:{path}")
    if found is None:
        raise LabError("cannot build the agent: no uv; packaging/tools/bootstrap puts it in .tools")
    return found


def _strip(tree: Path) -> None:
    """Remove what no node needs: bytecode, scripts with this machine's paths, libraries' tests."""
    for name in ("__pycache__", "tests"):
        for folder in [path for path in tree.rglob(name) if path.is_dir()]:
            shutil.rmtree(folder)
    shutil.rmtree(tree / "bin", ignore_errors=True)
    (tree / ".lock").unlink(missing_ok=True)


def _megabytes(tree: Path) -> float:
    return sum(path.lstat().st_size for path in tree.rglob("*") if path.is_file()) / 1e6
