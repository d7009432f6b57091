"""What came of the cluster file is a Kubernetes cluster, by the word of everybody but Saltern."""

from __future__ import annotations

import json
import os
import subprocess
from ipaddress import IPv4Network

import pytest
from saltern_master.binaries.validate_cluster import SCRIPT, validate_cluster_tree

from tests.cluster.cluster import NAMES, UNITS, Cluster, Json, is_ready
from tests.cluster.pods import PORT, Pods

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400, func_only=True)]

VERSION = "v1.20.2"
ROLE = "node-role.kubernetes.io/"
ROLES = {"cp1": {"control-plane", "etcd"}, "w1": {"worker"}, "w2": {"worker"}}
ZONES = {"cp1": None, "w1": "a", "w2": "b"}
PODS = IPv4Network("10.10.0.0/16")
CONTROL_PLANE = {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}


def test_the_nodes_are_as_the_file_says(cluster: Cluster) -> None:
    nodes = {one["metadata"]["name"]: one for one in cluster.objects("nodes")}
    assert set(nodes) == set(NAMES)
    told = cluster.status()
    for name, node in nodes.items():
        assert is_ready(node)
        info = node["status"]["nodeInfo"]
        assert (info["kubeletVersion"], info["kubeProxyVersion"]) == (VERSION, VERSION)
        assert info["containerRuntimeVersion"].startswith("docker://20.10.")
        addresses = {one["type"]: one["address"] for one in node["status"]["addresses"]}
        assert addresses == {"InternalIP": cluster.fleet.nodes[name], "Hostname": name}
        labels = node["metadata"]["labels"]
        assert {key.removeprefix(ROLE) for key in labels if key.startswith(ROLE)} == ROLES[name]
        assert labels.get("zone") == ZONES[name]
        assert node["spec"]["podCIDR"] == told[name]["pods"]
    taints = [one["effect"] for one in nodes["cp1"]["spec"].get("taints", ())]
    assert taints == ["NoSchedule"]
    assert nodes["w1"]["status"]["allocatable"]["pods"] == "60"


def test_every_node_has_a_range_of_its_own_and_a_way_to_the_others(cluster: Cluster) -> None:
    told = cluster.status()
    ranges = {name: IPv4Network(told[name]["pods"]) for name in NAMES}
    assert len(set(ranges.values())) == 3
    for name, own in ranges.items():
        assert own.prefixlen == 24
        assert own.subnet_of(PODS)
        (bridge,) = json.loads(cluster.say(name, "ip", "-j", "-4", "address", "show", "cbr0"))
        (address,) = bridge["addr_info"]
        assert (address["local"], address["prefixlen"]) == (str(own[1]), 24)
        routes = json.loads(cluster.say(name, "ip", "-j", "-4", "route"))
        found = {one["dst"]: one["gateway"] for one in routes if "gateway" in one}
        for other in set(NAMES) - {name}:
            assert found[str(ranges[other])] == cluster.fleet.nodes[other]


def test_the_control_plane_is_four_static_pods_of_cp1(cluster: Cluster) -> None:
    def running() -> dict[str, Json] | None:
        found = cluster.objects("pods", "--namespace", "kube-system")
        well = all(is_ready(one) and one["status"]["phase"] == "Running" for one in found)
        return {one["metadata"]["name"]: one for one in found} if found and well else None

    system = cluster.wait("the system's pods to be Ready", running)
    assert set(system) == {f"{name}-cp1" for name in CONTROL_PLANE}
    there = cluster.containers("cp1")
    for pod in system.values():
        assert "kubernetes.io/config.mirror" in pod["metadata"]["annotations"]
        assert pod["spec"]["nodeName"] == "cp1"
        (container,) = pod["status"]["containerStatuses"]
        assert container["containerID"].removeprefix("docker://") in there
    health = {
        one["metadata"]["name"]: [(told["type"], told["status"]) for told in one["conditions"]]
        for one in cluster.objects("componentstatuses")
    }
    well = [("Healthy", "True")]
    assert health == {"scheduler": well, "controller-manager": well, "etcd-0": well}


@pytest.mark.parametrize("name", NAMES)
def test_services_run_and_nothing_failed(cluster: Cluster, name: str) -> None:
    for unit in UNITS:
        asked = ("--property=ActiveState,UnitFileState", unit)
        said = cluster.say(name, "systemctl", "show", *asked).split()
        assert sorted(said) == ["ActiveState=active", "UnitFileState=enabled"], unit
    failed = ("systemctl", "list-units", "--failed", "--plain", "--no-legend")
    assert cluster.say(name, *failed) == ""


def test_the_projects_own_script_calls_it_valid(cluster: Cluster) -> None:
    tree = validate_cluster_tree(print)
    cluster.kubectl("version")
    environment = dict(os.environ) | {
        "KUBERNETES_PROVIDER": "skeleton",
        "KUBECTL_PATH": str(cluster.fleet.home / "bin/kubectl"),
        "KUBECONFIG": str(cluster.fleet.home / "admin.kubeconfig"),
        "NUM_NODES": "3",
    }
    done = subprocess.run(
        [str(tree / SCRIPT)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Found 3 node(s)." in done.stdout
    assert "Cluster validation succeeded" in done.stdout


def test_pods_reach_each_other_as_who_they_are(cluster: Cluster, pods: Pods) -> None:
    echo = pods.echo("echo", "w2")
    there = echo["status"]["podIP"]
    for name, to, port in (
        ("by-address", there, PORT),
        ("by-service", pods.address_of_service("echo"), 80),
    ):
        said, own = pods.ask(name, "w1", to, port)
        told = dict(line.split(" ", 1) for line in said.splitlines())
        assert told["hostname"] == "echo"
        assert told["address"] == there
        assert told["client"] == own, "a pod is seen as itself, not as its node"
        assert own.rpartition(".")[0] != there.rpartition(".")[0]
    assert own.startswith(cluster.status()["w1"]["pods"].rpartition(".")[0])


def test_a_pod_reaches_the_api_server_by_its_service(cluster: Cluster, pods: Pods) -> None:
    pods.echo("client", "w1")
    assert pods.ask_api("client", "w1", "/version")["gitVersion"] == VERSION
    rules = cluster.say("w1", "iptables-save", "-t", "nat")
    endpoint = f"{cluster.fleet.nodes['cp1']}:6443"
    assert f"--to-destination {endpoint}" in rules
