"""A cluster with a control plane, compiled: flags that exist, names that fit, one change a node."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from saltern_master.cluster.control_plane import PODS
from saltern_master.cluster.faults import ClusterFileError
from saltern_master.cluster.load import load
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import Compilation, compile_cluster
from saltern_master.compile.kubelet_connected import own_labels
from saltern_master.compile.pki import Pki
from saltern_master.library.values import Index
from saltern_master.versions import minor_of
from saltern_states.body import Body, write_body
from saltern_states.certificate import Certificate
from saltern_states.file import File
from saltern_states.pod_routes import PodRoutes
from saltern_states.unit import Unit

from tests.master.clusters import CONTROLLED, KUBELET, PKI, STOCK

MANIFESTS = "/etc/kubernetes/manifests/"
NEW = "- {name: w0, address: 10.9.0.20}\n"
UNIT_PROGRAM = re.compile(r"^ExecStart=/usr/local/bin/(\S+)((?: \\\n  --\S+)*)$", re.MULTILINE)


def compiled(text: str = CONTROLLED, before: Allocation | None = None) -> Compilation:
    return compile_cluster(load(text.encode()), {}, before or Allocation(), STOCK, PKI)


def bodies(compilation: Compilation) -> dict[str, Body]:
    return {one.node.name: one.body for one in compilation.nodes}


def specs(body: Body) -> dict[str, Any]:
    return {one.id: one.spec for one in body.resources}


def files(body: Body) -> dict[str, str]:
    return {one.spec.path: one.spec.text for one in body.resources if isinstance(one.spec, File)}


def pods(body: Body) -> dict[str, Any]:
    texts = {path: text for path, text in files(body).items() if path.startswith(MANIFESTS)}
    found = [YAML(typ="safe", pure=True).load(text) for text in texts.values()]
    return {pod["metadata"]["name"]: pod for pod in found}


def command_lines(body: Body) -> Iterator[tuple[str, list[str]]]:
    """Give each program that the body starts, with its flags."""
    for name, pod in pods(body).items():
        yield name, pod["spec"]["containers"][0]["command"][1:]
    for text in files(body).values():
        for program, flags in UNIT_PROGRAM.findall(text):
            yield program, flags.replace("\\", "").split()
        for flags in re.findall(r"^/usr/local/bin/kubelet((?: \\\n  --\S+)*) &$", text, re.M):
            yield "kubelet", flags.replace("\\", "").split()


def test_every_flag_exists_in_the_version() -> None:
    minor = minor_of("1.20.2")
    assert minor is not None
    started: dict[str, int] = {}
    for body in bodies(compiled()).values():
        for program, flags in command_lines(body):
            names = [flag.removeprefix("--").partition("=")[0] for flag in flags]
            assert names
            assert set(names) <= set(minor.flags[program]), program
            assert len(set(names)) == len(names)
            started[program] = started.get(program, 0) + 1
    assert started == {
        "etcd": 1,
        "kube-apiserver": 1,
        "kube-controller-manager": 1,
        "kube-scheduler": 1,
        "kubelet": 4,  # on each of three, and once more before the API server answers
        "kube-proxy": 3,
    }


def test_another_node_changes_one_resource_of_the_others() -> None:
    first = compiled()
    second = compiled(CONTROLLED.replace("nodes:\n", f"nodes:\n{NEW}"), first.allocation)
    before, after = bodies(first), bodies(second)

    assert set(after) - set(before) == {"w0"}
    for name, body in before.items():
        were, are = specs(body), specs(after[name])
        assert set(were) == set(are)
        assert [one for one in were if were[one] != are[one]] == ["network/pod-routes"]


def test_another_node_changes_nothing_where_the_network_is_external() -> None:
    text = CONTROLLED.replace("mode: routed", "mode: external")
    first = compiled(text)
    second = compiled(text.replace("nodes:\n", f"nodes:\n{NEW}"), first.allocation)
    after = bodies(second)

    for name, body in bodies(first).items():
        assert "network/pod-routes" not in specs(body)
        assert write_body(after[name]) == write_body(body)


def test_the_routes_lead_to_all_others() -> None:
    compilation = compiled()
    addresses = {one.node.name: one.node.address for one in compilation.nodes}
    for name, body in bodies(compilation).items():
        routes = specs(body)["network/pod-routes"]
        assert isinstance(routes, PodRoutes)
        assert {one.destination: one.via for one in routes.routes} == {
            compilation.allocation.ranges[other]: address
            for other, address in addresses.items()
            if other != name
        }


def test_a_pod_waits_for_every_file_that_it_reads() -> None:
    body = bodies(compiled())["cp1"]
    by_id = {one.id: one for one in body.resources}
    writers = {path: one.id for one in body.resources for path in one.paths}
    for name, pod in pods(body).items():
        waits_for, ahead = set(by_id[f"control-plane/{name}.yaml"].after), set()
        while waits_for:
            ahead |= waits_for
            waits_for = {more for one in waits_for for more in by_id[one].after} - ahead
        [container] = pod["spec"]["containers"]
        text = " ".join(container["command"])
        read = [path for path in writers if re.search(rf"={re.escape(path)}(\s|\Z)", text)]
        assert read
        assert {writers[path] for path in read} <= ahead, name
        mounts = [one["mountPath"] for one in container["volumeMounts"]]
        assert all(any(path.startswith(mount) for mount in mounts) for path in read)


def test_every_certificate_that_a_kubeconfig_names_is_there() -> None:
    for body in bodies(compiled()).values():
        paths = {path for one in body.resources for path in one.paths}
        found = [text for path, text in files(body).items() if 'kind: "Config"' in text]
        assert found
        for text in found:
            config = YAML(typ="safe", pure=True).load(text)
            user = config["users"][0]["user"]
            assert {user["client-certificate"], user["client-key"]} <= paths
            assert config["clusters"][0]["cluster"]["certificate-authority"] in paths


def test_who_is_who() -> None:
    found = {
        one.spec.path.rpartition("/pki/")[2]: one.spec
        for one in bodies(compiled())["cp1"].resources
        if isinstance(one.spec, Certificate)
    }
    said = {path: (one.issuer, one.common_name, one.organizations) for path, one in found.items()}
    assert said == {
        "apiserver.crt": ("kubernetes", "kube-apiserver", ()),
        "apiserver-etcd-client.crt": ("etcd", "kube-apiserver-etcd-client", ()),
        "apiserver-kubelet-client.crt": (
            "kubernetes",
            "kube-apiserver-kubelet-client",
            ("system:masters",),
        ),
        "controller-manager.crt": ("kubernetes", "system:kube-controller-manager", ()),
        "etcd/peer.crt": ("etcd", "cp1", ()),
        "etcd/server.crt": ("etcd", "cp1", ()),
        "front-proxy-client.crt": ("front-proxy", "front-proxy-client", ()),
        "kube-proxy.crt": ("kubernetes", "system:kube-proxy", ()),
        "kubelet.crt": ("kubernetes", "system:node:cp1", ("system:nodes",)),
        "kubelet-server.crt": ("kubernetes", "system:node:cp1", ()),
        "scheduler.crt": ("kubernetes", "system:kube-scheduler", ()),
    }
    served = found["apiserver.crt"]
    assert served.addresses == ("10.0.0.1", "10.9.0.11", "127.0.0.1")
    assert "kubernetes.default.svc.cluster.local" in served.dns


def test_a_worker_holds_nothing_of_the_control_plane() -> None:
    body = bodies(compiled())["w1"]
    assert {one.partition("/")[0] for one in specs(body)} == {
        "network",
        "docker",
        "pki",
        "kubelet",
        "kube-proxy",
    }
    paths = {path for one in body.resources for path in one.paths}
    assert not any("apiserver" in path or "sa.key" in path or "etcd" in path for path in paths)


def test_all_ask_at_the_endpoint_and_the_control_plane_at_home() -> None:
    away = CONTROLLED.replace("{name: demo}", "{name: demo, endpoint: 192.0.2.7}")
    body = bodies(compiled(away))["cp1"]
    asked = {
        path: re.findall(r'server: "https://([0-9.]+):6443"', text)
        for path, text in files(body).items()
    }
    assert {path: one[0] for path, one in asked.items() if one} == {
        "/etc/kubernetes/controller-manager.conf": "10.9.0.11",
        "/etc/kubernetes/kubelet.conf": "192.0.2.7",
        "/etc/kubernetes/scheduler.conf": "10.9.0.11",
        "/var/lib/kube-proxy/kubeconfig": "192.0.2.7",
    }
    assert "192.0.2.7" in specs(body)["pki/apiserver"].addresses


def test_the_groups_reach_kube_proxy() -> None:
    for name, conntrack in (
        ("cp1", {"maxPerCore": 0}),
        ("w1", {"maxPerCore": 0, "min": 1000}),
    ):
        text = files(bodies(compiled())[name])["/var/lib/kube-proxy/config.yaml"]
        config = YAML(typ="safe", pure=True).load(text)
        assert config["conntrack"] == conntrack
        assert (config["mode"], config["clusterCIDR"]) == ("iptables", "10.10.0.0/16")


def test_a_kubelet_lives_by_the_certificate_that_it_reads_once() -> None:
    unit = specs(bodies(compiled())["w1"])["kubelet/kubelet.service"]
    assert isinstance(unit, Unit)
    declared = {one.path: one.sha256 for one in unit.files}
    assert declared["/etc/kubernetes/pki/kubelet-server.crt"] == ""
    assert "/etc/kubernetes/kubelet.conf" in declared


def test_a_kubelet_sets_only_labels_that_it_may() -> None:
    labels = {
        "zone": "a",
        "example.org/rack": "3",
        "node-role.kubernetes.io/worker": "",
        "node.kubernetes.io/instance-type": "large",
        "topology.kubernetes.io/zone": "a",
        "kubernetes.io/other": "x",
        "x.k8s.io/y": "z",
    }
    assert list(own_labels(labels)) == [
        "example.org/rack",
        "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/zone",
        "zone",
    ]


def test_the_script_before_the_kubelet_is_one_that_a_shell_reads(tmp_path: Path) -> None:
    script = tmp_path / "first.sh"
    script.write_text(files(bodies(compiled())["cp1"])["/etc/kubernetes/kubelet-first.sh"])
    subprocess.run(["/bin/sh", "-n", str(script)], check=True, timeout=10)


def refused(pki: Pki | None, stock: Index = STOCK) -> list[str]:
    with pytest.raises(ClusterFileError) as caught:
        compile_cluster(load(CONTROLLED.encode()), {}, Allocation(), stock, pki)
    return [str(fault) for fault in caught.value.faults]


def test_the_names_of_its_pods_are_kept_from_others() -> None:
    assert tuple(pods(bodies(compiled())["cp1"])) == PODS


def test_what_a_control_plane_cannot_do_without_is_told() -> None:
    assert refused(None) == [
        "nodes[0].roles: line 6: a control plane needs certificate authorities, which a master "
        "makes as it starts; run: saltern master run"
    ]
    assert refused(replace(PKI, token_keys={})) == [
        "nodes[0].name: line 6: cp1 has not joined, so no secret can be sealed to it; "
        "run: saltern node token cp1 --class control-plane"
    ]
    assert refused(PKI, Index(binaries=(KUBELET,))) == [
        "kubernetes.version: line 3: there is no kube-proxy 1.20.2 for amd64 in the library; "
        "run: saltern binaries add 1.20.2"
    ]


def test_a_node_that_is_left_out_is_part_of_the_cluster_all_the_same() -> None:
    file = load(CONTROLLED.encode())
    pki = replace(PKI, token_keys={})
    some = compile_cluster(file, {}, Allocation(), STOCK, pki, leave_out={"cp1"})

    assert [one.node.name for one in some.nodes] == ["w1", "w2"]
    assert {name: bodies(compiled())[name] for name in ("w1", "w2")} == bodies(some)
