"""Debian packages, through dpkg's own record and apt-get.

* Versions are read from /var/lib/dpkg/status, once per state of that file.
* .deb files are installed by apt-get with no repository in its view: it resolves the
  closure before it touches anything, orders it (Pre-Depends, Breaks), and can fetch nothing.
* Before that each file is asked which package it is of (debs.py), and no two may be of one.
* Nothing is removed or downgraded on the way, and a person's conffiles stay.
* While packages are installed, /usr/sbin/policy-rc.d forbids maintainer scripts to start,
  stop or restart services. One of somebody else's is set aside meanwhile. sweep() mends
  what a crash left; call it when the agent starts.
* Another program's apt or dpkg is waited for, LOCK_SECONDS at most.

Outside facts: deb(5), dpkg(1) on interrupted runs and DPKG_FRONTEND_LOCKED, apt.conf(5),
README.policy-rc.d of init-system-helpers.
Cache: in memory, name -> version, by (inode, mtime, size) of the record.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from saltern_states.debversion import compare
from saltern_states.ports import HostError

from saltern_agent.host.debs import read, read_all
from saltern_agent.host.reasons import telling
from saltern_agent.host.temporary import remove_tree
from saltern_agent.host.transaction import run

APT_GET: Final = "/usr/bin/apt-get"
DPKG: Final = "/usr/bin/dpkg"
LOCK_SECONDS: Final = 120
INSTALL_SECONDS: Final = 1800.0
UPDATE_SECONDS: Final = 300.0
CONFIGURED: Final = ("ok installed", "ok triggers-pending")
TEMPORARY: Final = "saltern-debs-"
POLICY: Final = b"""#!/bin/sh
# Put here by Saltern while it installs packages: units are started by what declares them.
exit 101
"""
ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
    "DEBIAN_FRONTEND": "noninteractive",
    "APT_LISTCHANGES_FRONTEND": "none",
    "NEEDRESTART_SUSPEND": "1",  # it would restart services on its own
    "UCF_FORCE_CONFFOLD": "1",
}
OPTIONS: Final = (
    "--yes",
    "--quiet",
    "--no-install-recommends",
    "--no-remove",
    "--option=Dpkg::Options::=--force-confold",
    "--option=Dpkg::Use-Pty=0",
    "--option=APT::Sandbox::User=root",
    f"--option=DPkg::Lock::Timeout={LOCK_SECONDS}",
)

Stamp = tuple[int, int, int]


class DebianPackages:
    """The packages of the machine."""

    def __init__(
        self,
        record: Path = Path("/var/lib/dpkg"),
        policy: Path = Path("/usr/sbin/policy-rc.d"),
        temporary: Path = Path("/var/tmp"),
    ) -> None:
        self._record = record
        self._policy = policy
        self._temporary = temporary
        self._known: tuple[Stamp, dict[str, str]] | None = None

    def version(self, name: str) -> str | None:
        """Give the version that is installed and configured."""
        return self._versions().get(name)

    def named(self, file: Path) -> tuple[str, str]:
        """Give the package and version that a .deb file is of; HostError: it is none."""
        found = read(file, ENVIRONMENT)
        return found.package, found.version

    def install_files(self, files: tuple[Path, ...]) -> None:
        """Install .deb files in one transaction, from nowhere else."""
        read_all(files, ENVIRONMENT)
        self._finish_interrupted()
        with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=self._temporary) as folder:
            names = with_suffix(files, Path(folder))
            for below in ("lists/partial", "cache/archives/partial"):  # it makes none itself
                Path(folder, below).mkdir(parents=True)
            with self._services_left_alone():
                self._apt("install packages", *alone(folder), "install", "--", *names)

    def install(self, name: str, version: str) -> None:
        """Install from the node's repositories; their lists are fetched anew if that fails."""
        self._finish_interrupted()
        what = f"{name}={version}" if version else name
        with self._services_left_alone():
            try:
                self._apt(f"install {what}", "install", "--", what)
            except HostError:
                command = [APT_GET, *OPTIONS, "update"]
                run(f"fetch package lists for {what}", command, ENVIRONMENT, UPDATE_SECONDS)
                self._apt(f"install {what}", "install", "--", what)

    def remove(self, name: str) -> None:
        """Remove one package; dpkg refuses where another needs it."""
        self._finish_interrupted()
        self._dpkg(f"remove {name}", "--remove", "--", name)

    def compare(self, one: str, other: str) -> int:
        """Compare two versions as dpkg does."""
        return compare(one, other)

    def sweep(self) -> None:
        """Take away our policy-rc.d, put back the one that was set aside, and tidy up."""
        self._restore_policy()
        with suppress(OSError):  # everybody may put things there, and nobody may stop us so
            everybodys = os.open(self._temporary, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                for name in os.listdir(everybodys):
                    if name.startswith(TEMPORARY):
                        with suppress(OSError):
                            remove_tree(everybodys, name)
            finally:
                os.close(everybodys)

    def _restore_policy(self) -> None:
        kept, made = self._kept, self._made
        with telling("tidy up", self._policy):
            made.unlink(missing_ok=True)
            if os.path.lexists(kept):
                if self._is_ours() or not os.path.lexists(self._policy):
                    os.replace(kept, self._policy)
                else:
                    kept.unlink()  # it was never replaced
            elif self._is_ours():
                self._policy.unlink()

    @property
    def _kept(self) -> Path:
        return self._policy.with_name(f"{self._policy.name}.kept-by-saltern")

    @property
    def _made(self) -> Path:
        return self._policy.with_name(f".{self._policy.name}.saltern")

    def _is_ours(self) -> bool:
        try:
            return self._policy.read_bytes() == POLICY
        except FileNotFoundError:
            return False

    @contextmanager
    def _services_left_alone(self) -> Iterator[None]:
        self._restore_policy()
        with telling("write", self._policy):
            self._made.write_bytes(POLICY)
            self._made.chmod(0o755)
            with suppress(FileNotFoundError):
                os.link(self._policy, self._kept, follow_symlinks=False)
            os.replace(self._made, self._policy)
        try:
            yield
        finally:
            self._restore_policy()

    def _versions(self) -> dict[str, str]:
        status = self._record / "status"
        with telling("read", status), status.open("rb") as file:
            found = os.fstat(file.fileno())
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
            if self._known is None or self._known[0] != stamp:
                self._known = (stamp, configured(file.read().decode(errors="replace")))
        return self._known[1]

    def _finish_interrupted(self) -> None:
        """Let dpkg finish a run that was cut off: it does nothing else before that."""
        updates = self._record / "updates"
        if updates.is_dir() and any(one.name.isdigit() for one in updates.iterdir()):
            with self._services_left_alone():
                self._dpkg("finish an interrupted dpkg run", "--force-confold", "--configure", "-a")

    def _apt(self, doing: str, *words: str) -> None:
        run(doing, [APT_GET, *OPTIONS, *words], ENVIRONMENT, INSTALL_SECONDS)

    def _dpkg(self, doing: str, *words: str) -> None:
        with locked(doing, self._record / "lock-frontend", LOCK_SECONDS):
            environment = {**ENVIRONMENT, "DPKG_FRONTEND_LOCKED": "true"}
            run(doing, [DPKG, *words], environment, INSTALL_SECONDS)


def with_suffix(files: Sequence[Path], folder: Path) -> list[str]:
    """Give the files names that end in ".deb": apt-get knows them by that, and follows no link."""
    names = []
    for number, file in enumerate(files):
        name = folder / f"{number}.deb"
        try:
            os.link(file, name)
        except OSError:  # another filesystem, or one without hard links
            with telling("copy", file):
                shutil.copyfile(file, name)
        names.append(str(name))
    return names


def alone(folder: str) -> Sequence[str]:
    """Give the options that leave apt-get nothing but files and what is installed.

    Not --no-download: local files too are then never taken up ("Pathname … not absolute").
    """
    return (
        "--option=Dir::Etc::SourceList=/dev/null",
        "--option=Dir::Etc::SourceParts=/dev/null",
        f"--option=Dir::State::Lists={folder}/lists/",
        f"--option=Dir::Cache={folder}/cache/",
    )


def configured(status: str) -> dict[str, str]:
    """Give name -> version of all that is configured; of two architectures, dpkg's own."""
    found: dict[tuple[str, str], str] = {}
    for paragraph in status.split("\n\n"):
        fields = dict(
            line.split(": ", 1)
            for line in paragraph.split("\n")
            if line.startswith(("Package: ", "Status: ", "Version: ", "Architecture: "))
        )
        _, _, status_now = fields.get("Status", "").partition(" ")  # what is wanted stands first
        if status_now in CONFIGURED and "Version" in fields:
            found[fields["Package"], fields.get("Architecture", "")] = fields["Version"]
    native = next((arch for name, arch in found if name == "dpkg"), "")
    own = {name: version for (name, arch), version in found.items() if arch in (native, "all")}
    return {name: version for (name, _), version in found.items()} | own


@contextmanager
def locked(doing: str, lock: Path, seconds: float) -> Iterator[None]:
    """Hold dpkg's front-end lock, as dpkg(1) asks of a front end; HostError after `seconds`."""
    until = time.monotonic() + seconds
    with telling("lock", lock), lock.open("w") as file:
        while True:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    why = f"another package manager has held {lock} for {seconds:.0f} s"
                    raise HostError(f"cannot {doing}: {why}") from None
                time.sleep(0.2)
        yield
