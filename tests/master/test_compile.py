"""Compiled bodies: golden files that a person reads, and the laws of the expansions.

SALTERN_GOLDEN=write makes the files of tests/golden/compile anew. Read the difference before
you commit it: it is what would change on every node.
"""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from ruamel.yaml import YAML
from saltern_master.cluster.faults import ClusterFileError
from saltern_master.cluster.load import load
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import Compilation, compile_cluster
from saltern_master.compile.facts import Facts, FactsError, read_facts
from saltern_master.compile.readable import readable_body
from saltern_master.compile.yaml_text import to_yaml
from saltern_master.library.values import Index, PackageSet
from saltern_master.signing.policy_file import default_policy, read_policy
from saltern_master.versions import minor_of
from saltern_protocol.policy import Policy, outside
from saltern_states.body import Body, read_body, write_body
from saltern_states.package import Package

from tests.master.clusters import (
    CONTROLLED,
    DOCKER,
    FULL,
    KUBELET,
    PAUSE,
    PKI,
    SMALL,
    STOCK,
)

GOLDEN = Path(__file__).parent.parent / "golden" / "compile"
FACTS = {"w1": Facts(mtu=1450, iptables_backend="legacy")}
MORE = "- {name: w0, address: 10.9.0.20}\n"


def compiled(text: str, before: Allocation | None = None, stock: Index = STOCK) -> Compilation:
    file = load(text.encode())
    pki = PKI if file.cluster.control_plane else None
    return compile_cluster(file, FACTS, before or Allocation(), stock, pki)


def bodies(compilation: Compilation) -> dict[str, Body]:
    return {one.node.name: one.body for one in compilation.nodes}


def faults(text: str, stock: Index = STOCK) -> list[str]:
    with pytest.raises(ClusterFileError) as caught:
        compiled(text, stock=stock)
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("name", "text", "node"),
    [
        ("small-n1", SMALL.replace("w1", "n1"), "n1"),
        ("full-b1", FULL, "b1"),
        ("full-w1", FULL, "w1"),
        ("full-w2", FULL, "w2"),
        ("controlled-cp1", CONTROLLED, "cp1"),
        ("controlled-w1", CONTROLLED, "w1"),
        ("controlled-w2", CONTROLLED, "w2"),
    ],
)
def test_bodies_are_as_they_were_read(name: str, text: str, node: str) -> None:
    found = to_yaml(readable_body(bodies(compiled(text))[node]))
    path = GOLDEN / f"{name}.yaml"
    if os.environ.get("SALTERN_GOLDEN") == "write":
        path.write_text(found)
    assert found == path.read_text()


@pytest.mark.parametrize("text", [SMALL, FULL, CONTROLLED])
def test_a_node_reads_what_was_compiled(text: str) -> None:
    for body in bodies(compiled(text)).values():
        assert read_body(write_body(body)) == body


def test_a_node_that_leaves_keeps_what_a_machine_has_of_its_own() -> None:
    brought = tuple(
        PackageSet(name=name, debs=(msgspec.structs.replace(DOCKER.debs[0], package=name),))
        for name in ("kmod", "socat")
    )
    stock = msgspec.structs.replace(STOCK, packages=(DOCKER, *brought))
    packages = {
        one.spec.name: one.on_removal
        for one in bodies(compiled(CONTROLLED, stock=stock))["w1"].resources
        if isinstance(one.spec, Package)
    }
    taken = {name for name, what in packages.items() if what == "remove"}
    assert taken == {"docker.io", "socat"}, "what the library brought, and no machine has before"
    assert {"kmod", "iptables", "conntrack"} <= set(packages) - taken


@pytest.mark.parametrize("text", [SMALL, FULL, CONTROLLED])
def test_every_after_stands_before(text: str) -> None:
    for body in bodies(compiled(text)).values():
        seen: set[str] = set()
        for one in body.resources:
            assert set(one.after) <= seen
            seen.add(one.id)


