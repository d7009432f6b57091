"""Measures a fleet that has joined: the apply, no-ops, and a while at rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from saltern_protocol.lease import RENEW_SECONDS

from saltern_master.api.client import Client
from saltern_master.bench.cluster.figures import (
    Figures,
    First,
    Memory,
    NoOps,
    Rest,
    peak_of,
    traffic,
)
from saltern_master.bench.processes import cpu_seconds, front_of, pss_mib
from saltern_master.bench.site import Site
from saltern_master.bench.turns import follow
from saltern_master.demo import control_plane_ready, ready
from saltern_master.lab.errors import LabError
from saltern_master.lab.fleet import Fleet, wait_for

SECONDS = 600.0
PACE = 0.2  # between two looks at memory
LOADS = 20.0  # seconds within which the front tells its Load


@dataclass(frozen=True, slots=True)
class Amount:
    """How often, and how long."""

    no_ops: int = 20
    commands: int = 10
    rest: float = RENEW_SECONDS  # seconds, so that each node renews its lease once


@dataclass(frozen=True, slots=True)
class Master:
    """The running master, as its processes and as its API."""

    core: int
    front: int
    client: Client

    @classmethod
    def of(cls, home: Path) -> Master:
        """Find it."""
        core = int((home / "run/master.pid").read_text())
        return cls(core, front_of(core), Client(home / "run/api.sock", SECONDS))

    def cpu(self) -> tuple[float, float]:
        """Give the CPU seconds of core and front so far."""
        return cpu_seconds(self.core), cpu_seconds(self.front)

    def memory(self) -> Memory:
        """Give what they have now."""
        return Memory(core=pss_mib(self.core), front=pss_mib(self.front))

    def load(self) -> Mapping[str, int]:
        """Wait for the front's next Load, and give it."""
        before = self.client.status().front
        return wait_for("the front's next Load", lambda: self._other_than(before), LOADS)

    def _other_than(self, before: Mapping[str, int]) -> Mapping[str, int] | None:
        found = self.client.status().front
        return None if found == before else found


def measure(fleet: Fleet, site: Site, amount: Amount) -> Figures:
    """Measure all of it."""
    master = Master.of(fleet.home)
    with _watched(master) as samples:
        fleet.show("the first apply")
        first = _first(fleet, master)
        wait_for("nothing to be left to do", lambda: _is_settled(master, fleet), SECONDS)
        fleet.show(f"{amount.no_ops} no-ops, and {amount.commands} by the command")
        no_ops = _no_ops(fleet, master, amount)
    fleet.show(f"{amount.rest:.0f} s at rest")
    rest = _rest(master, amount.rest, len(fleet.nodes))
    return Figures(
        site=site,
        first=first,
        no_ops=no_ops,
        rest=rest,
        at_rest=master.memory(),
        peak=peak_of(samples),
    )


def _first(fleet: Fleet, master: Master) -> First:
    before, began = master.cpu(), time.perf_counter()
    followed = follow(master.client, fleet.cluster.read_bytes())
    followed.must_be("changed")
    wait_for("three nodes to be Ready", lambda: ready(fleet) == len(fleet.nodes), SECONDS)
    wait_for("the control plane to be Ready", lambda: control_plane_ready(fleet), SECONDS)
    valid = time.perf_counter() - began
    core, front = _since(master, before)
    changes = sum(one.changes for one in followed.nodes.values())
    return First(told=followed.last, valid=valid, changes=changes, core_cpu=core, front_cpu=front)


def _no_ops(fleet: Fleet, master: Master, amount: Amount) -> NoOps:
    file, requested, commanded = fleet.cluster.read_bytes(), [], []
    before = master.cpu()
    for _ in range(amount.no_ops):
        followed = follow(master.client, file)
        followed.must_be("converged", 0)
        requested.append(followed.last)
    core, front = (1000 * used / amount.no_ops for used in _since(master, before))
    for _ in range(amount.commands):
        began = time.perf_counter()
        done = fleet.try_saltern("apply", str(fleet.cluster))
        commanded.append(time.perf_counter() - began)
        if done.returncode:
            raise LabError(f"cannot apply: {done.stdout}{done.stderr}")
    return NoOps(
        requested=tuple(requested), commanded=tuple(commanded), core_cpu=core, front_cpu=front
    )


def _rest(master: Master, seconds: float, nodes: int) -> Rest:
    """Sit still. The CPU is of the time in which not even this asks for anything."""
    first, counted = master.load(), time.perf_counter()
    before, began = master.cpu(), time.perf_counter()
    time.sleep(seconds)
    core, front = _since(master, before)
    took = time.perf_counter() - began
    last = master.load()
    return Rest(
        seconds=took,
        core_cpu=100 * core / took,
        front_cpu=100 * front / took,
        nodes=nodes,
        counted_seconds=time.perf_counter() - counted,
        **traffic(first, last),
    )


def _since(master: Master, before: tuple[float, float]) -> tuple[float, float]:
    core, front = master.cpu()
    return core - before[0], front - before[1]


def _is_settled(master: Master, fleet: Fleet) -> bool:
    """Tell whether an apply has nothing to do: what came late has been set right."""
    turn = follow(master.client, fleet.cluster.read_bytes())
    return all(one.result == "converged" for one in turn.nodes.values())


@contextmanager
def _watched(master: Master) -> Iterator[list[Memory]]:
    """Look at memory all the while, in a thread."""
    samples, ended = [master.memory()], threading.Event()

    def watch() -> None:
        while not ended.wait(PACE):
            samples.append(master.memory())

    thread = threading.Thread(target=watch, name="memory")
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()
