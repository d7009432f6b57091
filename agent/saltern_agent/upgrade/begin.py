"""The beginning of an upgrade, in the agent to be replaced: a way back first, then the order.

* Nothing is touched but files of our own until the order is there; whoever is killed before leaves
  files that the next beginning writes over.
* The way back is made of what is installed (repack.py), and there is room for it: in the state
  directory for both packages, below the tree for the old one beside the new one, for dpkg's own
  record, and a reserve.
* The unit is of systemd's own directory, not of our package, and enabled: a power cut does not end
  an upgrade. It starts only while there is an order.

Outside facts: systemd.unit(5), systemd.service(5).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from saltern_states.ports import HostError
from saltern_states.upgrade_ports import Release

from saltern_agent.upgrade.ground import NAME, WANTS, Ground
from saltern_agent.upgrade.machine import PACKAGE
from saltern_agent.upgrade.program import upgrader
from saltern_agent.upgrade.records import Records, sync
from saltern_agent.upgrade.repack import RepackError, repack
from saltern_agent.upgrade.stages import Order, Package

RESERVE: Final = 4 << 20
CHUNK: Final = 1 << 20
TEXT: Final = """\
# Written by saltern-agent for one upgrade of itself; taken away when that has ended.

[Unit]
Description=Saltern node agent, upgrade to another release
ConditionPathExists={order}
After=local-fs.target dbus.socket
StartLimitIntervalSec=0

[Service]
Type=exec
# -I -S: neither the environment nor the machine's site (a .pth file there is code) says what it is.
ExecStart={python} -I -S {program} {state} {run}
# Whatever ends it, it goes on: only it says that it is through.
Restart=on-failure
RestartForceExitStatus=SIGHUP SIGINT SIGTERM SIGPIPE
RestartSec=1
# A dpkg that runs is let end: the next upgrader waits for it.
KillMode=process
OOMPolicy=continue
OOMScoreAdjust=-900
UMask=0022

[Install]
WantedBy=multi-user.target
"""


def begin(ground: Ground, file: Path, release: Release, was: str) -> None:
    """Have an upgrade ordered and started. HostError: it is not ordered, and nothing is changed."""
    try:
        _order(ground, file, release, was)
    except HostError:
        if ground.records.order() is None:
            _clear(ground.records)
            raise  # else it is ordered: only the disk's word that it is there for good did not come
    ground.start()  # where systemd does not, the agent that runs asks again (link/upgrading.py)


def _order(ground: Ground, file: Path, release: Release, was: str) -> None:
    records = ground.records
    try:
        records.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync(records.state.parent)
        _refuse_without_room(ground, file)
        old = _keep_way_back(ground, was)
        new = Package(release.version, _copy(file, records.new))
        if new.sha256 != release.sha256:
            raise HostError(f"cannot upgrade the agent: {file} is not what its name says")
        _write(records.program, upgrader())
        _reserve(records.reserve)
        _write_unit(ground)
        records.write_order(Order(new, old, release.attempt, release.sha256))
    except RepackError as error:
        raise HostError(f"cannot upgrade the agent, there is no way back: {error}") from error
    except OSError as error:
        what = f"{error.filename or records.state}: {error.strerror or error}"
        raise HostError(f"cannot upgrade the agent: {what}; see that its disk has room") from error


def _clear(records: Records) -> None:
    """Take up no room for what was not ordered."""
    for path in (records.new, records.reserve):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _keep_way_back(ground: Ground, was: str) -> Package:
    with _fresh(ground.records.old) as file:
        found = repack(PACKAGE, file, ground.root)
    if found != was:
        raise RepackError(f"{found} is installed by now, and not {was}")
    return Package(was, _digest(ground.records.old))


def _refuse_without_room(ground: Ground, file: Path) -> None:
    tree, new = _tree_bytes(ground.root), file.stat().st_size
    record = ground.root / "var/lib/dpkg"
    wanted = {
        ground.records.state: new + tree + RESERVE,
        ground.root / "usr": 3 * tree,
        record: 3 * (record / "status").stat().st_size,
    }
    for place, needed in wanted.items():
        found = os.statvfs(place)
        free = found.f_bavail * found.f_frsize
        if free < needed + ground.spare:
            more = (needed + ground.spare - free + CHUNK - 1) // CHUNK
            raise HostError(
                f"cannot upgrade the agent: {place} lacks {more} MiB for the new release and the "
                "way back; make room there"
            )


def _tree_bytes(root: Path) -> int:
    """Give about how much the installed package has."""
    listed = root / f"var/lib/dpkg/info/{PACKAGE}.list"
    lines = listed.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    paths = (root / line.lstrip("/") for line in lines)
    return sum(path.lstat().st_size for path in paths if path.is_file() and not path.is_symlink())


def _copy(source: Path, to: Path) -> str:
    """Copy a file durably; give the SHA-256 of what was written."""
    with source.open("rb") as content, _fresh(to) as written:
        shutil.copyfileobj(content, written, CHUNK)
    return _digest(to)


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _write(path: Path, content: bytes, mode: int = 0o600) -> None:
    with _fresh(path, mode) as file:
        file.write(content)


def _reserve(path: Path) -> None:
    with _fresh(path) as file:
        os.posix_fallocate(file.fileno(), 0, RESERVE)


def _write_unit(ground: Ground) -> None:
    """Write and enable the unit, as `systemctl enable` does."""
    records = ground.records
    text = TEXT.format(
        order=records.order_path,
        program=records.program,
        python=os.path.realpath(sys.executable),
        state=records.state,
        run=records.run,
    )
    wants = ground.units / WANTS
    wants.mkdir(parents=True, exist_ok=True)
    _write(ground.units / NAME, text.encode(), 0o644)
    link = wants / NAME
    link.unlink(missing_ok=True)
    link.symlink_to(ground.units / NAME)
    for directory in (wants, ground.units, records.state):
        sync(directory)


class _fresh:  # noqa: N801  # used as a function is
    """Open a file anew, with its bytes on the disk when it is closed well."""

    def __init__(self, path: Path, mode: int = 0o600) -> None:
        self._path, self._mode = path, mode

    def __enter__(self) -> BinaryIO:
        self._path.unlink(missing_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(self._path, flags, self._mode)
        os.fchmod(handle, self._mode)
        self._file = os.fdopen(handle, "w+b")
        return self._file

    def __exit__(self, kind: object, error: object, _trace: object) -> None:
        with self._file:
            if error is None:
                self._file.flush()
                os.fsync(self._file.fileno())
