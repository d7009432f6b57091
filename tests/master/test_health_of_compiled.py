"""What the agent looks at on a node is what the master compiled: the two meet in the body."""

from __future__ import annotations

import pytest
from saltern_agent.health.values import Endpoint, Pod, Service, Wanted
from saltern_agent.health.wanted import wanted_of
from saltern_protocol.condition import State
from saltern_states.body import Body
from saltern_states.certificate import Certificate
from saltern_states.unit import Unit

from tests.master.clusters import SMALL
from tests.master.test_compile_control_plane import bodies, compiled

STATE = "/var/lib/saltern"
UNITS = (
    Service("docker", "docker.service"),
    Service("kubelet", "kubelet.service", Endpoint("127.0.0.1", 10248, "/healthz")),
)
PROXY = Service(
    "kube-proxy", "kube-proxy.service", Endpoint("127.0.0.1", 10256, "/healthz"), State.DEGRADED
)
ETCD = Service("etcd", "", Endpoint("127.0.0.1", 2381, "/health"))
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


def wanted(node: str) -> Wanted:
    return wanted_of(bodies(compiled())[node], node, STATE)


def test_a_control_plane_has_all_of_it() -> None:
    found = wanted("cp1")
    assert found.services == (*UNITS, PROXY, ETCD)
    assert found.pods == tuple(Pod("kube-system", f"{one}-cp1", (one,)) for one in PROGRAMS)
    assert found.disks == (STATE, "/var/lib/docker", "/var/lib/kubelet")


def test_a_worker_has_no_control_plane() -> None:
    found = wanted("w1")
    assert found.services == (*UNITS, PROXY)
    assert not any(pod.name.startswith(PROGRAMS) for pod in found.pods)


def test_certificates_are_those_of_the_body() -> None:
    body = bodies(compiled())["cp1"]
    specs = [one.spec for one in body.resources]
    paths = [one.path for one in specs if isinstance(one, Certificate)]
    assert [one.path for one in wanted("cp1").certificates] == paths
    assert len(paths) > 5


@pytest.mark.parametrize("unit", ["docker.service", "kubelet.service", "kube-proxy.service"])
def test_what_a_body_does_not_have_is_no_part(unit: str) -> None:
    body = bodies(compiled())["cp1"]
    without = Body(
        tuple(
            one
            for one in body.resources
            if not (isinstance(one.spec, Unit) and one.spec.unit == unit)
        )
    )
    found = {one.name for one in wanted_of(without, "cp1", STATE).services}
    assert unit.removesuffix(".service") not in found
    assert len(found) == 3


def test_a_node_without_anything_has_a_disk() -> None:
    assert wanted_of(Body(), "w1", STATE) == Wanted(disks=(STATE,))


def test_pods_and_ports_of_the_groups_are_found() -> None:
    text = SMALL + (
        "groups:\n- match: role=worker\n  kubelet:\n"
        "    config: {healthzPort: 11248}\n"
        "    staticPods:\n"
        "    - apiVersion: v1\n      kind: Pod\n      metadata: {name: two, namespace: apps}\n"
        "      spec:\n        containers:\n"
        "        - {name: a, image: 'saltern/echo:1', ports: [{name: http, containerPort: 80}]}\n"
        "        - {image: 'saltern/echo:1', env: [{name: X, value: y}], name: b}\n"
    )
    ((name, body),) = bodies(compiled(text)).items()
    found = wanted_of(body, name, STATE)
    assert found.pods == (Pod("apps", f"two-{name}", ("a", "b")),)
    assert found.services[1].endpoint == Endpoint("127.0.0.1", 11248, "/healthz")
