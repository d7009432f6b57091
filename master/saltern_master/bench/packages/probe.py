"""The probe of the packages' bench: runs in the node, beside packages that dpkg knows.

`python3 -m saltern_master.bench.packages.probe install FILE | weigh PACKAGE | starts N | master`,
where only the files that it needs have been carried to: one JSON object. It uses nothing of what
is measured, and of the bench's other probe how a first look is known.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from saltern_master.bench.probe import HASHES, UNIT, first_look, pss, wall

DPKG = "/usr/bin/dpkg"
SYSTEMCTL = "/usr/bin/systemctl"
MASTER = "saltern-master.service"
SECONDS = 300.0  # that one program may take
BLOCK = 512  # bytes: what st_blocks counts (stat(2))
EXECUTED = "ExecMainStartTimestampMonotonic"  # microseconds (org.freedesktop.systemd1(5))


def main() -> None:
    """Do one thing and print what came of it."""
    what, *words = sys.argv[1:]
    known: dict[str, Callable[..., object]] = {
        "install": install,
        "weigh": weigh,
        "starts": starts,
        "master": master,
    }
    sys.stdout.write(json.dumps(known[what](*words)) + "\n")


def install(package: str) -> object:
    """Install a package and give the seconds that dpkg took, bytecode and all."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = [DPKG, "--install", "--", package]
    begin = time.monotonic()
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=SECONDS, check=False
    )
    took = time.monotonic() - begin
    if done.returncode:
        raise SystemExit(f"cannot install {package}: {done.stdout}{done.stderr}")
    return {"seconds": took}


def weigh(name: str) -> object:
    """Weigh what a package has put there: dpkg's files, and bytecode that was made of them."""
    paths = [Path(line) for line in said(DPKG, "--listfiles", "--", name).splitlines()]
    files = {path for path in paths if path.is_symlink() or path.is_file()}
    folders = [path for path in paths if path.is_dir() and not path.is_symlink()]
    made = {one for folder in folders for one in folder.glob("__pycache__/*.pyc")} - files
    return {
        "count": len(files) + len(made),
        "files": sum(one.lstat().st_size for one in files),
        "bytecode": sum(one.lstat().st_size for one in made),
        "blocks": sum(one.lstat().st_blocks * BLOCK for one in files | made),
    }


def starts(count: str) -> object:
    """Have systemd start the agent so often, and as often where nothing is kept."""
    start()  # warms the page cache
    kept = [start() for _ in range(int(count))]
    fresh = [start(HASHES) for _ in range(int(count))]
    return {"kept": kept, "fresh": fresh, "pss": pss(int(shown(UNIT, "MainPID")))}


def start(*forgotten: str) -> float:
    """Start it anew without these files; seconds from exec to the end of its first look."""
    said(SYSTEMCTL, "stop", UNIT)
    for one in forgotten:
        Path(one).unlink()  # missing: it has been called otherwise, and nothing was measured
    said(SYSTEMCTL, "start", UNIT)
    executed = wall() - time.monotonic() + int(shown(UNIT, EXECUTED)) / 1e6
    return first_look(executed) - executed


def master() -> object:
    """Give the memory of the master's two processes, in bytes."""
    core = int(shown(MASTER, "MainPID"))
    (front,) = Path(f"/proc/{core}/task/{core}/children").read_text().split()
    return {"core": pss(core), "front": pss(int(front))}


def shown(unit: str, what: str) -> str:
    """Ask systemd for one property of a unit."""
    return said(SYSTEMCTL, "show", f"--property={what}", "--value", unit).strip()


def said(*command: str) -> str:
    """Run a program that has to succeed; give what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise SystemExit(f"cannot measure: {' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
