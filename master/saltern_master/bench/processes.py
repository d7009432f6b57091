"""What a process costs, read from /proc: CPU to the nanosecond, memory as its share (PSS)."""

from __future__ import annotations

from pathlib import Path

from saltern_master.lab.errors import LabError

KIB_PER_MIB = 1024


def cpu_seconds(pid: int) -> float:
    """Give the CPU seconds of all threads of a process that still run (schedstat)."""
    stats = (path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(int(one.split()[0]) for one in stats) / 1e9


def pss_mib(pid: int) -> float:
    """Give a process's proportional set size (smaps_rollup)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    (pss,) = (line for line in lines if line.startswith("Pss:"))
    return int(pss.split()[1]) / KIB_PER_MIB


def front_of(master: int) -> int:
    """Find the front of a running master; LabError when it has none at the moment."""
    for child in Path(f"/proc/{master}/task/{master}/children").read_text().split():
        if b"saltern_master.front" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise LabError(f"cannot find the front of master {master}")
