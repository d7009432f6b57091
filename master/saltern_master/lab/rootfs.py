"""The root file system that all nodes share: a bare Debian, made once by mmdebstrap.

Bare means: systemd, Python and the tools that a person finds on a new server; docker and what
Kubernetes needs besides are for Saltern to install. Cache: ~/.cache/saltern/lab/rootfs/KEY/,
where KEY is the release and a hash of the recipe (packages and settings), so a changed recipe is
another root file system. It is never written to again: nodes lay an overlay over it.
"""

import hashlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from saltern_master import apt, cache
from saltern_master.commands import run
from saltern_master.packages import SUITE

PACKAGES = (
    "ca-certificates",
    "dbus",
    "iproute2",
    "iptables",
    "iputils-ping",
    "kmod",
    "procps",
    "python3",
    "systemd",
    "systemd-sysv",
)

# Written into the tree; None is a link to /dev/null, which masks the vendor's file of that name.
SETTINGS: dict[str, str | None] = {
    "etc/apt/sources.list": "# A node of the lab reaches no mirror.\n",
    "etc/resolv.conf": "# A node of the lab reaches no name server.\n",
    # The kernel is the host's: a booting node must not set the parameters that they share.
    "etc/sysctl.d/50-default.conf": None,
    "etc/sysctl.d/50-pid-max.conf": None,
    "etc/sysctl.d/99-protect-links.conf": None,
    # The kernel's log is the host's too; the kubelet alone wants to see it.
    "etc/systemd/journald.conf.d/lab.conf": "[Journal]\nReadKMsg=no\n",
    # Timers that would look for mirrors and disks.
    **{
        f"etc/systemd/system/{name}": None
        for name in ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer")
    },
    "etc/systemd/system/e2scrub_reap.service": None,
}
_REMOVED = ("etc/apt/sources.list.d", "etc/apt/apt.conf.d/99mmdebstrap", "etc/hostname")


@dataclass(frozen=True, slots=True)
class Rootfs:
    """A finished root file system."""

    path: Path

    @property
    def status(self) -> Path:
        """dpkg's record of what is installed."""
        return self.path / "var/lib/dpkg/status"


def ready(progress: Callable[[str], None], suite: str = SUITE) -> Rootfs:
    """Give the root file system, making it first when the cache lacks it (about half a minute)."""
    folder = cache.root() / "lab" / "rootfs"
    made = folder / f"{suite}-{recipe(suite)}"
    if not made.is_dir():
        with cache.locked(folder / f"{made.name}.lock") as lock:
            if not made.is_dir():
                _make(made, suite, progress, lock)
    return Rootfs(made)


def recipe(suite: str) -> str:
    """Hash what the root file system is made from."""
    text = repr((suite, sorted(PACKAGES), sorted(SETTINGS.items(), key=str), _REMOVED))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _make(made: Path, suite: str, progress: Callable[[str], None], lock: int) -> None:
    began = time.monotonic()
    part = made.with_name(f"{made.name}.part")  # a crash's leavings have this name too
    if part.exists():
        shutil.rmtree(part)
    sources = made.with_name(f"{made.name}.sources")
    sources.write_text(apt.machine_sources(suite))
    progress(
        f"making the nodes' root file system: Debian {suite}, {len(PACKAGES)} packages and theirs"
    )
    run(
        [
            "/usr/bin/mmdebstrap",
            "--mode=root",
            "--variant=minbase",
            f"--include={','.join(PACKAGES)}",
            *(f"--aptopt={line}" for line in apt.acquire_options().splitlines()),
            "--",
            suite,
            str(part),
            str(sources),
        ],
        seconds=1800,
        environment={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        lock=lock,
    )
    _settle(part)
    part.rename(made)
    sources.unlink()
    progress(f"made it in {time.monotonic() - began:.0f} s, {_megabytes(made)} MB: {made}")


def _settle(tree: Path) -> None:
    for name in _REMOVED:
        path = tree / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for name, text in SETTINGS.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if text is None:
            path.symlink_to("/dev/null")
        else:
            path.write_text(text)


def _megabytes(tree: Path) -> int:
    files = (path.lstat() for path in tree.rglob("*"))
    return round(sum(stat.st_blocks * 512 / stat.st_nlink for stat in files) / 1e6)