def test_equal_inputs_give_equal_bytes_in_every_process() -> None:
    program = (
        "from hashlib import sha256\n"
        "from saltern_states.body import write_body\n"
        "from tests.master.test_compile import FULL, bodies, compiled\n"
        "for name, body in bodies(compiled(FULL)).items():\n"
        "    print(name, sha256(write_body(body)).hexdigest())\n"
    )
    given = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
            timeout=50,
        ).stdout
        for seed in ("1", "2")
    ]
    here = {n: sha256(write_body(body)).hexdigest() for n, body in bodies(compiled(FULL)).items()}
    assert given[0] == given[1]
    assert given[0].split() == [word for pair in here.items() for word in pair]


def test_another_node_changes_no_other_body() -> None:
    first = compiled(FULL)
    text = FULL.replace("nodes:\n", f"nodes:\n{MORE}")
    second = compiled(text, first.allocation)
    before, after = bodies(first), bodies(second)
    assert set(after) - set(before) == {"w0"}
    assert all(write_body(after[name]) == write_body(body) for name, body in before.items())


@pytest.mark.parametrize("text", [SMALL, FULL, CONTROLLED])
def test_the_policy_of_a_new_cluster_covers_every_expansion(text: str) -> None:
    policy = Policy(
        cluster="demo",
        version=1,
        epoch=1,
        expires=1,
        classes=read_policy(default_policy().encode()),
    )
    for one in compiled(text).nodes:
        claims = [c for r in one.body.resources if r.id != "motd" for c in r.claims]
        assert claims
        assert outside(policy, one.node.node_class, claims) == ()


def test_the_policy_of_a_new_cluster_lets_nothing_else_pass() -> None:
    policy = Policy(
        cluster="demo",
        version=1,
        epoch=1,
        expires=1,
        classes=read_policy(default_policy().encode()),
    )
    own = (
        'groups: [{match: role=worker, sysctls: {kernel.core_pattern: "|/tmp/x"}, resources: ['
        "{id: a, spec: {kind: file/1, path: /etc/passwd, text: x}},"
        "{id: b, spec: {kind: unit/1, unit: other.service}},"
        "{id: c, spec: {kind: absent-link/1, name: eth0}}]}]\n"
    )
    body = bodies(compiled(SMALL + own))["w1"]
    claims = [claim for one in body.resources for claim in one.claims]
    assert [str(one) for one in outside(policy, "worker", claims)] == [
        "link eth0",
        "path /etc/passwd",
        "sysctl kernel.core_pattern",
        "unit other.service",
    ]


def test_every_blob_that_a_body_needs_is_named() -> None:
    body = bodies(compiled(SMALL))["w1"]
    wanted = {KUBELET.sha256, PAUSE.archive_sha256, *(deb.sha256 for deb in DOCKER.debs)}
    assert body.blobs == wanted


def test_only_fields_of_the_version_are_rendered() -> None:
    minor = minor_of("1.20.2")
    assert minor is not None
    for body in bodies(compiled(FULL)).values():
        text = next(one.spec for one in body.resources if one.id == "kubelet/config.yaml")
        config = YAML(typ="safe", pure=True).load(getattr(text, "text", ""))
        assert set(config) - {"apiVersion", "kind"} <= set(minor.kubelet.fields)


def test_later_groups_count_and_maps_are_merged() -> None:
    by_id = {one.id: one.spec for one in bodies(compiled(FULL))["w1"].resources}
    config = YAML(typ="safe", pure=True).load(getattr(by_id["kubelet/config.yaml"], "text", ""))
    assert config["maxPods"] == 30
    assert config["evictionHard"] == {"memory.available": "200Mi", "nodefs.available": "10%"}
    assert getattr(by_id["sysctl/vm.max_map_count"], "value", "") == "300000"


