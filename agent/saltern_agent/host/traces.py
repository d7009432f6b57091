"""What files and the kernel tell of a node besides its ports: for the doctor, who changes nothing.

What is not there is "none"; what is there and cannot be read is an OSError, which the doctor tells.

Outside facts: proc_locks(5), dpkg(1), systemd.network(5), nm-settings-keyfile(5), interfaces(5).
"""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Collection, Iterator
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Thread
from typing import Final

PROGRAM_PLACES: Final = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")
DPKG: Final = "var/lib/dpkg"
HALF: Final = re.compile(
    rb"^Package: (\S+)\nStatus: \S+ \S+ "
    rb"(half-configured|half-installed|unpacked|triggers-awaited|triggers-pending)$",
    re.MULTILINE,
)
LOCKS: Final = Path("/proc/locks")
LOCK_OF: Final = 5  # the column of device and inode
NETWORKD: Final = ("etc/systemd/network", "run/systemd/network", "usr/lib/systemd/network")
OURS: Final = ("cbr0", "veth0a1b2c3")
RESOLVE_SECONDS: Final = 3.0
POD_NAME: Final = re.compile(
    r"^metadata:.*?^[ \t]+\"?name\"?: *\"?([a-z0-9.-]+)", re.MULTILINE | re.DOTALL
)
MAX_READ: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Space:
    """What is free on a file system, in percent."""

    path: str
    free: float
    inodes: float


def programs(names: Collection[str], root: Path) -> frozenset[str]:
    """Give those that are installed."""
    return frozenset(
        name for name in names if any((root / place / name).exists() for place in PROGRAM_PLACES)
    )


def half_installed(root: Path) -> tuple[str, ...] | None:
    """Name the packages that dpkg has not done with; None while somebody is at it just now."""
    if _is_locked(root / DPKG / "lock-frontend") or _is_locked(root / DPKG / "lock"):
        return None
    updates = [one for one in _names(root / DPKG / "updates") if one.isdigit()]
    try:
        status = (root / DPKG / "status").read_bytes()
    except FileNotFoundError:
        return ()
    half = [f"{name.decode()} is {state.decode()}" for name, state in HALF.findall(status)]
    return (*half, *(("it was interrupted",) if updates else ()))


def spaces(paths: Collection[str]) -> tuple[Space, ...]:
    """Give the room of the file systems that these paths are on, each once."""
    found: dict[int, Space] = {}
    for path in paths:
        try:
            device, told = os.stat(path).st_dev, os.statvfs(path)
        except FileNotFoundError:
            continue
        if told.f_blocks:
            inodes = 100 * told.f_favail / told.f_files if told.f_files else 100.0
            whole = Space(path, 100 * told.f_bavail / told.f_blocks, inodes)
            found.setdefault(device, whole)
    return tuple(found.values())


def claimants(root: Path, networkd: bool) -> tuple[str, ...]:
    """Name the settings of other programs that mean our bridge or its ports."""
    return (
        *(_networkd(root) if networkd else ()),
        *_with(root, "etc/NetworkManager/system-connections", r"^interface-name=cbr0\s*$"),
        *_with(root, "etc/network", r"^\s*iface\s+cbr0\s"),
        *_with(root, "etc/network/interfaces.d", r"^\s*iface\s+cbr0\s"),
    )


def manifests(directory: Path) -> tuple[tuple[str, str], ...]:
    """Give the files that a kubelet would run, each with the pod that it names ("": none)."""
    found = []
    for name in _names(directory):
        path = directory / name
        if not name.startswith(".") and path.is_file():
            named = POD_NAME.search(_text(path))
            found.append((name, named[1] if named else ""))
    return tuple(found)


def certificates(root: Path) -> tuple[tuple[str, bytes], ...]:
    """Give the certificates of Kubernetes that stand on the node: path and PEM."""
    pki, kubelet = root / "etc/kubernetes/pki", root / "var/lib/kubelet/pki"
    paths = (*pki.glob("*.crt"), *pki.glob("*/*.crt"), *kubelet.glob("*.crt"))
    current = kubelet / "kubelet-client-current.pem"
    there = (*sorted(paths), *((current,) if current.exists() else ()))
    return tuple((f"/{path.relative_to(root)}", _content(path)) for path in there)


def resolves(name: str) -> bool | None:
    """Say whether a host name has an address; None: nobody answers in time."""
    told: list[bool] = []

    def ask() -> None:
        try:
            told.append(bool(socket.getaddrinfo(name, None)))
        except OSError:
            told.append(False)

    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(RESOLVE_SECONDS)
    return told[0] if told else None


def is_container(root: Path) -> bool:
    """Tell whether this machine is a container, as systemd notes it."""
    return (root / "run/systemd/container").exists()


def word(path: Path) -> str:
    """Give a file's first word; "" where there is none."""
    return (_text(path).split() or [""])[0]


def last(pattern: str, paths: Collection[Path]) -> str:
    """Give what the pattern's group finds last in these files, in their order; "": nowhere."""
    found = [one for path in paths for one in re.findall(pattern, _text(path), re.MULTILINE)]
    return str(found[-1]) if found else ""


def _networkd(root: Path) -> Iterator[str]:
    for place in NETWORKD:
        for name in _names(root / place):
            path = root / place / name
            if name.endswith(".network") and _matches(_text(path)):
                yield f"/{path.relative_to(root)}"


def _matches(text: str) -> bool:
    """Tell whether a .network file takes a link of ours, as far as its Name= tells."""
    parser = ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    try:
        parser.read_string(text)
        names = parser.get("Match", "Name", fallback="").split()
        unmanaged = parser.get("Link", "Unmanaged", fallback="no") in ("yes", "true", "1", "on")
        narrower = any(parser.has_option("Match", one) for one in ("Driver", "MACAddress"))
    except ConfigError:
        return False
    if unmanaged or narrower or any(one.startswith("!") for one in names):
        return False
    return any(fnmatchcase(ours, one) for ours in OURS for one in names)


def _with(root: Path, place: str, pattern: str) -> Iterator[str]:
    for name in _names(root / place):
        path = root / place / name
        if path.is_file() and re.search(pattern, _text(path), re.MULTILINE):
            yield f"/{path.relative_to(root)}"


def _is_locked(path: Path, locks: Path = LOCKS) -> bool:
    """Tell whether a process, also this one, has a POSIX lock on it.

    The file is not opened: closing it would drop the lock that this very process has while it
    installs a package. By the inode alone: some file systems name another device there than stat.
    """
    try:
        inode = str(path.lstat().st_ino)
    except FileNotFoundError:
        return False
    rows = (line.split() for line in locks.read_text().splitlines())
    held = (row for row in rows if len(row) > LOCK_OF and row[1] == "POSIX")
    return any(row[LOCK_OF].rpartition(":")[2] == inode for row in held)


def _names(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _text(path: Path) -> str:
    return _content(path).decode(errors="replace")


def _content(path: Path) -> bytes:
    """Read the beginning of a plain file; nothing of what is none, and nobody is waited for."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    with open(handle, "rb") as file:
        return file.read(MAX_READ) if stat.S_ISREG(os.fstat(handle).st_mode) else b""
