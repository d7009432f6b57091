"""Fifty agents, each a process with directories of its own, against the real master on loopback.

    crowd = Crowd(folder, 50, show); crowd.join(); crowd.apply(text) -> Turn

Each agent has --config, --state, --run and --root of its own, so that its files lie below its
own directory. Nothing is faked: the master is `saltern master run`, the agents are
`saltern-agent join` and `saltern-agent run`. Everything ends with close(), also after an error.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from saltern_master.lab.errors import LabError

HOST = "127.0.0.1"
PORTS = (16555, 16556)
PROGRAMS = Path(sys.executable).parent
SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One apply. Seconds from the request to each node's last word; CPU in seconds."""

    results: dict[str, str]
    last: float
    agents_cpu: float  # of all agents together
    core_cpu: float
    front_cpu: float


@dataclass(slots=True)
class Crowd:
    """The master and its agents."""

    folder: Path
    size: int
    show: Callable[[str], None]
    master: subprocess.Popen[bytes] | None = None
    agents: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes' names."""
        return tuple(f"n{number:03}" for number in range(1, self.size + 1))

    @property
    def home(self) -> Path:
        """The master's HOME."""
        return self.folder / "home"

    def start_master(self, policy: str) -> None:
        """Make a HOME whose policy allows what the bench declares, and run the master."""
        self.saltern("init", "--cluster", "crowd")
        (self.home / "policy.yaml").write_text(policy)
        self.saltern("policy")
        ports = ("--link-port", str(PORTS[0]), "--door-port", str(PORTS[1]))
        log = (self.folder / "master.log").open("ab")
        command = [str(PROGRAMS / "saltern"), "master", "run", "--listen", HOST, *ports]
        self.master = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
        )
        until("the master to answer", self._answers)

    def join(self) -> None:
        """Have every agent enrol and run."""
        for name in self.names:
            made = json.loads(self.saltern("node", "token", name, "--output", "json"))
            self._agent(name, "join", made["token"])
        for name in self.names:
            log = (self.folder / name / "log").open("ab")
            self.agents[name] = subprocess.Popen(
                [PROGRAMS / "saltern-agent", *self._places(name), "run"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until("all agents to be connected", lambda: self.connected() == self.size)

    def connected(self) -> int:
        """Count the nodes that are connected."""
        with self._http() as http:
            nodes = http.get("/v1/status").json()["nodes"]
        return sum(bool(one["connected"]) for one in nodes)

    def apply(self, cluster: str) -> Turn:
        """Apply a cluster file and wait for the last node's word."""
        before = self._cpu()
        began = time.perf_counter()
        with self._http() as http:
            made = http.post("/v1/apply", content=cluster.encode())
            if made.is_error:
                raise LabError(f"cannot apply: {made.text}")
            results = dict(self._follow(http, made.json()["turn"]))
        last = time.perf_counter() - began
        after = self._cpu()
        agents, core, front = (now - then for then, now in zip(before, after, strict=True))
        return Turn(results, last, agents, core, front)

    def memory(self) -> tuple[float, float, float]:
        """Give PSS in MiB: the mean of the agents, core, front."""
        agents = [_pss(one.pid) for one in self.agents.values()]
        core, front = self.processes()
        return sum(agents) / len(agents), _pss(core), _pss(front)

    def processes(self) -> tuple[int, int]:
        """Give the process ids of core and front."""
        assert self.master is not None
        return self.master.pid, child_of(self.master.pid)

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

    def saltern(self, *arguments: str) -> str:
        """Run a command of the master that has to succeed; gives what it printed."""
        return _must([str(PROGRAMS / "saltern"), *arguments], self._environment)

    def _follow(self, http: httpx.Client, turn: int) -> Iterator[tuple[str, str]]:
        with http.stream("GET", f"/v1/turns/{turn}/events") as stream:
            for line in stream.iter_lines():
                told: dict[str, Any] = json.loads(line)
                if "nodes" in told:
                    yield from ((one["node"], one["result"]) for one in told["nodes"])

    def _agent(self, name: str, *arguments: str) -> None:
        (self.folder / name / "root").mkdir(parents=True, exist_ok=True)
        _must([str(PROGRAMS / "saltern-agent"), *self._places(name), *arguments], None)

    def _places(self, name: str) -> tuple[str, ...]:
        own = self.folder / name
        wanted = ("config", "state", "run", "root")
        return tuple(word for one in wanted for word in (f"--{one}", str(own / one)))

    def _answers(self) -> bool:
        assert self.master is not None
        if self.master.poll() is not None:
            log = (self.folder / "master.log").read_text(errors="replace")
            raise LabError(f"cannot run the master: {log[-2000:]}")
        with suppress(httpx.HTTPError, OSError), self._http() as http:
            return bool(http.get("/v1/status").is_success)
        return False

    def _http(self) -> httpx.Client:
        transport = httpx.HTTPTransport(uds=str(self.home / "run/api.sock"))
        return httpx.Client(transport=transport, base_url="http://saltern", timeout=SECONDS)

    def _cpu(self) -> tuple[float, float, float]:
        agents = sum(cpu_seconds(one.pid) for one in self.agents.values())
        core, front = self.processes()
        return agents, cpu_seconds(core), cpu_seconds(front)

    @property
    def _environment(self) -> dict[str, str]:
        return dict(os.environ) | {"SALTERN_HOME": str(self.home)}


def cpu_seconds(pid: int) -> float:
    """Give the CPU time of all threads of a process that still run, to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def child_of(pid: int) -> int:
    """Give the one child of a process that is a front."""
    for line in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if b"saltern_master.front" in Path(f"/proc/{line}/cmdline").read_bytes():
            return int(line)
    raise LabError(f"cannot find the front of master {pid}")


def until(what: str, ask: Callable[[], bool]) -> None:
    """Wait for a condition; LabError after SECONDS."""
    deadline = time.monotonic() + SECONDS
    while not ask():
        if time.monotonic() > deadline:
            raise LabError(f"waited {SECONDS:.0f} s in vain for {what}")
        time.sleep(0.05)


def _pss(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _must(argv: list[str], environment: dict[str, str] | None) -> str:
    done = subprocess.run(
        argv, capture_output=True, text=True, env=environment, timeout=SECONDS, check=False
    )
    if done.returncode:
        raise LabError(f"cannot run {' '.join(argv[:8])}: {done.stderr.strip()}")
    return done.stdout
