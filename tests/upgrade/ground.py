"""A machine for upgrades below one directory: a real dpkg's records and tree, and a unit in a file.

The unit is the one thing that is no real one: starting it looks at what stands in the tree, as a
start of Python would, and does what the `behaviour` in there says. It keeps the contract that the
real systemd keeps (tests/contracts/upgrade_laws.py).
"""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from saltern_agent.upgrade.machine import DPKG, Dpkg, Run
from saltern_agent.upgrade.records import Records, write
from saltern_agent.upgrade.stages import Order, Package, Told

from tests.upgrade.debs import FILES, TREE

OPTIONS = ("--force-script-chrootless", "--force-not-root")
FASTER: Final = 200
"""A minute passes in a third of a second."""

LIFE: Final = 5.0
"""Seconds for which an agent lives that dies."""


@dataclass(frozen=True)
class FileUnit:
    """The agent's unit, kept in a file so that it outlives who started it."""

    root: Path

    def run(self) -> Run:
        """Say how it stands; one that dies is another one by then."""
        found = self._read()
        if found.get("behaviour") == "dies" and now() - found["born"] > LIFE:
            return self._start("dies")
        return Run(found.get("run", ""), "active" if found.get("run") else "inactive")

    def restart(self) -> str:
        """Start what stands in the tree."""
        whole = self.running_tree()
        behaviour = (self.root / TREE / "behaviour").read_text() if whole else "broken"
        self._start(behaviour)
        return ""

    def boot(self) -> None:
        """Let the machine have been off: memory is gone, and the agent is started."""
        shutil.rmtree(self.root / "run/saltern", ignore_errors=True)
        (self.root / "run/saltern").mkdir(parents=True)
        (self.root / "boot").write_text(secrets.token_hex(8))
        self.restart()

    def running_tree(self) -> str:
        """Give the version of which every file in the tree is; "": they are of several."""
        tree = self.root / TREE
        try:
            version = (tree / "version").read_text()
            parts = [f"{version} {n}\n" * 50 for n in range(FILES)]
            same = all((tree / f"part{n:02}.py").read_text() == one for n, one in enumerate(parts))
        except OSError:
            return ""
        return version if same else ""

    def runs(self) -> str:
        """Give the version of the agent that runs; "": none that works."""
        found = self._read()
        return found.get("version", "") if found.get("behaviour") != "broken" else ""

    @property
    def _file(self) -> Path:
        return self.root / "run/saltern/unit"

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._file.read_text()))
        except FileNotFoundError:
            return {}

    def _start(self, behaviour: str) -> Run:
        run = secrets.token_hex(8)
        plain = {"run": run, "version": self.running_tree(), "behaviour": behaviour, "born": now()}
        write(self._file, plain, durable=False)
        records = records_of(self.root)
        if behaviour in ("well", "dies"):
            records.tell(Told(run, reached=True, taken=True))
        elif behaviour == "slow":
            records.tell(Told(run, taken=True, why="the master has not answered"))
        return Run(run, "active")


def now() -> float:
    """Give the seconds since the boot, as they pass here."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) * FASTER


def records_of(root: Path) -> Records:
    """Give the records of a machine below a directory."""
    return Records(root / "var/lib/saltern/upgrade", root / "run/saltern")


def dpkg_of(root: Path) -> Dpkg:
    """Give dpkg for such a machine."""
    return Dpkg(root, OPTIONS, lock_seconds=20.0)


def lay_out(root: Path) -> None:
    """Make a bare machine."""
    for path in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/saltern/upgrade"):
        (root / path).mkdir(parents=True, exist_ok=True)
    (root / "run/saltern").mkdir(parents=True, exist_ok=True)
    (root / "var/lib/dpkg/status").touch()
    (root / "boot").write_text("first")


def hand_over(root: Path, new: Path, old: Path) -> Order:
    """Order an upgrade, as an agent does."""
    records = records_of(root)
    shutil.copyfile(new, records.new)
    shutil.copyfile(old, records.old)
    order = Order(
        new=Package(version_of(new), digest(new)),
        old=Package(version_of(old), digest(old)),
        attempt=1,
        release=digest(new),
    )
    records.reserve.write_bytes(bytes(65536))
    records.write_order(order)
    return order


def audit(root: Path) -> str:
    """Give what dpkg itself says is wrong with its packages."""
    command = [DPKG, f"--admindir={root}/var/lib/dpkg", "--audit"]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout


def digest(file: Path) -> str:
    """Give a file's SHA-256."""
    return sha256(file.read_bytes()).hexdigest()


def version_of(deb: Path) -> str:
    """Give the version in a package's file name."""
    return deb.name.split("_")[1]
