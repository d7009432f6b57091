"""How the node's machine is: load, memory, disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
KIB = 1024


@dataclass(frozen=True, slots=True)
class Vitals:
    """As Health tells them."""

    load_percent: int  # the load average of one minute, times 100
    memory_kib: int  # available
    disk_kib: int  # free to the agent, where its state is; 0 where nobody can tell


def read_vitals(state: Path) -> Vitals:
    """Read them now. Sources: proc_meminfo(5), getloadavg(3), statvfs(3)."""
    return Vitals(round(os.getloadavg()[0] * 100), _available(), _free(state))


def _available() -> int:
    for line in MEMINFO.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1])
    return 0


def _free(state: Path) -> int:
    try:
        found = os.statvfs(state)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize // KIB
