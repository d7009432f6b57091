"""kubelet: running the static pods of its node, and what an API server gives it, if there is one.

On its own nobody can ask it anything over the network: no anonymous access, no certificate
authority to know anybody by, no read-only port; its health is on the loopback. Authorization is
AlwaysAllow since the other mode needs an API server to ask.

With an API server it is known by a certificate of its own, knows others by theirs, and asks who
may do what (kubelet_connected.py).

It may run whatever lies in the manifest directory, so that directory holds the declared
manifests and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable

from saltern_states.artifact import Artifact
from saltern_states.body import Resource
from saltern_states.directory import Directory
from saltern_states.file import File
from saltern_states.swap import Swap
from saltern_states.unit import Unit

from saltern_master.cluster.static_pod import pod_images, pod_name
from saltern_master.compile.control_plane import control_plane, pods
from saltern_master.compile.docker import SERVICE as DOCKER
from saltern_master.compile.kubelet_connected import (
    CONNECTED,
    connected_flags,
    connection,
    service_lines,
)
from saltern_master.compile.node import NodeInput, binary, image, lives_by, package, resource
from saltern_master.compile.settings import in_order, merged
from saltern_master.compile.yaml_text import to_yaml

PART = "kubelet"
PROGRAM = "/usr/local/bin/kubelet"
CONFIG = "/var/lib/kubelet/config.yaml"
MANIFESTS = "/etc/kubernetes/manifests"
LACKING = Artifact(path=PROGRAM, sha256="0" * 64)
"""Stands for a kubelet that the library lacks, which compile tells beside all other faults."""
TOOLS = ("conntrack", "ebtables", "ethtool", "socat")
"""Programs that a kubelet of before 1.24 calls (kubeadm's preflight names them)."""


def kubelet(given: NodeInput) -> tuple[Resource, ...]:
    """Give the kubelet, what it needs, its static pods and their images."""
    program = binary("kubelet", given, PROGRAM) or LACKING
    connected = connection(given, (PROGRAM, *flags(given)))
    tools = [resource(PART, name, package(name, given.stock)) for name in TOOLS]
    swap = resource(PART, "swap", Swap())
    artifact = resource(PART, "kubelet", program)
    state = resource(PART, "state", Directory(path="/var/lib/kubelet", mode="0750"))
    config = File(path=CONFIG, text=config_yaml(given), mode="0600")
    unit_file = File(path="/etc/systemd/system/kubelet.service", text=unit_text(given))
    files = (
        resource(PART, "config.yaml", config, [state.id]),
        resource(PART, "unit-file", unit_file),
    )
    images = tuple(_images(given))
    directories = _directories(given)
    manifests = (
        *control_plane(given, MANIFESTS, _ready(directories[-1], images)),
        *_manifests(given, directories[-1], images),
    )
    unit = Unit(
        unit="kubelet.service",
        files=(lives_by(config), lives_by(unit_file), *connected.lives_by),
        binary=PROGRAM,
    )
    # Images and manifests come first too, but what is wrong with one pod keeps no other waiting.
    needs = (*tools, swap, artifact, *files, *directories, *connected.resources)
    before = (*(one.id for one in needs), DOCKER, *connected.after)
    service = resource(PART, "kubelet.service", unit, before)
    first = (*tools, swap, artifact, state, *files, *directories, *connected.resources)
    return (*first, *images, *manifests, service)


def pause_image(given: NodeInput) -> str:
    """Name the image that holds each pod's network."""
    return f"saltern/pause:{given.minor.pause}"


def images_of(given: NodeInput) -> tuple[str, ...]:
    """Name every image that the node's pods need, and those that the groups want there."""
    of_pods = {name for pod in (*pods(given), *given.static_pods) for name in pod_images(pod)}
    return (pause_image(given), *sorted(of_pods.union(given.images) - {pause_image(given)}))


def config_yaml(given: NodeInput) -> str:
    """Give KubeletConfiguration: ours, with the groups' fields over it."""
    ours: dict[str, object] = {
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": given.docker.cgroup_driver,
        "clusterDomain": given.domain,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": 10248,
        "podCIDR": given.pods,
        "readOnlyPort": 0,
        "staticPodPath": MANIFESTS,
    }
    if given.control is not None:
        ours |= CONNECTED
    known = {name: value for name, value in ours.items() if name in given.minor.kubelet.fields}
    head = {"apiVersion": given.minor.kubelet.api_version, "kind": "KubeletConfiguration"}
    return to_yaml({**head, **in_order(merged(known, given.kubelet_config))})


def flags(given: NodeInput) -> tuple[str, ...]:
    """Give the command line that the kubelet has with and without an API server."""
    return (
        f"--config={CONFIG}",
        "--container-runtime=docker",
        f"--hostname-override={given.node.name}",
        f"--node-ip={given.node.address}",
        f"--pod-infra-container-image={pause_image(given)}",
    )


def unit_text(given: NodeInput) -> str:
    """Give the unit file. The kubelet tells systemd when it is ready, so Type is notify."""
    command = " \\\n  ".join((PROGRAM, *flags(given), *connected_flags(given)))
    return f"""\
[Unit]
Description=kubelet {given.version}
Documentation=https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/
Wants=network-online.target
After=network-online.target docker.service
StartLimitIntervalSec=0

[Service]
Type=notify
{service_lines(given)}ExecStart={command}
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
"""


def _images(given: NodeInput) -> Iterable[Resource]:
    taken = {name for pod in pods(given) for name in pod_images(pod)}  # by the control plane
    for name in images_of(given):
        spec = image(name, given.stock)
        if spec is not None and name not in taken:
            yield resource(PART, f"images/{name}", spec, [DOCKER])


def _directories(given: NodeInput) -> tuple[Resource, Resource]:
    etc = resource(PART, "etc", Directory(path="/etc/kubernetes"))
    all_pods = (*pods(given), *given.static_pods)
    names = tuple(sorted(f"{pod_name(pod)}.yaml" for pod in all_pods))
    manifests = Directory(path=MANIFESTS, mode="0700", only=names)
    return etc, resource(PART, "manifests", manifests, [etc.id])


def _manifests(
    given: NodeInput, directory: Resource, images: tuple[Resource, ...]
) -> Iterable[Resource]:
    known = {one.id for one in images}
    for pod in sorted(given.static_pods, key=pod_name):
        wanted = (f"{PART}/images/{name}" for name in (pause_image(given), *pod_images(pod)))
        name = f"{pod_name(pod)}.yaml"
        file = File(path=f"{MANIFESTS}/{name}", text=to_yaml(pod), mode="0600")
        needs = dict.fromkeys(one for one in wanted if one in known)
        yield resource(PART, f"manifests/{name}", file, [directory.id, *needs])


def _ready(directory: Resource, images: tuple[Resource, ...]) -> tuple[str, ...]:
    """Name what any static pod waits for: the directory, and the image that holds its network."""
    return (directory.id, *(one.id for one in images[:1]))
