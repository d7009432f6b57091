"""A disk whose power can be cut: ext4 in a file on a loop device.

A copy of the file is what a power cut leaves: all that the file system gave to its disk, and none
of what it still kept in memory. The copy is of one moment: it is taken anew where the disk was
written to meanwhile. Whoever writes is stopped for it. What the drive itself would lose or reorder
is not tried: that takes dm-log-writes, which this kernel may lack.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.agent_process import AgentError

BYTES = 16 << 20
TRIES = 50
HOW = "copies of an ext4 image; a drive's own cache is not tried"


@contextmanager
def new_disk(image: Path, place: Path, options: str = "noauto_da_alloc") -> Iterator[None]:
    """Make a file system and have it mounted.

    By default without ext4's own remedy for programs that rename and never fsync.
    """
    with image.open("wb") as file:
        file.truncate(BYTES)
    _must("/usr/sbin/mkfs.ext4", "-q", "-E", "lazy_itable_init=0", "--", str(image))
    with mounted(image, place, options):
        yield


@contextmanager
def mounted(image: Path, place: Path, options: str = "defaults") -> Iterator[None]:
    """Have an image mounted; a file system that was cut off replays its log."""
    place.mkdir(exist_ok=True)
    _must("/usr/bin/mount", "-t", "ext4", "-o", f"loop,{options}", "--", str(image), str(place))
    try:
        yield
    finally:
        _must("/usr/bin/umount", "--", str(place))


def cut(image: Path, place: Path, copy: Path) -> None:
    """Copy what the disk of a mounted image holds at one moment."""
    counters = Path("/sys/block", device_of(place).name)
    for _ in range(TRIES):
        before = _written(counters)
        shutil.copyfile(image, copy)
        if before is not None and before == _written(counters):
            return
    raise AgentError(f"cannot copy {image}: it is written to without end")


def settle(place: Path) -> None:
    """Have all that was written to a mounted image on its disk."""
    _must("/usr/bin/sync", "-f", "--", str(place))


def device_of(place: Path) -> Path:
    """Give the device that is mounted at a place."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        words = line.split()
        if words[4] == str(place):
            return Path(words[words.index("-") + 2])
    raise AgentError(f"nothing is mounted at {place}")


def _written(counters: Path) -> tuple[str, str] | None:
    """Give how much was written; None: something is on its way."""
    under_way = (counters / "inflight").read_text().split()
    stat = (counters / "stat").read_text().split()
    return (stat[4], stat[6]) if under_way == ["0", "0"] else None


def _must(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise AgentError(f"cannot run {' '.join(command)}: {done.stderr.strip()}")
