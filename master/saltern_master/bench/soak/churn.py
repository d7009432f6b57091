"""What goes on in a cluster that nobody damages. Each turn does one thing, and nothing is drift."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count, cycle

from saltern_master.lab.errors import LabError
from saltern_master.lab.fleet import Fleet

NAME = "churn"
IMAGE = "saltern/echo:1"
REPLICAS = (6, 1, 4, 2)
WORKERS = ("w1", "w2")
PAUSE = 3.0  # seconds between two turns


@dataclass(frozen=True, slots=True)
class Churn:
    """A Deployment and its Services, and the containers of two workers."""

    fleet: Fleet
    done: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)

    def begin(self) -> None:
        """Have the Deployment made; LabError where Kubernetes does not take it."""
        made = self.fleet.kubectl("create", "deployment", NAME, f"--image={IMAGE}")
        if made.returncode:
            raise LabError(f"cannot make pods: {made.stderr.strip()}")

    def turns(self) -> Iterator[Callable[[], None]]:
        """Give what is done next, without end."""
        for number, replicas, worker in zip(count(), cycle(REPLICAS), cycle(WORKERS)):
            yield partial(self._scale, replicas)
            yield partial(self._service, number)
            yield partial(self._restart, worker)
            yield self._delete

    def _scale(self, replicas: int) -> None:
        done = self.fleet.kubectl("scale", f"--replicas={replicas}", f"deployment/{NAME}")
        self._did("scale", done)

    def _delete(self) -> None:
        chosen = ("--selector", f"app={NAME}", "--wait=false")
        self._did("delete pods", self.fleet.kubectl("delete", "pods", *chosen))

    def _service(self, number: int) -> None:
        """A Service comes, the one of before goes: kube-proxy writes its chains anew."""
        name = f"{NAME}-{number}"
        ports = ("--port=80", "--target-port=8080")
        made = self.fleet.kubectl("expose", "deployment", NAME, "--name", name, *ports)
        self._did("service", made)
        if number:
            self._did("service", self.fleet.kubectl("delete", "service", f"{NAME}-{number - 1}"))

    def _restart(self, worker: str) -> None:
        """docker restarts a container of a pod."""
        trial = self.fleet.node(worker)
        asked = ("--quiet", "--filter", "label=io.kubernetes.container.name=echo")
        found = trial.run("/usr/bin/docker", "ps", *asked, timeout=60).stdout.split()
        if found:
            done = trial.run("/usr/bin/docker", "restart", "--time=1", found[0], timeout=60)
            self._did("restart", done)

    def _did(self, what: str, done: subprocess.CompletedProcess[str]) -> None:
        """Count; a pod that is gone by then is no fault of anybody's."""
        kept = self.done if done.returncode == 0 else self.refused
        kept[what] = kept.get(what, 0) + 1
