"""A cluster file with a control plane: what has to be true of its ranges, roles and addresses."""

from __future__ import annotations

import pytest
from saltern_master.cluster.load import load

from tests.master.clusters import CONTROLLED, SMALL
from tests.master.test_cluster_file import faults


@pytest.mark.parametrize(
    ("line", "instead", "told"),
    [
        pytest.param(
            "pods: 10.10.0.0/16",
            "pods: 10.0.128.0/17",
            "network.services: line 4: 10.0.0.0/16 overlaps network.pods, 10.0.128.0/17; "
            "take another range",
            id="pods and Services share addresses",
        ),
        pytest.param(
            "services: 10.0.0.0/16",
            "services: 10.9.0.0/24",
            "nodes[0].address: line 6: 10.9.0.11 lies in network.services, 10.9.0.0/24; "
            "nodes stand outside of it",
            id="Services' range over nodes' addresses",
        ),
        pytest.param(
            "services: 10.0.0.0/16",
            "services: 10.0.0.0/29",
            "network.services: line 4: 10.0.0.0/29 has 8 addresses; a cluster needs 16 (a /28)",
            id="too few Services",
        ),
        pytest.param(
            "services: 10.0.0.0/16",
            "services: 172.0.0.0/11",
            "network.services: line 4: 172.0.0.0/11 is more than the API server takes: "
            "a /12 at most",
            id="too many Services",
        ),
        pytest.param(
            "services: 10.0.0.0/16",
            "services: 10.0.1.0/16",
            "network.services: line 4: 10.0.1.0/16 has bits set beyond its prefix; "
            "the range is 10.0.0.0/16",
            id="host bits in the Services' range",
        ),
        pytest.param(
            "mode: routed",
            "mode: vxlan",
            'network.mode: line 4: "vxlan" is none of routed, external',
            id="another mode",
        ),
        pytest.param(
            "{name: demo}",
            "{name: demo, endpoint: 10.9.0.21}",
            "cluster.endpoint: line 2: 10.9.0.21 is the address of w1, which is no "
            "control-plane node",
            id="a worker's address as the endpoint",
        ),
        pytest.param(
            "{name: demo}",
            "{name: demo, endpoint: 10.9.0.13}",
            "cluster.endpoint: line 2: 10.9.0.13 is on the nodes' network (10.9.0.0/27) and no "
            "node's address; leave it out to take the control-plane node's",
            id="an endpoint that nobody has",
        ),
        pytest.param(
            "{name: demo}",
            "{name: demo, endpoint: 10.0.0.1}",
            "cluster.endpoint: line 2: 10.0.0.1 lies in network.services, 10.0.0.0/16; "
            "no machine stands there",
            id="a Service's address as the endpoint",
        ),
        pytest.param(
            "{name: demo}",
            "{name: demo, endpoint: 127.0.0.1}",
            "cluster.endpoint: line 2: 127.0.0.1 is no address that a machine can have "
            "on a network",
            id="a loopback endpoint",
        ),
        pytest.param(
            "{name: w2, address: 10.9.0.22}",
            "{name: cp2, address: 10.9.0.12, roles: [control-plane]}",
            "nodes[2].roles[0]: line 8: cp1 is the control plane; there is one such node for now, "
            "and several are not supported yet",
            id="two control planes",
        ),
        pytest.param(
            "{name: w2, address: 10.9.0.22}",
            "{name: e2, address: 10.9.0.12, roles: [etcd]}",
            "nodes[2].roles[0]: line 8: etcd runs on the control-plane node, cp1, for now; "
            "members on other nodes are not supported yet",
            id="etcd elsewhere",
        ),
        pytest.param(
            "{name: w2, address: 10.9.0.22}",
            "{name: w2}",
            "nodes[2].address: line 8: is missing",
            id="a node without an address",
        ),
        pytest.param(
            "conntrack: {min: 1000}",
            "conntrack: {least: 1000}",
            "groups[1].kubeProxy.config.conntrack.least: line 15: this version's kube-proxy has "
            "no such field; known here: maxPerCore, min, tcpCloseWaitTimeout, "
            "tcpEstablishedTimeout",
            id="no field of kube-proxy's",
        ),
        pytest.param(
            "conntrack: {min: 1000}",
            "mode: ipvs",
            "groups[1].kubeProxy.config.mode: line 15: is set by Saltern, from what it can do "
            "everywhere: iptables",
            id="a field of kube-proxy's that is ours",
        ),
        pytest.param(
            "config: {maxPods: 60}",
            "staticPods: [{apiVersion: v1, kind: Pod, metadata: {name: etcd}, "
            "spec: {containers: [{name: a, image: a}]}}]",
            'groups[1].kubelet.staticPods[0].metadata.name: line 14: "etcd" is a pod of the '
            "control plane; take another name",
            id="another etcd",
        ),
        pytest.param(
            "maxPods: 60",
            "authentication: {x509: {clientCAFile: /a}}",
            "groups[1].kubelet.config.authentication.x509: line 14: is set by Saltern, from the "
            "cluster's own certificate authority",
            id="another authority for the kubelet",
        ),
    ],
)
def test_one_mistake_in_a_controlled_cluster_is_told_once(
    line: str, instead: str, told: str
) -> None:
    assert line in CONTROLLED
    found = faults(CONTROLLED.replace(line, instead))
    assert told in found
    assert len(found) <= 3  # a range may stand in the way of several nodes


def test_a_node_with_a_fault_needs_room_too() -> None:
    small = CONTROLLED.replace("pods: 10.10.0.0/16", "pods: 10.10.0.0/23")
    told = "network.pods: line 4: 10.10.0.0/23 has room for 2 nodes with a /24 each; there are 3"
    assert told in faults(small)
    assert told in faults(small.replace("{name: w2, address: 10.9.0.22}", "{name: w2}"))


def test_a_controlled_cluster_knows_where_its_api_server_answers() -> None:
    cluster = load(CONTROLLED.encode()).cluster
    assert cluster.control_plane is not None
    assert (cluster.control_plane.name, cluster.endpoint) == ("cp1", "10.9.0.11")
    assert [node.node_class for node in cluster.nodes] == ["control-plane", "worker", "worker"]
    away = CONTROLLED.replace("{name: demo}", "{name: demo, endpoint: 192.0.2.7}")
    assert load(away.encode()).cluster.endpoint == "192.0.2.7"
    assert load(SMALL.encode()).cluster.endpoint == ""


def test_a_kind_beside_the_spec_is_told_where_it_stands() -> None:
    text = SMALL + "resources:\n- {id: motd, kind: file/1, spec: {path: /etc/motd, text: hi}}\n"
    first, *_ = faults(text)
    assert first == (
        "resources[0].kind: line 8: no such field; kind stands in spec: spec: {kind: …}"
    )
