"""control-plane: etcd, the API server, the controller-manager and the scheduler of one node.

They are static pods (static_pods.py) in the kubelet's manifest directory. A manifest comes
after all that its pod reads, so no pod starts only to fail for a file that is yet to come.

What etcd holds is the cluster, so its directory is never taken back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from saltern_states.body import Resource
from saltern_states.directory import Directory
from saltern_states.file import File

from saltern_master.cluster.static_pod import pod_images, pod_name
from saltern_master.compile.certificates import ETC
from saltern_master.compile.docker import SERVICE as DOCKER
from saltern_master.compile.kubeconfig import kubeconfig
from saltern_master.compile.node import NodeInput, image, resource
from saltern_master.compile.static_pods import (
    CONTROLLER_MANAGER_CONF,
    ETCD_DATA,
    SCHEDULER_CONF,
    Pod,
    control_plane_pods,
)
from saltern_master.compile.yaml_text import to_yaml

PART = "control-plane"
READS: Mapping[str, tuple[str, ...]] = {
    "etcd": ("pki/etcd/ca.crt", "pki/etcd/server", "pki/etcd/peer", f"{PART}/etcd-data"),
    "kube-apiserver": (
        "pki/ca.crt",
        "pki/front-proxy-ca.crt",
        "pki/sa.pub",
        "pki/sa.key",
        "pki/apiserver",
        "pki/apiserver-kubelet-client",
        "pki/apiserver-etcd-client",
        "pki/front-proxy-client",
        "pki/etcd/ca.crt",
    ),
    "kube-controller-manager": (
        "pki/ca.crt",
        "pki/front-proxy-ca.crt",
        "pki/sa.key",
        "pki/controller-manager",
        f"{PART}/controller-manager.conf",
    ),
    "kube-scheduler": (
        "pki/ca.crt",
        "pki/front-proxy-ca.crt",
        "pki/scheduler",
        f"{PART}/scheduler.conf",
    ),
}
"""The resources that each pod reads."""


def pods(given: NodeInput) -> tuple[Pod, ...]:
    """Give the manifests of the node's control plane; () where it runs none."""
    if given.control is None or not given.runs_control_plane:
        return ()
    return control_plane_pods(given, given.control)


def control_plane(given: NodeInput, manifests: str, after: tuple[str, ...]) -> tuple[Resource, ...]:
    """Give what the control plane of a node is made of.

    `manifests`: the kubelet's directory; `after`: what any pod waits for.
    """
    found = pods(given)
    if not found:
        return ()
    images = tuple(_images(given, found))
    present = {one.id for one in images}
    return (
        *_files(given),
        *images,
        *(_manifest(given, pod, manifests, after, present) for pod in found),
    )


def _files(given: NodeInput) -> Iterator[Resource]:
    data = resource(PART, "etcd-data", Directory(path=ETCD_DATA, mode="0700"))
    yield msgspec.structs.replace(data, on_removal="keep")
    address = given.node.address
    for name, path, user in (
        ("controller-manager", CONTROLLER_MANAGER_CONF, "system:kube-controller-manager"),
        ("scheduler", SCHEDULER_CONF, "system:kube-scheduler"),
    ):
        yield resource(PART, f"{name}.conf", kubeconfig(path, address, name, user), [ETC])


def _images(given: NodeInput, found: tuple[Pod, ...]) -> Iterator[Resource]:
    for name in (one for pod in found for one in pod_images(pod)):
        spec = image(name, given.stock)
        if spec is not None:
            yield resource(PART, f"images/{name}", spec, [DOCKER])


def _manifest(
    given: NodeInput, pod: Pod, directory: str, after: tuple[str, ...], present: set[str]
) -> Resource:
    name = pod_name(pod)
    images = (f"{PART}/images/{one}" for one in pod_images(pod))
    file = File(path=f"{directory}/{name}.yaml", text=to_yaml(pod), mode="0600")
    needs = (*after, *READS[name], *(one for one in images if one in present))
    return resource(PART, f"{name}.yaml", file, needs)
