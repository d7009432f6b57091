"""The crowd: agents, each a process with directories of its own, and their master on loopback.

    crowd = Crowd(folder, 50); crowd.start_master(); crowd.join(); crowd.apply(text) -> Turn

Nothing is faked: the master is `saltern master run`, the agents are `saltern-agent join` and
`saltern-agent run` with --config, --state, --run and --root of their own, so that what they hold
lies below their own directory. Everything ends with close(), also after an error.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from saltern_master.api.client import Client
from saltern_master.api.service import ServiceError
from saltern_master.bench.crowd.body import STANDING, policy
from saltern_master.bench.processes import cpu_seconds, front_of, pss_mib
from saltern_master.bench.turns import Followed, follow
from saltern_master.lab.errors import LabError
from saltern_master.lab.fleet import wait_for

HOST = "127.0.0.1"
INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
EACH = 4  # inotify instances that an agent may need
PROGRAMS = Path(sys.executable).parent
SECONDS = 120.0
REST = 0.2  # after a turn, so that what it left to be done is counted with it


@dataclass(frozen=True, slots=True)
class Turn:
    """One apply, and the CPU seconds that it took."""

    followed: Followed
    agents_cpu: float  # of all agents together
    core_cpu: float
    front_cpu: float


@dataclass(slots=True)
class Crowd:
    """The master and its agents."""

    folder: Path
    size: int
    master: subprocess.Popen[bytes] | None = None
    instances: tuple[str, str] | None = None  # that a user may have: as it was, and as we set it
    agents: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes' names."""
        return tuple(f"n{number:03}" for number in range(1, self.size + 1))

    @property
    def home(self) -> Path:
        """The master's HOME."""
        return self.folder / "home"

    @property
    def client(self) -> Client:
        """The API, as the command line calls it."""
        return Client(self.home / "run/api.sock", SECONDS)

    def start_master(self) -> None:
        """Make a HOME whose policy allows what the crowd declares, and run the master."""
        self.saltern("init", "--cluster", "crowd")
        (self.home / "policy.yaml").write_text(policy())
        self.saltern("policy")
        run = ("master", "run", "--listen", HOST, "--link-port", "0", "--door-port", "0")
        self.master = self._begin("master", [str(PROGRAMS / "saltern"), *run])
        wait_for("the master to answer", self._answers, SECONDS)

    def join(self) -> None:
        """Have every agent enrol and run; ends when all are connected."""
        self._make_room()
        for name in self.names:
            for path in STANDING:
                (self.folder / name / "root" / path[1:]).mkdir(parents=True)
            made = json.loads(self.saltern("node", "token", name, "--output", "json"))
            _must([*self._agent(name), "join", str(made["token"])], None)
        for name in self.names:
            self.agents[name] = self._begin(name, [*self._agent(name), "run"])
        wait_for("all agents to be connected", lambda: self.connected() == self.size, SECONDS)

    def connected(self) -> int:
        """Count the nodes that are connected."""
        return sum(one.connected for one in self.client.status().nodes)

    def apply(self, cluster: str) -> Turn:
        """Apply a cluster file and wait for the last node's word; ServiceError."""
        before = self._cpu()
        followed = follow(self.client, cluster.encode())
        time.sleep(REST)
        used = (now - then for then, now in zip(before, self._cpu(), strict=True))
        return Turn(followed, *used)

    def memory(self) -> tuple[tuple[float, ...], float, float]:
        """Give PSS in MiB: of each agent, of core, of front."""
        core, front = self.processes()
        agents = tuple(pss_mib(one.pid) for one in self.agents.values())
        return agents, pss_mib(core), pss_mib(front)

    def processes(self) -> tuple[int, int]:
        """Give the process ids of core and front."""
        if self.master is None:
            raise LabError("cannot measure a master that was not started")
        return self.master.pid, front_of(self.master.pid)

    def close(self) -> None:
        """End all of it."""
        running = [*self.agents.values(), *([self.master] if self.master else [])]
        for one in running:
            one.send_signal(signal.SIGTERM)
        for one in running:
            with suppress(subprocess.TimeoutExpired):
                one.wait(20)
            one.kill()
            one.wait()
        if self.instances is not None and INSTANCES.read_text() == self.instances[1]:
            INSTANCES.write_text(self.instances[0])

    def saltern(self, *arguments: str) -> str:
        """Run a command of the master that has to succeed; gives what it printed."""
        return _must([str(PROGRAMS / "saltern"), *arguments], self._environment)

    def _make_room(self) -> None:
        """Let one user have the inotify instances of so many machines; close() takes it back."""
        before = INSTANCES.read_text()
        wanted = f"{int(before) + EACH * self.size}\n"
        INSTANCES.write_text(wanted)
        self.instances = before, wanted

    def _begin(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
            )

    def _agent(self, name: str) -> list[str]:
        own = self.folder / name
        places = [(f"--{one}", str(own / one)) for one in ("config", "state", "run", "root")]
        return [str(PROGRAMS / "saltern-agent"), *(word for pair in places for word in pair)]

    def _answers(self) -> bool:
        if self.master is None or self.master.poll() is not None:
            log = (self.folder / "master.log").read_text(errors="replace")
            raise LabError(f"cannot run the master: {log[-2000:]}")
        with suppress(ServiceError):
            self.client.status()
            return True
        return False

    def _cpu(self) -> tuple[float, float, float]:
        core, front = self.processes()
        agents = sum(cpu_seconds(one.pid) for one in self.agents.values())
        return agents, cpu_seconds(core), cpu_seconds(front)

    @property
    def _environment(self) -> dict[str, str]:
        return dict(os.environ) | {"SALTERN_HOME": str(self.home)}


def _must(argv: list[str], environment: dict[str, str] | None) -> str:
    done = subprocess.run(
        argv, capture_output=True, text=True, env=environment, timeout=SECONDS, check=False
    )
    if done.returncode:
        raise LabError(f"cannot run {' '.join(argv[:8])}: {done.stderr.strip()}")
    return done.stdout
