"""A fleet: the nodes of a lab and a running master, set up by the commands that a person types.

The demo, the cluster tests and the benchmarks stand on this. `show` hears of each command
before it is run. What is expensive is cached; a fleet's own HOME is made anew each time.

The master runs on the host and listens on the lab's bridge. It outlives the process that
started it, so that a person can look around; HOME/run/master.pid says which it is.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from saltern_master import cache
from saltern_master.compile.facts import ARCHITECTURES
from saltern_master.lab import rootfs
from saltern_master.lab.errors import LabError
from saltern_master.lab.lab import Lab
from saltern_master.lab.trial import PACKAGES, Show, Trial
from saltern_master.library import Library

VERSION = "1.20.2"
SALTERN = str(Path(sys.executable).with_name("saltern"))
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fleet:
    """Machines of a lab (name to address), the master's HOME, and the cluster file."""

    lab: Lab
    nodes: dict[str, str]
    home: Path
    cluster: Path
    show: Show

    def node(self, name: str) -> Trial:
        """Give one node, to run commands in."""
        return Trial(self.lab, name, self.home, self.cluster, self.show)

    def up(self) -> None:
        """Boot the bare nodes."""
        self.lab.up(tuple(f"{name}={address}" for name, address in self.nodes.items()), self.show)

    def stock(self) -> None:
        """Make a HOME and fill its library: keys, binaries, images, packages."""
        self.stop_master()
        if self.home.exists():
            shutil.rmtree(self.home)
        base = rootfs.ready(self.show).status
        self.saltern("init", "--cluster", "demo")
        self.saltern("packages", "add", *PACKAGES, "--base", str(base))
        self._stock_binaries()
        self.saltern("images", "add")

    def _stock_binaries(self) -> None:
        """From the official release; where that is not reached, built from Debian's source."""
        add = ("binaries", "add", VERSION)
        if not (cache.root() / f"kubernetes/{VERSION}/bin/kubelet").exists():
            try:
                self.saltern(*add)
            except LabError:
                self.show("the release is not reached from here, so it is built: ten minutes, once")
            else:
                return
        self.saltern(*add, "--build")

    def start_master(self) -> None:
        """Run the master, and wait until it answers."""
        listen = str(self.lab.network.host)
        self.show(f"$ saltern master run --listen {listen} &")
        log = str(self.home / "master.log")
        running = os.posix_spawn(  # and not Popen: nobody waits for it, it is to outlive us
            SALTERN,
            [SALTERN, "master", "run", "--listen", listen],
            self.environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        self._pid_file.parent.mkdir(parents=True, exist_ok=True)
        self._pid_file.write_text(f"{running}\n")

        def answers() -> bool:
            if not _runs(running):
                raise LabError(f"cannot run the master: {self._last_words()}")
            return bool(self.try_saltern("status", "--output", "json").stdout.strip())

        wait_for("the master to answer", answers, 30)

    def stop_master(self, number: int = signal.SIGTERM) -> None:
        """End the master that start_master() started, if it still runs."""
        try:
            pid = int(self._pid_file.read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return
        if b"master" not in command or b"run" not in command:
            return  # the number has gone to another process since
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        wait_for("the master to end", lambda: not _runs(pid), 30)

    def install(self, names: Iterable[str] = ()) -> None:
        """Put the agent on the nodes, as its package will."""
        self.saltern("lab", "install", "--lab", self.lab.name, *(names or self.nodes))

    def join(self, name: str, node_class: str) -> None:
        """Have a bare machine become a node."""
        made = self.ask("node", "token", name, "--class", node_class)
        self.show(f"$ saltern node token {name} --class {node_class}")
        trial = self.node(name)
        self.show(f"{name}$ saltern-agent join TOKEN; systemctl enable --now saltern-agent")
        self.show(trial.must("saltern-agent", "join", str(made["token"])).rstrip())
        trial.must("systemctl", "enable", "--now", "saltern-agent")

    def apply(self, *options: str) -> None:
        """Apply the cluster file, its progress shown as it comes; LabError when it fails."""
        self.saltern("apply", str(self.cluster), *options)

    def saltern(self, *arguments: str) -> None:
        """Run a command of the master, its output shown as it comes."""
        self.node(next(iter(self.nodes))).saltern(*arguments)

    def try_saltern(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the master and give what came of it."""
        return subprocess.run(
            [SALTERN, *arguments],
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=900,
            check=False,
        )

    def ask(self, *arguments: str) -> dict[str, Any]:
        """Run a command of the master that prints one JSON value."""
        done = self.try_saltern(*arguments, "--output", "json")
        if done.returncode:
            raise LabError(f"cannot run saltern {' '.join(arguments)}: {done.stderr.strip()}")
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def kubectl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run kubectl with the administrator's kubeconfig, which is fetched when missing."""
        config = self.home / "admin.kubeconfig"
        if not config.exists():
            self.saltern("kubeconfig", "--write", str(config))
        return subprocess.run(
            [str(self._kubectl()), "--kubeconfig", str(config), *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def _kubectl(self) -> Path:
        """Give the library's kubectl as a program."""
        program = self.home / "bin/kubectl"
        if not program.exists():
            library = Library(self.home)
            found = library.binary(VERSION, "kubectl", ARCHITECTURES[platform.machine()])
            program.parent.mkdir(exist_ok=True)
            shutil.copyfile(library.path(found.sha256), program)
            program.chmod(0o755)
        return program

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the master's commands."""
        return dict(os.environ) | {"SALTERN_HOME": str(self.home)}

    @property
    def _pid_file(self) -> Path:
        return self.home / "run/master.pid"

    def _last_words(self) -> str:
        log = (self.home / "master.log").read_text(errors="replace").splitlines()
        return " / ".join(log[-5:]) or "it said nothing"


def wait_for(what: str, ask: Callable[[], T | None], seconds: float) -> T:
    """Ask until there is an answer; LabError after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := ask():
            return found
        time.sleep(0.05)
    raise LabError(f"waited {seconds:.0f} s in vain for {what}")


def _runs(pid: int) -> bool:
    """Tell whether a process lives; a zombie of ours is reaped."""
    with suppress(ChildProcessError):
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    return Path(f"/proc/{pid}").exists()
