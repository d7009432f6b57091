"""Whatever is killed, all come back by themselves, and nothing that nodes had to tell is lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.cluster.cluster import NAMES, Cluster, Json, now
from tests.cluster.recollection import demand_no_holes, standing
from tests.lab.snapshot import Snapshot, difference

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300, func_only=True)]

FILE = "/etc/sysctl.d/90-saltern-net.core.somaxconn.conf"
RESOURCE = "sysctl/net.core.somaxconn"
OUTCOMES = ("healed", "went away by itself")
"""The second is for who was killed between the repair and its record, and found it made."""
FRONT_SECONDS, NODE_SECONDS = 4.0, 20.0


def end_master(cluster: Cluster, damage: Callable[[], None]) -> None:
    """The master ends in order, and is away while something breaks."""
    cluster.fleet.stop_master()
    damage()
    cluster.fleet.start_master()


def kill_master(cluster: Cluster, damage: Callable[[], None]) -> None:
    """The master is killed while it hears of something that broke."""
    damage()
    cluster.fleet.stop_master(signal.SIGKILL)
    cluster.fleet.start_master()


def kill_front(cluster: Cluster, damage: Callable[[], None]) -> None:
    """The front is killed; core has another one soon, and all nodes come to it."""
    damage()
    core = int((cluster.fleet.home / "run/master.pid").read_text())
    (front,) = children(core)
    began = time.monotonic()
    os.kill(front, signal.SIGKILL)
    cluster.wait("another front", lambda: children(core) not in ([], [front]), FRONT_SECONDS)
    cluster.wait("all nodes to connect again", cluster.is_well, NODE_SECONDS)
    print(f"all nodes were there again after {time.monotonic() - began:.2f} s")
    assert children(core) != [front]


def kill_agents(cluster: Cluster, damage: Callable[[], None]) -> None:
    """Every agent is killed at once, just when something broke."""
    damage()
    kill = ("systemctl", "kill", "--kill-whom=all", "--signal=KILL", "saltern-agent")
    with ThreadPoolExecutor(len(NAMES)) as at_once:
        tuple(at_once.map(lambda name: cluster.say(name, *kill), NAMES))


def reboot(cluster: Cluster, damage: Callable[[], None]) -> None:
    """A worker is shut down in order and boots."""
    damage()
    assert cluster.fleet.lab.reboot("w1") == "running"


def cut_power(cluster: Cluster, damage: Callable[[], None]) -> None:
    """A worker's power is cut."""
    damage()
    assert cluster.fleet.lab.kill_power("w2") == "running"


@dataclass(frozen=True, slots=True)
class Case:
    """What happens, where something breaks meanwhile, and what is new on which node after it."""

    happens: Callable[[Cluster, Callable[[], None]], None]
    node: str
    new: dict[str, tuple[str, ...]]


AGENT = ("unit saltern-agent.service",)
BOOT = ("unit *", "container *", "link veth*")
CASES = {
    "the master ends": Case(end_master, "w2", {}),
    "the master is killed": Case(kill_master, "w1", {}),
    "the front is killed": Case(kill_front, "w2", {}),
    "every agent is killed": Case(kill_agents, "w1", dict.fromkeys(NAMES, AGENT)),
    "w1 reboots": Case(reboot, "w1", {"w1": BOOT}),
    "w2 loses power": Case(cut_power, "w2", {"w2": BOOT}),
}


@pytest.mark.parametrize("what", CASES)
def test_all_come_back_and_nothing_is_lost(cluster: Cluster, what: str) -> None:
    case = CASES[what]
    before = {name: cluster.snapshot(name) for name in NAMES}
    stood = standing(cluster)
    drift = {(one["node"], one["number"]): one for one in cluster.drift()}
    began = now()

    case.happens(cluster, lambda: _damage(cluster, case.node))

    def told() -> Json | None:
        new = (one for one in cluster.drift(case.node) if one["since"] >= began)
        return next((one for one in new if one["healed"]), None)

    record = cluster.wait("what broke to be told and healed", told)
    cluster.settle()
    assert record["resource"] == RESOURCE, [
        one for one in cluster.drift(case.node) if one["since"] >= began
    ]
    assert record["outcome"] in OUTCOMES
    after = {(one["node"], one["number"]): one for one in cluster.drift()}
    new = {key: one for key, one in after.items() if key not in drift}
    assert list(new.values()) == [record], "told once, and nothing else is drift"
    assert {key: one for key, one in after.items() if key in drift} == drift
    assert standing(cluster) == stood
    for name in NAMES:
        moved = difference(unordered(before[name]), unordered(cluster.snapshot(name)))
        assert unexpected(moved, case.new.get(name, ())) == [], name
        demand_no_holes(cluster, name)


def unexpected(names: Iterable[str], expected: Iterable[str]) -> list[str]:
    """Name the things that no pattern foresees."""
    return [one for one in names if not any(fnmatchcase(one, new) for new in expected)]


def unordered(seen: Snapshot) -> Snapshot:
    """Forget the order of rules: kubelet and kube-proxy race for the first place after a boot."""
    return {
        name: "\n".join(sorted(what.splitlines())) if name.startswith("chain") else what
        for name, what in seen.items()
    }


def _damage(cluster: Cluster, node: str) -> None:
    cluster.say(node, "chmod", "0777", FILE)


def children(pid: int) -> list[int]:
    """Give the processes that a process started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in listed]
