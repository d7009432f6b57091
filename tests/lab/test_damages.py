"""What somebody breaks is named, set right, and the pod answers again; the agent is running."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

import pytest

from tests.lab.held import Held, Json, wait_until
from tests.lab.snapshot import Snapshot, difference

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

DAEMON = "/etc/docker/daemon.json"
MANIFESTS = "/etc/kubernetes/manifests"
ELSEWHERE = f"""
cp -p {DAEMON} /run/kept && sed -i s/10m/11m/ {DAEMON}
systemctl restart docker && cp -p /run/kept {DAEMON} && rm /run/kept
"""
POD = ("container *", "link veth*")
DOCKER = ("unit docker.service",)
KUBELET = ("unit kubelet.service",)


@dataclass(frozen=True, slots=True)
class Damage:
    """What is done, what is then named, and what has another face afterwards."""

    name: str
    command: tuple[str, ...]
    resource: str
    later: tuple[str, ...] = ()
    seen: frozenset[str] = frozenset({"event"})
    asleep: bool = False  # the agent does not run while it is done


DAMAGES = (
    Damage("bridge-deleted", ("ip", "link", "delete", "cbr0"), "network/cbr0"),
    Damage(
        "kubelet-config-edited",
        ("sed", "-i", "s/maxPods: 60/maxPods: 6/", "/var/lib/kubelet/config.yaml"),
        "kubelet/config.yaml",
    ),
    Damage(
        "chain-flushed",
        ("iptables", "-w", "-t", "nat", "-F", "SALTERN-POST"),
        "network/SALTERN-POST",
    ),
    Damage(
        "jump-removed",
        ("iptables", "-w", "-t", "nat", "-D", "POSTROUTING", "-j", "SALTERN-POST"),
        "network/SALTERN-POST",
    ),
    Damage(
        "docker-stopped",
        ("systemctl", "stop", "docker.service"),
        "docker/docker.service",
        DOCKER + POD,
    ),
    Damage(
        "kubelet-killed",
        ("systemctl", "kill", "--signal=KILL", "kubelet.service"),
        "kubelet/kubelet.service",
        KUBELET,
    ),
    Damage(
        "manifest-removed",
        ("rm", f"{MANIFESTS}/hello.yaml"),
        "kubelet/manifests/hello.yaml",
        POD,
    ),
    Damage(
        "stray-manifest",
        ("cp", f"{MANIFESTS}/hello.yaml", f"{MANIFESTS}/stray.yaml"),
        "kubelet/manifests",
        POD,
    ),
    Damage(
        "parameter-changed",
        ("sysctl", "-w", "net.ipv4.ip_forward=0"),
        "network/net.ipv4.ip_forward",
        seen=frozenset({"event", "look"}),  # read each second, unless a whole look comes before
    ),
    Damage(
        "docker-started-with-other-options",
        ("sh", "-c", ELSEWHERE),
        "docker/docker.service",
        DOCKER,
        asleep=True,
    ),
)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_it_is_named_and_set_right(held: Held, damage: Damage) -> None:
    before = held.snapshot()
    last = max((one["seq"] for one in held.drift()), default=0)
    hurt(held, damage)

    def healed() -> Json | None:
        for one in held.drift():
            if one["seq"] > last and one["resource"] == damage.resource and one["healed"]:
                return one
        return None

    record = wait_until(healed, f"a healed record of {damage.resource}", 60)
    assert record["seen"] in damage.seen or damage.asleep
    assert record["outcome"] in ("healed", "went away by itself")
    assert record["found"]
    wait_until(lambda: held.state() == "converged", "converged", 60)
    wait_until(held.pod_says, "a pod that answers", 60)
    wait_until(lambda: not rest(held, damage, before), f"{rest(held, damage, before)} as before")


def hurt(held: Held, damage: Damage) -> None:
    pid = str(held.status()["pid"])
    if damage.asleep:
        held.must("kill", "-STOP", pid)
    held.must(*damage.command)
    if damage.asleep:
        held.must("kill", "-CONT", pid)


def rest(held: Held, damage: Damage, before: Snapshot) -> dict[str, str]:
    """Give what is not as before, but for what the damage may leave behind."""
    return {
        name: sign
        for name, sign in difference(before, held.snapshot()).items()
        if not any(fnmatchcase(name, pattern) for pattern in damage.later)
    }
