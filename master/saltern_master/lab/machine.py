"""One node: its disk, its boot, its death, and programs in it.

Life: dressed (an upper directory) -> mounted -> booted -> dead -> removed. Each step looks at
what is there first, so each can be done again after a crash; what a killed boot left behind is
cleared before the next. `lock` is always the lab's: the programs that we start to change the
machine hold it too, since they outlive a caller that is killed.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from saltern_master.commands import CommandError, run
from saltern_master.lab import cgroups, dress, enter, network, nspawn, state
from saltern_master.lab.errors import LabError
from saltern_master.lab.host import Host
from saltern_master.lab.layout import REAL, Network, Node, Place

_SYSTEMCTL = "/usr/bin/systemctl"
_PROPAGATE = Path("/run/systemd/nspawn/propagate")


@dataclass(frozen=True, slots=True)
class Machine:
    """A node of a lab on this host."""

    place: Place
    node: Node
    network: Network
    host: Host
    rootfs: Path

    # --- its life

    def boot(self, lock: int) -> None:
        """Start the node unless it runs."""
        if self.first_process() is not None:
            return
        self.clear(lock)
        self._dress()
        self._mount(lock)
        argv = nspawn.arguments(self.place, self.network, self.host)
        environ = nspawn.environment(self.host)
        if self.host.way == "systemd":
            run(nspawn.as_service(self.place, argv, environ), lock=lock)
        else:
            self._supervise(argv, environ, lock)

    def wait(self, seconds: float) -> str:
        """Wait until systemd has started everything; give `running` or `degraded: UNITS`."""
        deadline = time.monotonic() + seconds
        said = ""
        while (left := deadline - time.monotonic()) > 0:
            if self.first_process() is not None:
                done = self._try_exec(["systemctl", "is-system-running", "--wait"], left)
                said = done.stdout.strip()
                if said == "running":
                    return said
                if said == "degraded":
                    return f"degraded: {', '.join(self.failed_units())}"
            elif not self.is_held():
                break
            time.sleep(0.02)
        raise LabError(
            f"cannot boot {self.node.name}: after {seconds:g} s it is {said or 'off'}; its console "
            f"({self.place.console}) ends: {self._console_end()}"
        )

    def kill(self) -> None:
        """Take the power away: every process of the node is killed; its disk stays."""
        cgroups.kill_at_once(self.groups())
        if self.host.way == "systemd":
            self._kill_unit()
        elif held := state.read_supervisor(self.place.supervisor):
            state.kill(held)
        for group in self.groups():
            cgroups.kill(group)

    def clear(self, lock: int) -> None:
        """Remove what a dead boot leaves on the host: groups, its wire, nspawn's directory."""
        self.kill()
        for group in self.groups():
            cgroups.remove(group)
        network.unplug(self.place.machine, lock)
        shutil.rmtree(_PROPAGATE / self.place.machine, ignore_errors=True)
        self.place.supervisor.unlink(missing_ok=True)

    def remove(self, lock: int) -> None:
        """Kill the node and remove all of it, its disk too."""
        self.clear(lock)
        self._unmount(lock)
        if self.place.folder.exists():
            shutil.rmtree(self.place.folder)

    # --- what it is

    def groups(self) -> tuple[Path, ...]:
        """Name the cgroups that are the node's."""
        if self.host.way != "systemd":
            return cgroups.plan(self.host.trees, self.place.lab, self.place.node)
        shown = run([_SYSTEMCTL, "show", "--property=ControlGroup", "--value", self.place.unit])
        path = shown.strip().lstrip("/")
        return (cgroups.ROOT / path,) if path else ()

    def first_process(self) -> int | None:
        """Give the pid of the node's PID 1 as the host sees it; None when the node is off."""
        for group in self.groups()[:1]:
            for pid in cgroups.processes(group):
                if _is_first(pid):
                    return pid
        return None

    def is_held(self) -> bool:
        """Say whether something is there that boots the node or holds it up."""
        if self.host.way == "systemd":
            shown = run([_SYSTEMCTL, "show", "--property=ActiveState", "--value", self.place.unit])
            return shown.strip() in ("active", "activating", "reloading", "deactivating")
        held = state.read_supervisor(self.place.supervisor)
        return held is not None and state.is_alive(held)

    def failed_units(self) -> tuple[str, ...]:
        """Name the units that failed in the node."""
        listing = self.exec(["systemctl", "list-units", "--failed", "--plain", "--no-legend"])
        return tuple(line.split()[0] for line in listing.stdout.splitlines() if line.split())

    # --- programs in it

    def exec(
        self,
        argv: Sequence[str],
        *,
        input: str | bytes | None = None,  # noqa: A002 - subprocess.run's name for it
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the node, as root; LabError when the node is off or time (s) is up."""
        data = input.encode() if isinstance(input, str) else input
        done = enter.run(self._entering(argv), stdin=subprocess.DEVNULL, data=data, seconds=timeout)
        return subprocess.CompletedProcess(list(argv), done.returncode, done.stdout, done.stderr)

    def become(self, argv: Sequence[str], terminal: str) -> NoReturn:
        """Replace this process by a program in the node: terminal, signals and status are its."""
        line = self._entering(enter.told_when_missing(argv, self.node.name), terminal)
        os.execv(line[0], line)

    def copy_in(self, source: Path, path: str, *, timeout: float = 300) -> None:
        """Copy a file to `path`, or a directory's content into the directory `path`, as root's.

        It goes through the node's own eyes, so no link in the node can lead it to the host.
        """
        if source.is_dir():
            self._must(["mkdir", "-p", "--", path], subprocess.DEVNULL, timeout)
            with enter.pack(source) as packer:
                assert packer.stdout is not None
                self._must(["tar", "-x", "-p", "-C", path], packer.stdout, timeout)
            if packer.returncode:
                raise LabError(f"cannot read {source}: tar says {packer.returncode}")
        else:
            mode = f"--mode={source.stat().st_mode & 0o7777:o}"
            with source.open("rb") as file:
                self._must(["install", "-D", mode, "--", "/dev/stdin", path], file, timeout)

    def _must(self, argv: Sequence[str], stdin: IO[bytes] | int, timeout: float) -> None:
        done = enter.run(self._entering(argv), stdin=stdin, data=None, seconds=timeout)
        if done.returncode:
            raise LabError(f"cannot {' '.join(argv)} in {self.node.name}: {done.stderr.strip()}")

    def _entering(self, argv: Sequence[str], terminal: str | None = None) -> list[str]:
        first = self.first_process()
        if first is None:
            raise LabError(f"cannot enter {self.node.name}: it is off; `saltern lab up` boots it")
        try:
            return enter.command(first, self.host, argv, terminal)
        except (FileNotFoundError, ProcessLookupError) as error:
            raise LabError(f"cannot enter {self.node.name}: it went off just now") from error

    def _try_exec(self, argv: Sequence[str], seconds: float) -> subprocess.CompletedProcess[str]:
        """Run a program in a node that is booting: its first process may not be there yet."""
        try:
            return self.exec(argv, timeout=seconds)
        except LabError:
            return subprocess.CompletedProcess(list(argv), 1, "", "")

    # --- how

    def _dress(self) -> None:
        upper, part = self.place.folder / "upper", self.place.folder / "upper.part"
        if upper.exists():
            return
        if part.exists():
            shutil.rmtree(part)
        self.place.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        chosen = dress.files(self.node, self.network, self.host, dress.new_machine_id())
        dress.write(part, chosen)
        part.rename(upper)

    def _mount(self, lock: int) -> None:
        for name in REAL:
            self.place.real(name).mkdir(mode=0o711, parents=True, exist_ok=True)
        if self._is_mounted():
            return
        work = self.place.folder / "work"
        work.mkdir(exist_ok=True)
        self.place.root.mkdir(exist_ok=True)
        options = f"lowerdir={self.rootfs},upperdir={self.place.folder / 'upper'},workdir={work}"
        line = [
            "/usr/bin/mount",
            "-t",
            "overlay",
            "-o",
            options,
            "saltern-lab",
            str(self.place.root),
        ]
        run(line, lock=lock)

    def _is_mounted(self) -> bool:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        return any(line.split()[4] == str(self.place.root) for line in mounts)

    def _unmount(self, lock: int, seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while self._is_mounted():
            try:
                run(["/usr/bin/umount", "--", str(self.place.root)], lock=lock)
            except CommandError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _supervise(self, argv: Sequence[str], environ: dict[str, str], lock: int) -> None:
        groups = self.groups()
        for group in groups:
            cgroups.make(group)
        plan = {
            "groups": [str(group) for group in groups],
            "argv": list(argv),
            "environment": environ,
            "record": str(self.place.supervisor),
            "log": str(self.place.console),
            "restart": nspawn.FORCE_RESTART,
            "lock": lock,
        }
        line = enter.launcher("supervise", plan)
        done = subprocess.run(
            line, stdin=subprocess.DEVNULL, pass_fds=(lock,), timeout=30, check=False
        )
        if done.returncode:
            raise LabError(
                f"cannot start {self.node.name}: {sys.executable} gave {done.returncode}"
            )

    def _kill_unit(self) -> None:
        kill = [_SYSTEMCTL, "kill", "--kill-whom=all", "--signal=KILL", self.place.unit]
        for line in (kill, [_SYSTEMCTL, "stop", self.place.unit]):
            try:
                run(line, seconds=60)
            except CommandError:
                if self.is_held():  # else it has ended by itself, maybe just now
                    raise

    def _console_end(self) -> str:
        try:
            lines = self.place.console.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return "(nothing)"
        return " / ".join(lines[-5:])


def _is_first(pid: int) -> bool:
    """Is it an init, the first of a pid namespace directly below ours (proc_pid_status(5), NSpid)?

    Before it is an init it is still nspawn, with the host's root: nobody may enter that.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    levels = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
    is_init = status.startswith(("Name:\tsystemd\n", "Name:\tinit\n"))
    return is_init and len(levels) == 2 and levels[1] == "1" and "\nState:\tZ" not in status
