"""python -m tests.master.confined WHAT BLOBS [KERNEL]: be kept in as the front is, then try WHAT.

It prints what came of it, if it is still there to do so. KERNEL: what this kernel is to lack,
as a filter of our own makes it seem: landlock or seccomp; and `partial` after it.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from saltern_master.errors import MasterError
from saltern_master.front import blobs, confine, sockets
from saltern_master.front.process import Process
from saltern_master.front.seccomp import MACHINES, install
from saltern_master.front.sockets import Listener
from saltern_master.front.usher import send_to_room

LIBC = ctypes.CDLL(None, use_errno=True)
KERNEL = {"landlock": {"x86_64": 444, "aarch64": 444}, "seccomp": {"x86_64": 317, "aarch64": 277}}
_ALLOW, _ENOSYS = 0x7FFF0000, 0x00050000 | 38


def without(what: str) -> None:
    """Have the kernel answer ENOSYS where it is asked for landlock or seccomp."""
    machine = os.uname().machine
    number = KERNEL[what][machine]
    load, equal, answer = (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, _ENOSYS)
    install((load, equal, answer, (0x06, 0, 0, _ALLOW)), machine)


def main(what: str, path: str, kernel: str = "", confinement: str = "whole") -> str:
    """Be kept in, try, and say what came of it."""
    confine.gain_nothing()
    if kernel:
        without(kernel)
    listener = sockets.bind("127.0.0.1", 0, 8)
    send_to_room(listener, frozenset())
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        other = elsewhere.getsockname()[1]
        directory, process = blobs.open_blobs(path), Process()
        confine.drop_root()
        tries = attempts(Path(path), directory, process, listener, other)
        try:
            kept = confine.enclose(
                (directory, process.directory),
                listener.port,
                "partial" if confinement == "partial" else "whole",
                lambda line: print(line, flush=True),
            )
        except MasterError as error:
            return str(error)
        try:
            return f"done: {tries[what]()}" if kept is not None else "not kept"
        except OSError as error:
            return f"refused: {error.strerror}"


def attempts(
    path: Path, directory: int, process: Process, listener: Listener, other: int
) -> dict[str, Callable[[], object]]:
    """What the front needs, and what nobody who took it shall have."""
    return needed(directory, process, listener) | unwanted(path, directory, other)


def needed(directory: int, process: Process, listener: Listener) -> dict[str, Callable[[], object]]:
    def thread() -> str:
        done: list[str] = []
        one = threading.Thread(target=lambda: done.append("ran"))
        one.start()
        one.join()
        return done[0]

    def own_link() -> str:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as one:
            one.connect(("127.0.0.1", listener.port))
        return "connected"

    def turning_away() -> str:
        send_to_room(listener, frozenset({"192.0.2.1"}))
        return "turned away"

    return {
        "to turn away": turning_away,
        "a blob": lambda: blobs.read_part(directory, bytes(32), 0),
        "a thread": thread,
        "our own link": own_link,
        "our memory": lambda: process.resident() > 0,
        "our descriptors": lambda: process.descriptors() > 3,
        "a line": lambda: os.write(2, b"a line\n"),
    }


def unwanted(path: Path, directory: int, other: int) -> dict[str, Callable[[], object]]:
    def connect() -> str:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as one:
            one.connect(("127.0.0.1", other))
        return "connected"

    read, write = os.O_RDONLY, os.O_WRONLY | os.O_CREAT
    return {
        "execve": lambda: os.execv("/bin/true", ["true"]),
        "posix_spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
        "fork": os.fork,
        "ptrace": lambda: LIBC.ptrace(0, 0, 0, 0),
        "kill": lambda: os.kill(1, signal.SIGCONT),
        "memory to execute": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
        "write a blob": lambda: os.open("0" * 64, write, dir_fd=directory),
        "make a file": lambda: os.open("new", write, 0o600, dir_fd=directory),
        "remove a file": lambda: (path / "one").unlink(),
        "make a directory": lambda: (path / "two").mkdir(),
        "another directory": lambda: os.chdir("/"),
        "another user": lambda: os.setuid(0),
        "a namespace": lambda: LIBC.unshare(0x10000000),
        "a unix socket": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
        "a datagram": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        "a packet": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
        "multipath": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262),
        "a port of one's own": lambda: socket.create_server(("127.0.0.1", 0)),
        "another port": connect,
        "/etc/shadow": lambda: os.open("/etc/shadow", read),
        "/etc/passwd": lambda: os.open("/etc/passwd", read),
        "/proc/1/status": lambda: os.open("/proc/1/status", read),
        "/proc/self/root": lambda: os.open("/proc/self/root/etc/passwd", read),
        "up from the blobs": lambda: os.open("../" * 20 + "etc/passwd", read, dir_fd=directory),
        "a list of the root": lambda: os.listdir("/"),
    }


if __name__ == "__main__":
    if os.uname().machine not in MACHINES:
        sys.exit("no list for this machine")
    print(main(*sys.argv[1:]), flush=True)
    os._exit(0)
