"""The machine itself: load, memory, pressure, free disk, and what the kernel says of its clock.

Outside facts: proc_meminfo(5), getloadavg(3), statvfs(3), the kernel's PSI ("some" and "full" of
/proc/pressure), adjtimex(2) with no mode set, capabilities(7) (CAP_SYS_TIME is 25), and
/run/systemd/container, which systemd writes where it runs in a container.
"""

from __future__ import annotations

import ctypes
import os
import re
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from saltern_agent.health.values import Disk, Machine

PROC: Final = Path("/proc")
CONTAINER: Final = Path("/run/systemd/container")
KIB: Final = 1024
FULL: Final = re.compile(rb"^full avg10=\S+ avg60=([0-9.]+)", re.MULTILINE)
SYS_TIME: Final = 1 << 25
TIMEX_BYTES: Final = 512  # more than any kernel's struct timex
STATUS: Final = struct.Struct("@iqqqqi")  # modes, offset, freq, maxerror, esterror, status
UNSYNC: Final = 0x40


def read_machine(proc: Path = PROC) -> Machine:
    """Read load, memory and pressure. OSError."""
    sizes = dict(re.findall(rb"^(\w+):\s+([0-9]+) kB", (proc / "meminfo").read_bytes(), re.M))
    return Machine(
        load=float((proc / "loadavg").read_text().split()[0]),
        processors=os.cpu_count() or 1,
        memory=int(sizes.get(b"MemTotal", 0)) * KIB,
        available=int(sizes.get(b"MemAvailable", 0)) * KIB,
        memory_pressure=_pressure(proc / "pressure/memory"),
        io_pressure=_pressure(proc / "pressure/io"),
    )


def _pressure(path: Path) -> float | None:
    try:
        found = FULL.search(path.read_bytes())
    except OSError:  # this kernel has none, or it is switched off
        return None
    return float(found[1]) if found else None


def read_disks(paths: Iterable[str]) -> tuple[Disk, ...]:
    """Read each file system once that one of the paths lies on, or will. OSError."""
    there: dict[int, list[str]] = {}
    for path in paths:
        there.setdefault(_nearest(path).stat().st_dev, []).append(path)
    return tuple(_disk(tuple(those)) for those in there.values())


def _nearest(path: str) -> Path:
    """Give the path, or what is above it where it is not there yet."""
    found = Path(path)
    while not found.exists() and found != found.parent:
        found = found.parent
    return found


def _disk(paths: tuple[str, ...]) -> Disk:
    found = os.statvfs(_nearest(paths[0]))
    return Disk(
        paths=paths,
        size=found.f_blocks * found.f_frsize,
        free=found.f_bavail * found.f_frsize,
        inodes=found.f_files,
        inodes_free=found.f_favail,
    )


def keeps_clock(proc: Path = PROC, container: Path = CONTAINER) -> bool:
    """Say whether this machine has a clock of its own to keep; a container has not. OSError."""
    status = (proc / "1/status").read_text()
    found = re.search(r"^CapBnd:\s+([0-9a-f]+)$", status, re.MULTILINE)
    may_set = found is None or bool(int(found[1], 16) & SYS_TIME)
    return may_set and not container.exists()


def is_synchronised() -> bool | None:
    """Ask the kernel whether something keeps its clock right; None where it does not tell."""
    given = ctypes.create_string_buffer(TIMEX_BYTES)
    if ctypes.CDLL(None).adjtimex(given) < 0:
        return None
    return not STATUS.unpack_from(given)[5] & UNSYNC
