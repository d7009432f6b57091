"""A cluster file is taken whole, or every fault is told with its path and line."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from saltern_master.cluster.faults import ClusterFileError, Fault, show
from saltern_master.cluster.load import load
from saltern_master.cluster.model import Docker, Node
from saltern_protocol.errors import printable
from saltern_states.file import File

from tests.master.clusters import FULL, SMALL

SIX_MISTAKES = """\
apiVersion: saltern/v1
cluster: {name: demo, domian: cluster.local}
kubernetes: {version: 1.20.2}
network: {pods: 10.10.0.0/16, perNode: twenty}
nodes:
- {name: w1, address: 10.9.0.21, roles: [wroker]}
- {name: w2, address: 10.9.0.21}
groups:
- match: role=control-plane
  sysctls: {vm.max_map_count: "262144"}
- match: name=w*
  kubelet: {config: {maxPod: 60}}
"""


def faults(text: str) -> list[str]:
    with pytest.raises(ClusterFileError) as caught:
        load(text.encode())
    return [str(fault) for fault in caught.value.faults]


def test_six_mistakes_get_six_errors_with_their_paths() -> None:
    assert faults(SIX_MISTAKES) == [
        "cluster.domian: line 2: no such field; did you mean domain?",
        'network.perNode: line 4: expected `int`, got `str`, found "twenty"',
        'nodes[0].roles[0]: line 6: "wroker" is none of worker, control-plane, etcd, bare',
        "nodes[1].address: line 7: nodes[0] has the address 10.9.0.21 too",
        'groups[0].match: line 9: "role=control-plane" matches no node',
        "groups[1].kubelet.config.maxPod: line 12: this version's kubelet has no such field; "
        "did you mean maxPods?",
    ]


def test_a_small_file_has_the_usual_values() -> None:
    cluster = load(SMALL.encode()).cluster
    assert cluster.cluster.domain == "cluster.local"
    assert cluster.network.per_node == 24
    assert cluster.network.masquerade == "outside"
    assert cluster.runtime.docker == Docker()
    assert cluster.nodes == (Node(name="w1", address="10.9.0.21", roles=("worker",)),)


def test_a_full_file_is_read_to_its_last_field() -> None:
    file = load(FULL.encode())
    docker = file.cluster.runtime.docker
    assert docker.logging.max_size == "50m"
    assert docker.runtimes == {"bounded": "/usr/local/sbin/runc-bounded"}
    assert [node.node_class for node in file.cluster.nodes] == ["worker", "worker", "worker"]
    own = file.cluster.groups[1].resources[0]
    assert own.spec == File(path="/etc/motd", text="Zone a.\n")
    assert own.drift is not None
    assert (own.drift.mode, own.on_removal) == ("report", "keep")
    assert file.lines["nodes", 1, "address"] == 14


@pytest.mark.parametrize(
    ("line", "instead", "told"),
    [
        pytest.param(
            "apiVersion: saltern/v1",
            "apiVersion: saltern/v2",
            'apiVersion: line 1: "saltern/v2" is none of saltern/v1',
            id="another format",
        ),
        pytest.param("apiVersion: saltern/v1", "", "apiVersion: line 2: is missing", id="missing"),
        pytest.param(
            "{version: 1.20.2}",
            "{version: 1.20}",
            "kubernetes.version: line 3: expected text, found 1.20; put it in quotes",
            id="a number where text belongs",
        ),
        pytest.param(
            "{version: 1.20.2}",
            "{version: 1.99.0}",
            "kubernetes.version: line 3: Kubernetes 1.99.0 is not known here; known: 1.20.x",
            id="unknown version",
        ),
        pytest.param(
            "{name: demo}",
            "{name: Demo}",
            'cluster.name: line 2: "Demo" is not a name of small letters, digits, dashes and '
            "dots, 63 at most",
            id="bad name",
        ),
        pytest.param(
            "{name: demo}", "demo", 'cluster: line 2: expected a map, found "demo"', id="no map"
        ),
        pytest.param(
            "{name: demo}",
            "{name: demo, name: more}",
            "cluster.name: line 2: the key stands twice; it is on line 2 too",
            id="a key twice",
        ),
        pytest.param(
            "10.10.0.0/16",
            "10.10.1.0/16",
            "network.pods: line 4: 10.10.1.0/16 has bits set beyond its prefix; "
            "the range is 10.10.0.0/16",
            id="host bits in the range",
        ),
        pytest.param(
            "10.10.0.0/16",
            "10.10.0.0/33",
            'network.pods: line 4: "10.10.0.0/33" is not an IPv4 range like 10.10.0.0/16',
            id="no range",
        ),
        pytest.param(
            "10.10.0.0/16",
            "127.0.0.0/16",
            "network.pods: line 4: 127.0.0.0/16 is no range that pods can have addresses from",
            id="loopback for pods",
        ),
        pytest.param(
            "10.10.0.0/16",
            "10.9.0.0/16",
            "nodes[0].address: line 6: 10.9.0.21 lies in network.pods, 10.9.0.0/16; "
            "nodes stand outside of it",
            id="pods' range over nodes' addresses",
        ),
        pytest.param(
            "{pods: 10.10.0.0/16}",
            "{pods: 10.10.0.0/26, perNode: 24}",
            "network.perNode: line 4: a /24 for each node does not fit into 10.10.0.0/26",
            id="a node's range larger than all",
        ),
        pytest.param(
            "{pods: 10.10.0.0/16}",
            "{pods: 10.10.0.0/16, perNode: 40}",
            "network.perNode: line 4: expected `int` <= 30, found 40",
            id="out of bounds",
        ),
        pytest.param(
            "{pods: 10.10.0.0/16}",
            "{pods: 10.10.0.0/16, overlay: vxlan}",
            "network.overlay: line 4: no such field; known here: masquerade, mode, perNode, pods, "
            "services",
            id="a field of another day",
        ),
        pytest.param(
            "10.9.0.21",
            "10.9.0.256",
            'nodes[0].address: line 6: "10.9.0.256" is not an IPv4 address like 10.9.0.21',
            id="no address",
        ),
        pytest.param(
            "10.9.0.21",
            "224.0.0.1",
            "nodes[0].address: line 6: 224.0.0.1 is no address that a machine can have "
            "on a network",
            id="multicast address",
        ),
        pytest.param(
            "10.9.0.21}",
            "10.9.0.21, roles: []}",
            "nodes[0].roles: line 6: a node has at least one role",
            id="no role",
        ),
        pytest.param(
            "10.9.0.21}",
            "10.9.0.21, labels: {role: x}}",
            'nodes[0].labels.role: line 6: "role" means something else in a match; '
            "take another key",
            id="a label that a match could not tell",
        ),
        pytest.param(
            "10.9.0.21}",
            "10.9.0.21, roles: [worker, worker]}",
            "nodes[0].roles[1]: line 6: the node has the role worker already",
            id="a role twice",
        ),
        pytest.param(
            "10.9.0.21}",
            "10.9.0.21, roles: [etcd]}",
            "nodes[0].roles[0]: line 6: etcd needs a node with the role control-plane",
            id="etcd for nobody",
        ),
        pytest.param(
            "{name: demo}",
            "{name: demo, endpoint: 10.9.0.21}",
            "cluster.endpoint: line 2: needs a node with the role control-plane; "
            "the kubelets of this file run on their own",
            id="an endpoint of nothing",
        ),
        pytest.param(
            "nodes:\n- {name: w1, address: 10.9.0.21}",
            "nodes: []",
            "nodes: line 5: a cluster has at least one node",
            id="no node",
        ),
    ],
)
def test_one_mistake_is_told_once(line: str, instead: str, told: str) -> None:
    assert line in SMALL
    assert faults(SMALL.replace(line, instead)) == [told]


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        pytest.param(
            "- {name: w1, address: 10.9.0.22}",
            "nodes[1].name: line 7: nodes[0] has the name w1 too",
            id="a name twice",
        ),
        pytest.param(
            "runtime: {docker: {defaultRuntime: lab}}",
            'runtime.docker.defaultRuntime: line 7: there is no runtime "lab"; '
            "declare it under runtimes",
            id="a runtime that is not declared",
        ),
        pytest.param(
            "runtime: {docker: {runtimes: {runc: /usr/bin/other}}}",
            "runtime.docker.runtimes.runc: line 7: docker knows runc by itself; take another name",
            id="another runc",
        ),
        pytest.param(
            "groups: [{match: all}]",
            'groups[0].match: line 7: "all" is not a match like "role=worker", "name=w*" or '
            '"zone=a" (a label)',
            id="no match",
        ),
        pytest.param(
            "groups: [{match: zone=b}]",
            'groups[0].match: line 7: "zone=b" matches no node',
            id="matches nothing",
        ),
        pytest.param(
            "groups: [{match: role=worker, sysctls: {vm.max_map_count: 262144}}]",
            'groups[0].sysctls["vm.max_map_count"]: line 7: expected text, found 262144; '
            "put it in quotes",
            id="a parameter as a number",
        ),
        pytest.param(
            "groups: [{match: role=worker, kubelet: {config: {cgroupDriver: systemd}}}]",
            "groups[0].kubelet.config.cgroupDriver: line 7: is set by Saltern, from "
            "runtime.docker.cgroupDriver",
            id="a field that is ours",
        ),
        pytest.param(
            "groups: [{match: role=worker, kubelet: {config: {registerNode: true}}}]",
            "groups[0].kubelet.config.registerNode: line 7: this version's kubelet has no such "
            "field",
            id="a field of a later kubelet",
        ),
        pytest.param(
            "groups: [{match: role=worker, kubelet: {config: {maxPods: many}}}]",
            'groups[0].kubelet.config.maxPods: line 7: expected a whole number, found "many"',
            id="a field of the wrong type",
        ),
        pytest.param(
            "groups: [{match: role=worker, kubelet: {config: "
            "{authentication: {x509: {clientCaFile: /a}}}}}]",
            "groups[0].kubelet.config.authentication.x509.clientCaFile: line 7: this version's "
            "kubelet has no such field; did you mean clientCAFile?",
            id="a nested field",
        ),
        pytest.param(
            "groups: [{match: role=worker, kubelet: {config: {syncFrequency: 10}}}]",
            "groups[0].kubelet.config.syncFrequency: line 7: expected a duration like 10s or "
            "1m30s, found 10",
            id="a duration without a unit",
        ),
        pytest.param(
            "groups: [{match: role=worker, kubelet: {staticPods: [{apiVersion: v1, kind: Pod, "
            "metadata: {name: a}, spec: {containers: [{name: a}]}}]}}]",
            "groups[0].kubelet.staticPods[0].spec.containers[0].image: line 7: must be text",
            id="a pod without an image",
        ),
        pytest.param(
            "resources: [{id: a, spec: {kind: fiel/1, path: /a, text: a}}]",
            'resources[0].spec.kind: line 7: there is no kind "fiel/1"; did you mean file/1?',
            id="an unknown kind",
        ),
        pytest.param(
            "resources: [{id: a, spec: {path: /a, text: a}}]",
            "resources[0].spec.kind: line 7: is missing; the kinds are ",
            id="no kind",
        ),
        pytest.param(
            "resources: [{id: a, spec: {kind: file/1, path: /a/../b, text: a}}]",
            'resources[0].spec.path: line 7: "/a/../b" is not an absolute path without "." '
            'and ".."',
            id="a path that goes up",
        ),
        pytest.param(
            "resources: [{id: a, spec: {kind: file/1, path: /a, text: a, mode: 0644}}]",
            "resources[0].spec.mode: line 7: 0644 is read differently by different readers; "
            "put it in quotes",
            id="a mode without quotes",
        ),
        pytest.param(
            "resources: [{id: a, spec: {kind: route/1, destination: 10.1.2.3/24, via: 10.9.0.1}}]",
            "resources[0].spec: line 7: 10.1.2.3/24 has host bits set",
            id="what no field alone has wrong",
        ),
        pytest.param(
            "resources: [{id: a, spec: {kind: swap/1}}, {id: a, spec: {kind: swap/1}}]",
            'resources[1].id: line 7: node w1 has a resource "a" by resources[0].id too',
            id="an id twice",
        ),
    ],
)
def test_one_mistake_more_is_told_once(extra: str, told: str) -> None:
    found = faults(f"{SMALL}{extra}\n")
    assert len(found) == 1
    assert found[0].startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "$: the file is empty"),
        ("a: [1", "$: line 1: this is no YAML: "),
        ("a: 1\n---\nb: 2\n", "$: line 2: this is no YAML: "),
        ("\x01", "$: this is no YAML: "),
        ("{" * 1000, "$: deeper than 32 levels"),
        ("[" * 40 + "]" * 40, "$: deeper than 32 levels"),
        ("a: &x [1, 2]\nb: *x\n", "a: line 1: the anchor &x: write the value out"),
        ("a: &x [*x]\n", "a: line 1: the anchor &x: write the value out"),
        ('a: "b\\ud800c"\n', "a: line 1: an escape that is half a character"),
        ('"b\\udfff": 1\n', "$: line 1: an escape that is half a character"),
        ("<<: {a: 1}\n", "$: line 1: the merge key <<: "),
        ("a: !python/object:os.system 1\n", "a: line 1: the tag !python/object:os.system: "),
        ("1: a\n", "$: line 1: the key 1 is not text; put it in quotes"),
        ("a: 0x1f\n", "a: line 1: 0x1f is read differently by different readers"),
        ("- a\n", "$: line 1: expected a map, found a list"),
    ],
)
def test_what_is_no_plain_yaml_is_refused(text: str, told: str) -> None:
    assert faults(text)[0].startswith(told)


def test_aliases_that_stand_for_a_billion_values_cost_nothing() -> None:
    rows = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    found = faults("\n".join(["a0: &a0 [x]", *rows]))
    assert len(found) == 30
    assert all("the anchor" in fault for fault in found)


def test_a_megabyte_is_the_limit() -> None:
    assert faults("#" * (1024 * 1024 + 1)) == [
        "$: 1048577 bytes; a cluster file has at most 1048576"
    ]


def test_control_characters_do_not_reach_the_terminal() -> None:
    found = faults(SMALL.replace("{name: demo}", '{name: "\\e[31mred"}'))
    assert "\x1b" not in found[0]
    assert "\\x1b[31mred" in found[0]


@settings(deadline=None)  # the machine may be busy; what is tested is not speed
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@example(b"\xff\xfe")
@example(b"a: 9999999999999999999999\n")
def test_any_bytes_are_taken_or_told(data: bytes) -> None:
    with suppress(ClusterFileError):
        load(data)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_a_changed_line_is_taken_or_told_with_a_path(data: st.DataObject) -> None:
    lines = FULL.splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    lines[number] = data.draw(
        st.text("abcdefgh:{}[]-, \"'#&*!|>%@`/.0123456789", max_size=30) | st.just("")
    )
    found: tuple[Fault, ...] = ()
    try:
        load("\n".join(lines).encode())
    except ClusterFileError as error:
        found = error.faults
        told = True
    else:
        told = False
    assert told == bool(found)
    assert all(str(fault).startswith(printable(show(fault.path))) for fault in found)
