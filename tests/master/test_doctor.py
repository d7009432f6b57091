"""Traps of a cluster file, and between nodes: each on one that has it, none on its neighbour."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_master.cluster.load import load
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import compile_cluster
from saltern_master.doctor.between import BETWEEN, Machine, between
from saltern_master.doctor.file import TRAPS, file_traps
from saltern_master.doctor.noted import noted, together

from tests.master.clusters import CONTROLLED, FULL, PKI, SMALL, STOCK

GROUP = "groups:\n- match: name=*\n"
CONTROL = CONTROLLED.partition("groups:")[0]
DROP_IN = """\
resources:
- id: kubelet-extra
  spec:
    kind: file/1
    path: /etc/systemd/system/{unit}.service.d/50-own.conf
    text: |
      [Service]
      Environment={word}
"""
POD = """\
  kubelet:
    staticPods:
    - apiVersion: v1
      kind: Pod
      metadata: {{name: web}}
      spec:
        {network}
        containers:
        - {{name: web, image: "saltern/echo:1", ports: [{{{port}}}]}}
"""


def edited(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


def pod(network: str, port: str) -> str:
    return CONTROL + GROUP + POD.format(network=network, port=port)


FILES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (
        "docker-range",
        edited(SMALL, "10.10.0.0/16", "172.16.0.0/12"),
        "172.16.0.0/12 overlaps 172.17.0.0/16, docker's own default range (docker0)",
        (),
    ),
    ("docker-range", edited(SMALL, "10.9.0.21", "172.17.0.21"), "172.17.0.21 lies in", ("w1",)),
    (
        "range-near-site",
        edited(SMALL, "10.10.0.0/16", "10.9.0.128/25, perNode: 27")
        + GROUP
        + "  kubelet: {config: {maxPods: 20}}\n",
        "network.pods: 10.9.0.128/25 overlaps 10.9.0.0/24",
        ("w1",),
    ),
    (
        "pods-per-node",
        edited(SMALL, "10.10.0.0/16", "10.10.0.0/16, perNode: 26"),
        "110 pods may run, and network.perNode 26 has 61 addresses",
        ("w1",),
    ),
    (
        "pods-per-node",
        SMALL + GROUP + "  kubelet: {config: {maxPods: 300}}\n",
        "300 pods may run",
        ("w1",),
    ),
    ("pods-room", edited(SMALL, "10.10.0.0/16", "10.10.0.0/24"), "has room for 1 nodes", ()),
    (
        "dns-outside",
        CONTROL + GROUP + "  kubelet: {config: {clusterDNS: [10.200.0.10]}}\n",
        "10.200.0.10 lies outside",
        ("cp1", "w1", "w2"),
    ),
    (
        "dns-outside",
        CONTROL + "groups:\n- match: name=w1\n  kubelet: {config: {clusterDNS: [10.0.0.1]}}\n",
        "is the API server's own",
        ("w1",),
    ),
    (
        "port-collision",
        CONTROL + GROUP + "  kubelet: {config: {healthzPort: 10256}}\n",
        "the kubelet (healthzPort) and kube-proxy (healthzBindAddress) both listen on port 10256",
        ("cp1", "w1", "w2"),
    ),
    (
        "port-collision",
        CONTROL + GROUP + '  kubeProxy: {config: {metricsBindAddress: "0.0.0.0:10257"}}\n',
        "the controller-manager and kube-proxy (metricsBindAddress)",
        ("cp1",),
    ),
    (
        "port-collision",
        pod("hostNetwork: true", "containerPort: 10250"),
        "the kubelet (port) and the static pod web both listen on port 10250",
        ("cp1", "w1", "w2"),
    ),
    (
        "port-collision",
        pod("restartPolicy: Always", "containerPort: 80, hostPort: 6443"),
        "the API server and the static pod web",
        ("cp1",),
    ),
    (
        "letter-case",
        edited(CONTROL, "[worker], labels: {zone: a}", "[worker], labels: {zone: A}"),
        "zone=A, zone=a",
        ("cp1", "w1"),
    ),
    (
        "cgroup-driver",
        CONTROL + DROP_IN.format(unit="kubelet", word="EXTRA=--cgroup-driver=systemd"),
        "kubelet-extra says --cgroup-driver=systemd",
        ("cp1", "w1", "w2"),
    ),
    (
        "cgroup-driver",
        CONTROL + DROP_IN.format(unit="docker", word="X=--exec-opt native.cgroupdriver=systemd"),
        "native.cgroupdriver=systemd",
        ("cp1", "w1", "w2"),
    ),
    (
        "forwarding-off",
        SMALL + GROUP + '  sysctls: {net.ipv4.conf.all.forwarding: "0"}\n',
        "net.ipv4.conf.all.forwarding is 0",
        ("w1",),
    ),
    (
        "node-ports",
        SMALL + GROUP + '  sysctls: {net.ipv4.ip_local_port_range: "1024 65000"}\n',
        "1024 65000 has the NodePorts in it",
        ("w1",),
    ),
)
GOOD = {
    "one node": SMALL,
    "all that a file can say": edited(
        edited(FULL, "maxPods: 60", "maxPods: 30"), "perNode: 25", "perNode: 24"
    ),
    "a control plane": CONTROLLED,
    "beside docker's own range": edited(SMALL, "10.10.0.0/16", "172.18.0.0/16"),
    "the DNS of most": CONTROL + GROUP + "  kubelet: {config: {clusterDNS: [10.0.0.10]}}\n",
    "kubeadm's own ranges": edited(SMALL, "10.10.0.0/16", "10.244.0.0/16"),
    "no health of the kubelet's": CONTROL + GROUP + "  kubelet: {config: {healthzPort: 0}}\n",
    "a port of the pod's own": pod("restartPolicy: Always", "containerPort: 10250"),
    "a port by UDP": pod("hostNetwork: true", "containerPort: 10250, protocol: UDP"),
    "the same driver": CONTROL + DROP_IN.format(unit="kubelet", word="X=--cgroup-driver=cgroupfs"),
    "ports that are reserved": SMALL
    + GROUP
    + '  sysctls: {net.ipv4.ip_local_port_range: "1024 65000", '
    + 'net.ipv4.ip_local_reserved_ports: "30000-32767"}\n',
    "a bare node, whatever it is told": edited(SMALL, "21}", "21, roles: [bare]}")
    + GROUP
    + '  sysctls: {net.ipv4.conf.all.forwarding: "0"}\n',
}


@pytest.mark.parametrize(
    ("trap", "text", "words", "nodes"), FILES, ids=[f"{one[0]}-{one[2]}" for one in FILES]
)
def test_a_file_with_a_trap(trap: str, text: str, words: str, nodes: tuple[str, ...]) -> None:
    (found,) = file_traps(load(text.encode()).cluster)
    assert (found.finding.trap, found.nodes) == (trap, nodes)
    assert words in found.finding.what
    assert found.finding.remedy


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD.keys())
def test_a_good_file_has_none(text: str) -> None:
    assert file_traps(load(text.encode()).cluster) == ()


def test_what_has_a_trap_compiles_all_the_same() -> None:
    """What does not is an error of the file, and told there."""
    for _, text, _, _ in FILES:
        compile_cluster(load(text.encode()), {}, Allocation(), STOCK, PKI)


def test_each_trap_of_a_file_has_a_case() -> None:
    names = {name for key in TRAPS for name in key.split(", ")}
    assert names == {one[0] for one in FILES}


ONE = {
    "machineId": "a1",
    "productUuid": "b1",
    "mac": "02:00:00:00:00:01",
    "node": "w1",
    "iptablesBackend": "nft",
    "kernel": "6.1.0-18-amd64",
    "cgroup": 2,
}
OTHER = {**ONE, "machineId": "a2", "productUuid": "b2", "mac": "02:00:00:00:00:02", "node": "w2"}
PAIRS: tuple[tuple[str, Machine, tuple[str, ...]], ...] = (
    ("same-machine-id", Machine("w2", {**OTHER, "machineId": "a1"}), ("w1", "w2")),
    ("same-product-uuid", Machine("w2", {**OTHER, "productUuid": "b1"}), ("w1", "w2")),
    ("same-mac", Machine("w2", {**OTHER, "mac": ONE["mac"]}), ("w1", "w2")),
    ("same-hostname", Machine("w2", {**OTHER, "node": "w1"}), ("w1", "w2")),
    ("clock-offset", Machine("w2", OTHER, offset=-2.5), ("w2",)),
    ("clock-offset", Machine("w2", OTHER, offset=90.0), ("w2",)),
    ("iptables-differ", Machine("w2", {**OTHER, "iptablesBackend": "legacy"}), ("w2",)),
    ("kernels-differ", Machine("w2", {**OTHER, "kernel": "5.10.0"}), ("w2",)),
    ("cgroups-differ", Machine("w2", {**OTHER, "cgroup": 1}), ("w2",)),
    ("agents-differ", Machine("w2", OTHER, release="0.2"), ("w2",)),
)


@pytest.mark.parametrize(("trap", "second", "nodes"), PAIRS, ids=lambda one: str(one)[:40])
def test_two_machines_with_a_trap(trap: str, second: Machine, nodes: tuple[str, ...]) -> None:
    (found,) = between([second, Machine("w1", ONE, release="0.1")])
    assert (found.finding.trap, found.nodes) == (trap, nodes)
    bad = trap in ("same-machine-id", "same-product-uuid", "same-mac") or second.offset == 90.0
    assert found.finding.bad == bad


def test_each_trap_between_nodes_has_a_case() -> None:
    assert {name for key in BETWEEN for name in key.split(", ")} == {one[0] for one in PAIRS}


def test_two_good_machines_have_none() -> None:
    assert between([Machine("w1", ONE, "0.1", 0.1), Machine("w2", OTHER, "0.1", -1.9)]) == ()


def test_machines_that_tell_nothing_are_in_nobodys_way() -> None:
    silent = {"machineId": "", "productUuid": "", "mac": "", "node": ""}
    assert between([Machine("w1", silent), Machine("w2", silent), Machine("w3", {})]) == ()


@given(
    st.lists(
        st.tuples(st.text(alphabet="ab", max_size=2), st.sampled_from(["nft", "legacy"])),
        max_size=8,
    )
)
def test_whom_it_names_are_nodes_that_were_given(told: list[tuple[str, str]]) -> None:
    machines = [
        Machine(f"n{at}", {"machineId": one, "iptablesBackend": backend})
        for at, (one, backend) in enumerate(told)
    ]
    found = between(machines)
    names = {one.name for one in machines}
    assert all(set(one.nodes) <= names and one.nodes for one in found)
    ids = [one for one, _ in told if one]
    assert any(f.finding.trap == "same-machine-id" for f in found) == (len(set(ids)) < len(ids))


def test_equal_ones_are_one() -> None:
    found = together([noted("a", "x", "y", "w1"), noted("a", "x", "y", "w2"), noted("b", "x", "y")])
    assert [one.nodes for one in found] == [("w1", "w2"), ()]


def test_names_are_those_of_the_protocol() -> None:
    names = [name for key in (*TRAPS, *BETWEEN) for name in key.split(", ")]
    assert all(re.match(r"[a-z][a-z0-9-]{0,63}\Z", name) for name in names)
    assert len(set(names)) == len(names)
