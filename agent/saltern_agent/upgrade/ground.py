"""Where the upgrades of a node have their files, and the unit that runs them.

Apart from begin.py, which imports what packs and unpacks: an agent that is not being upgraded does
without the memory of that.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saltern_agent.upgrade.records import Records

NAME: Final = "saltern-agent-upgrade.service"
UNITS: Final = Path("/etc/systemd/system")
WANTS: Final = "multi-user.target.wants"
MACHINE: Final = Path("/")
SYSTEMCTL: Final = "/usr/bin/systemctl"
SECONDS: Final = 30.0
SPARE: Final = 32 << 20
"""Bytes that are to be free besides what an upgrade writes."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where upgrades have their files. `start` has systemd start the unit, or gives why not."""

    records: Records
    root: Path
    units: Path
    start: Callable[[], str]
    spare: int = SPARE


def machine_ground(state: Path, run: Path) -> Ground:
    """Give this machine's. `state`, `run`: the agent's own directories."""
    return Ground(Records(state / "upgrade", run), MACHINE, UNITS, start_unit)


def tidy(ground: Ground) -> None:
    """Take the unit away after an upgrade; nothing while one is under way. OSError."""
    if ground.records.under_way():
        return
    (ground.units / WANTS / NAME).unlink(missing_ok=True)
    (ground.units / NAME).unlink(missing_ok=True)


def start_unit() -> str:
    """Have systemd start the upgrader, if it does not run; gives why not, else ""."""
    for words in (("daemon-reload",), ("start", "--no-block", "--", NAME)):
        try:
            done = subprocess.run(
                [SYSTEMCTL, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
                check=False,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            )
        except (OSError, subprocess.SubprocessError) as error:
            return f"cannot run {SYSTEMCTL}: {error}"
        if done.returncode:
            return f"cannot start {NAME}: {done.stderr.decode(errors='replace').strip()}"
    return ""
