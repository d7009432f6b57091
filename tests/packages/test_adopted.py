"""A node that hands made, with real parts: adopted with a plan of 0 changes, then held.

docker on a cbr0 of `ip`, a kubelet as a unit of one's own, a static pod: by the commands of
"Creating a Custom Cluster from Scratch", on a bare Debian, before there is any Saltern on it.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from saltern_master.api.client import Client
from saltern_master.cluster.load import load
from saltern_master.lab import Lab, network
from saltern_master.lab.fleet import Fleet, wait_for
from saltern_master.library import Library

pytestmark = [pytest.mark.packages, pytest.mark.timeout(900)]

RECORDED = Path(__file__).parent.parent / "golden" / "adoption" / "lab.reading.json"
DAEMON = '{"bridge": "cbr0", "iptables": false, "ip-masq": false, "live-restore": true}\n'
POD = """\
# by hand
apiVersion: v1
kind: Pod
metadata: {name: hello, namespace: default}
spec:
  containers:
  - {name: echo, image: "saltern/echo:1", imagePullPolicy: IfNotPresent}
"""
UNIT = """\
[Unit]
Description=the kubelet, by hand
After=docker.service
[Service]
ExecStart=/usr/local/bin/kubelet --pod-manifest-path=/etc/kubernetes/manifests \\
  --container-runtime=docker --pod-infra-container-image=PAUSE \\
  --fail-swap-on=false --cgroup-driver=cgroupfs --hostname-override=w1
Restart=always
[Install]
WantedBy=multi-user.target
"""
BRIDGE = """
set -e
ip link add name cbr0 type bridge
ip address add 10.10.5.1/24 dev cbr0
ip link set cbr0 up
echo net.ipv4.ip_forward=1 >/etc/sysctl.d/99-by-hand.conf
sysctl -q -p /etc/sysctl.d/99-by-hand.conf
sysctl -q -w net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1
iptables -t nat -A POSTROUTING ! -d 10.0.0.0/8 -m addrtype ! --dst-type LOCAL -j MASQUERADE
mkdir -p /etc/docker /etc/kubernetes/manifests /etc/kubernetes/pki
"""
STATE = """
echo files; find /etc/docker /etc/kubernetes /etc/sysctl.d /etc/systemd/system -type f \
    ! -path '*saltern*' -exec stat -c '%n %a %U %Z' {} + | sort