def test_all_that_stands_against_it_is_told_for_all_nodes_at_once() -> None:
    own = (
        'groups: [{match: role=worker, sysctls: {net.ipv4.ip_forward: "0"}}]\n'
        "resources:\n"
        "- {id: a, spec: {kind: file/1, path: /etc/docker/daemon.json, text: x}}\n"
        "- {id: b, spec: {kind: swap/1}, after: [nothing]}\n"
    )
    assert faults(SMALL + own, Index()) == [
        "kubernetes.version: line 3: there is no kubelet 1.20.2 for amd64 in the library; "
        "run: saltern binaries add 1.20.2",
        'groups[0].sysctls["net.ipv4.ip_forward"]: line 7: '
        "'network/net.ipv4.ip_forward' claims sysctl net.ipv4.ip_forward too; "
        "one thing has one resource (node w1)",
        "resources[0]: line 9: 'docker/daemon.json' claims path /etc/docker/daemon.json too; "
        "one thing has one resource (node w1)",
        "resources[1]: line 10: 'kubelet/swap' claims swap off too; "
        "one thing has one resource (node w1)",
        "resources[1].after: line 10: there is no resource 'nothing' (node w1)",
    ]


def test_resources_that_wait_for_one_another_are_told() -> None:
    own = (
        "resources:\n"
        "- {id: a, spec: {kind: file/1, path: /a, text: x}, after: [b]}\n"
        "- {id: b, spec: {kind: file/1, path: /b, text: x}, after: [a]}\n"
    )
    (fault,) = faults(SMALL + own)
    assert "these wait for one another: a after b after a" in fault


def test_a_manifest_larger_than_a_file_may_be_is_told() -> None:
    pod = (
        "groups: [{match: role=worker, kubelet: {staticPods: [{apiVersion: v1, kind: Pod, "
        "metadata: {name: big}, spec: {containers: [{name: a, image: a, args: "
        f'["{"x" * 20_000}"]}}]}}}}]}}}}]\n'
    )
    (fault,) = faults(SMALL + pod)
    assert "kubelet/manifests/big.yaml would have" in fault
    assert "the limit is 16384" in fault


def test_what_is_worth_knowing_is_a_note() -> None:
    notes = compiled(SMALL, stock=Index(binaries=(KUBELET,))).notes
    assert [note.partition(" is not")[0] for note in notes] == [
        "image saltern/pause:3.2",
        "packages from the nodes' own repositories: conntrack, docker.io, ebtables, ethtool, "
        "iptables, kmod, socat; to bring them along: saltern packages add conntrack docker.io "
        "ebtables ethtool iptables kmod socat",
    ]
    assert (
        compiled(SMALL.replace("w1", "w7"))
        .notes[0]
        .startswith("w7: no facts, so an MTU of 1500 and iptables-nft on x86_64 are taken")
    )


def test_facts_are_read_as_an_agent_prints_them() -> None:
    text = b'{"uplink": "eth0", "mtu": 9000, "iptablesBackend": "legacy", "cgroup": 2}'
    assert read_facts(text, "facts/w1.json") == Facts(mtu=9000, iptables_backend="legacy")
    assert read_facts(b'{"mtu": 0}', "facts/w1.json").pods_mtu == 1500


@pytest.mark.parametrize("text", [b"{", b'{"mtu": 100}', b'{"mtu": "1500"}', b'{"mtu": 99999}'])
def test_facts_that_cannot_be_are_refused(text: bytes) -> None:
    with pytest.raises(FactsError, match=r"^cannot read facts/w1\.json: .*run saltern-agent facts"):
        read_facts(text, "facts/w1.json")


def test_a_node_gets_the_programs_of_its_own_architecture() -> None:
    facts = {"w1": Facts(mtu=1500, architecture="aarch64")}
    with pytest.raises(ClusterFileError, match=r"no kubelet 1\.20\.2 for arm64"):
        compile_cluster(load(SMALL.encode()), facts, Allocation(), STOCK)


def test_a_node_without_a_default_route_is_noted() -> None:
    compilation = compile_cluster(load(SMALL.encode()), {"w1": Facts()}, Allocation(), STOCK)
    assert compilation.notes[0] == (
        "w1: its facts tell no MTU (it has no default route), so an MTU of 1500 is taken"
    )
