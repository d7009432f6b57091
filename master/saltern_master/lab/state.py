"""What a lab remembers on disk, so that any process can take it down after any crash.

Intent is written before the deed: a bridge or a node that is in lab.json may or may not exist,
one that is not in it was not made by this lab. One lock per lab; the kernel frees it when its
holder dies.
"""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import msgspec

from saltern_master.lab.errors import LabError
from saltern_master.lab.layout import STATE, Network, Node

LOCKS = Path("/run/lock")


class Lab(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A lab as it is on disk."""

    name: str
    bridge: str
    subnet: str
    rootfs: str
    nodes: dict[str, str]  # name -> address
    sysctls: dict[str, str] = {}  # what the kernel's shared parameters were before the lab
    format: int = 1
    number: str = ""  # drawn when it was first brought up: names are not unique over namespaces

    def network(self) -> Network:
        """The lab's network as a value."""
        return Network(self.bridge, IPv4Network(self.subnet))

    @property
    def mark(self) -> str:
        """What its bridge bears to tell it from that of another lab."""
        return f"saltern-lab {self.name} {self.number}".rstrip()

    def members(self) -> tuple[Node, ...]:
        """The lab's nodes as values."""
        return tuple(Node(name, IPv4Address(address)) for name, address in self.nodes.items())


class Supervisor(msgspec.Struct, frozen=True):
    """The identity of a process: a pid alone may be somebody else's by now."""

    pid: int
    start: int  # clock ticks since boot, proc_pid_stat(5) field 22
    boot: str  # this boot's id


def read(name: str, state: Path = STATE) -> Lab | None:
    """Read what is known of a lab; None when there is none."""
    path = state / name / "lab.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Lab)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise LabError(
            f"cannot read {path}: {error}; it was written by another version?"
        ) from error


def write(lab: Lab, state: Path = STATE) -> None:
    """Replace what is known of a lab, whole or not at all."""
    path = state / lab.name / "lab.json"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(lab)))
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def names(state: Path = STATE) -> tuple[str, ...]:
    """Name the labs that have something on disk."""
    return tuple(sorted(path.name for path in state.iterdir())) if state.is_dir() else ()


@contextmanager
def lock(name: str, seconds: float = 120, locks: Path = LOCKS) -> Iterator[int]:
    """Hold the lab's lock; give its descriptor. LabError when another holds it for `seconds`."""
    path = locks / f"saltern-lab-{name}.lock"
    deadline = time.monotonic() + seconds
    while (held := _try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise LabError(
                f"cannot get the lab {name}: another process has been at it for {seconds:g} s"
            )
        time.sleep(0.05)
    try:
        yield held
    finally:
        path.unlink(missing_ok=True)  # who waits sees that its file is gone, and opens the next
        os.close(held)


def _try_lock(path: Path) -> int | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            return descriptor
    os.close(descriptor)
    return None


def read_supervisor(path: Path) -> Supervisor | None:
    """Read which process holds a node up; None when none was recorded."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Supervisor)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def is_alive(process: Supervisor) -> bool:
    """Say whether that very process, not another with its pid, runs."""
    try:
        stat = Path(f"/proc/{process.pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    fields = stat.rpartition(")")[2].split()
    return boot == process.boot and int(fields[19]) == process.start and fields[0] not in "ZX"


def kill(process: Supervisor, seconds: float = 10) -> None:
    """Kill that very process and wait until it is gone.

    It leads a process group of its own. That is killed first, at one stroke: a child that it
    forked just now would else live on, and enter the node's groups after they were emptied.
    """
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(process.pid)
        try:
            if is_alive(process):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        finally:
            os.close(descriptor)
    deadline = time.monotonic() + seconds
    while is_alive(process):
        if time.monotonic() > deadline:
            raise LabError(f"cannot kill process {process.pid}, which held a node up")
        time.sleep(0.01)