echo links; ip -o address show; ip -o link show type bridge; ip route show
echo rules; iptables-save | grep ^-A
echo units; systemctl show --property=Id,InvocationID,ActiveState,UnitFileState docker kubelet
echo pods; docker ps --quiet --no-trunc | sort
"""
"""What an adoption must leave as it is: contents by the time of their last change."""


@dataclass(frozen=True)
class ByHand:
    """The node, and what is typed on it and on the master."""

    fleet: Fleet

    def say(self, *argv: str) -> str:
        return self.fleet.node("w1").must(*argv)

    def write(self, path: str, text: str) -> None:
        done = self.fleet.lab.exec("w1", ["tee", path], input=text, timeout=60)
        assert done.returncode == 0, done.stderr

    def carry(self, blob: Path, path: str) -> None:
        self.fleet.lab.copy_in("w1", blob, path)

    def pods(self) -> list[str]:
        label = "label=io.kubernetes.container.name=echo"
        return self.say("docker", "ps", "--quiet", "--no-trunc", "--filter", label).split()

    def state(self) -> str:
        return self.say("sh", "-c", STATE)


def set_up(hand: ByHand) -> None:
    """Make a node by hand, from what the library has."""
    library = Library(hand.fleet.home)
    stock = library.list()
    for one in {deb.sha256: deb for found in stock.packages for deb in found.debs}.values():
        hand.carry(library.path(one.sha256), f"/root/debs/{one.package}.deb")
    hand.say("sh", "-c", "DEBIAN_FRONTEND=noninteractive dpkg --install /root/debs/*.deb")
    hand.say("sh", "-c", BRIDGE)
    hand.write("/etc/docker/daemon.json", DAEMON)
    hand.say("systemctl", "restart", "docker")
    images = [one for one in stock.images if one.name.split(":")[0].endswith(("/pause", "/echo"))]
    for number, image in enumerate(images):
        hand.carry(library.path(image.archive_sha256), f"/root/image{number}.tar")
        hand.say("docker", "load", "--input", f"/root/image{number}.tar")
    (pause,) = (one.name for one in images if "/pause" in one.name)
    kubelet = next(one for one in stock.binaries if one.component == "kubelet")
    hand.carry(library.path(kubelet.sha256), "/usr/local/bin/kubelet")
    hand.say("chmod", "0755", "/usr/local/bin/kubelet")
    hand.write("/etc/systemd/system/kubelet.service", UNIT.replace("PAUSE", pause))
    hand.write("/etc/kubernetes/manifests/hello.yaml", POD)
    hand.write("/etc/kubernetes/pki/sa.key", "-----BEGIN PRIVATE KEY-----\nplanted\n")
    hand.say("systemctl", "daemon-reload")
    hand.say("systemctl", "enable", "--now", "kubelet")
    wait_for("the pod of a static manifest", hand.pods, 120)


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ByHand]:
    free = network.free(network.links(), network.used_subnets(), first=os.getpid())
    lab = Lab(f"t{os.getpid()}-{secrets.token_hex(2)}", free)
    folder = tmp_path_factory.mktemp("adopted")
    folder.chmod(0o711)
    address = str(free.subnet[21])
    fleet = Fleet(lab, {"w1": address}, folder / "home", folder / "none.yaml", print)
    try:
        fleet.up()
        fleet.node("w1").stock()
        hand = ByHand(fleet)
        set_up(hand)
        fleet.start_master()
        fleet.install()
        fleet.join("w1", "worker")
        wait_for("the node at the master", lambda: connected(fleet), 60)
        yield hand
    finally:
        fleet.stop_master()
        lab.down()


def survey(fleet: Fleet) -> None:
    """Print what a reading takes and comes to; with SALTERN_GOLDEN=write, record it."""
    client, began = Client(fleet.home / "run/api.sock"), time.monotonic()
    facts = client.survey("w1").facts
    took, data = time.monotonic() - began, msgspec.json.encode(facts)
    print(f"read in {took * 1000:.0f} ms: {len(facts)} facts, {len(data)} bytes")
    if os.environ.get("SALTERN_GOLDEN") == "write":
        RECORDED.write_bytes(msgspec.json.format(data) + b"\n")


def connected(fleet: Fleet) -> bool:
    told = fleet.try_saltern("status", "--output", "json").stdout  # 1: something is not as declared
    nodes = json.loads(told)["nodes"]
    return any(one["name"] == "w1" and one.get("connected") for one in nodes)


def test_a_node_made_by_hand_is_adopted_with_no_change_and_then_held(
    by_hand: ByHand, tmp_path: Path
) -> None:
    fleet, file = by_hand.fleet, tmp_path / "cluster.yaml"
    pods, before = by_hand.pods(), by_hand.state()

    survey(fleet)
    words = ("adopt", "w1", "--kubernetes", "1.20.2", "--write", str(file))
    described = fleet.try_saltern(*words)

    print(described.stdout, described.stderr)
    assert described.returncode == 0
    assert "plan: 0 changes" in described.stdout
    told = file.read_text() + described.stdout
    assert "planted" not in told
    key = json.loads(by_hand.say("cat", "/etc/docker/key.json"))["d"]  # docker made it
    assert key not in told
    (node,) = load(file.read_bytes()).cluster.nodes
    assert (node.name, node.address, node.is_bare) == ("w1", fleet.nodes["w1"], True)
    held = {one.id for one in load(file.read_bytes()).cluster.groups[-1].resources}
    assert held >= {
        "adopted/cbr0",
        "adopted/docker.service",
        "adopted/etc/docker/daemon.json",
        "adopted/etc/kubernetes/manifests/hello.yaml",
        "adopted/etc/systemd/system/kubelet.service",
        "adopted/kubelet.service",
        "adopted/package/docker.io",
        "adopted/sysctl/net.ipv4.ip_forward",
    }
    assert by_hand.state() == before, "describing it changed nothing"

    taken = fleet.try_saltern("adopt", "w1", "--take", "--file", str(file))

    assert taken.returncode == 0, taken.stdout + taken.stderr
    assert by_hand.state() == before, "nor did taking it over: nothing was restarted or written"

    by_hand.write("/etc/docker/daemon.json", "{}\n")
    by_hand.write("/etc/kubernetes/manifests/stray.yaml", POD.replace("hello", "stray"))
    by_hand.say("sysctl", "-q", "-w", "net.ipv4.ip_forward=0")
    by_hand.fleet.node("w1").run("systemctl", "stop", "kubelet")  # 1: it is started meanwhile
    by_hand.say("ip", "link", "set", "cbr0", "mtu", "1400")
    wait_for("all of it to be set right", lambda: as_it_was(by_hand), 120)
    assert set(pods) <= set(by_hand.pods()), "its pod ran on; the stray one may be ending yet"


def as_it_was(hand: ByHand) -> bool:
    """Tell whether what was broken is as it was adopted."""
    asked = {
        ("cat", "/etc/docker/daemon.json"): DAEMON,
        ("ls", "/etc/kubernetes/manifests"): "hello.yaml\n",
        ("sysctl", "-n", "net.ipv4.ip_forward"): "1\n",
        ("cat", "/sys/class/net/cbr0/mtu"): "1500\n",
        ("systemctl", "show", "--property=ActiveState", "kubelet"): "ActiveState=active\n",
    }
    return all(hand.say(*argv) == wanted for argv, wanted in asked.items())
