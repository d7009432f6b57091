"""A whole cluster file -> the body of every node. Pure: equal inputs, equal bytes.

What is wrong only now (a resource that claims what an expansion claims, an `after` that
names nothing on this node, a kubelet that the library lacks) is told with the path in the
cluster file, for all nodes at once. What is good but worth knowing is a note.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from saltern_protocol.documents import MAX_BODY_BYTES
from saltern_states.body import Body, BodyError, Resource, make_body, write_body

from saltern_master.cluster.faults import ClusterFileError, Path, show
from saltern_master.cluster.load import ClusterFile, located
from saltern_master.cluster.model import Cluster, Node
from saltern_master.compile import settings
from saltern_master.compile.agent import agent
from saltern_master.compile.allocation import Allocation, allocate
from saltern_master.compile.certificates import certificates
from saltern_master.compile.docker import docker
from saltern_master.compile.drift_policies import for_nothing, with_policies
from saltern_master.compile.facts import Facts
from saltern_master.compile.kube_proxy import kube_proxy
from saltern_master.compile.kubelet import PROGRAM, TOOLS, images_of, kubelet
from saltern_master.compile.network import network, ready
from saltern_master.compile.node import Control, NodeInput, Peer, binary, image
from saltern_master.compile.pki import Pki
from saltern_master.compile.pod_routes import pod_routes
from saltern_master.library.values import Index
from saltern_master.versions import minor_of

MAX_TEXT = 16 * 1024
PACKAGES = ("kmod", "iptables", "docker.io", *TOOLS)
"""Every Debian package that an expansion names."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """One node, and what it shall be."""

    node: Node
    body: Body


@dataclass(frozen=True, slots=True)
class Compilation:
    """What a cluster file means. `allocation` is the one to record before anything is signed."""

    nodes: tuple[Compiled, ...]
    allocation: Allocation
    notes: tuple[str, ...]


def compile_cluster(
    file: ClusterFile,
    facts: Mapping[str, Facts],
    before: Allocation,
    stock: Index,
    pki: Pki | None = None,
    leave_out: Collection[str] = (),
) -> Compilation:
    """Compile for every node; ClusterFileError tells all that stands against it.

    `pki`: what a cluster with a control plane cannot do without. `leave_out`: nodes that get
    no body now, and are part of the cluster all the same.
    """
    cluster = file.cluster
    names = tuple(node.name for node in cluster.nodes if not node.is_bare)
    allocation = allocate(cluster.network.pods, cluster.network.per_node, names, before)
    inputs = [
        node_input(cluster, node, facts.get(node.name, Facts()), allocation, stock, pki)
        for node in cluster.nodes
        if node.name not in leave_out
    ]
    faults: dict[tuple[Path, str], None] = dict.fromkeys(_unknown_keys(cluster, pki, leave_out))
    nodes: list[Compiled] = []
    for given in inputs:
        found = _compile_node(cluster, given)
        if isinstance(found, Body):
            nodes.append(Compiled(given.node, found))
        else:
            faults.update(dict.fromkeys(found))
    if not faults:
        ids = {one.node.name: [each.id for each in one.body.resources] for one in nodes}
        faults.update(dict.fromkeys(for_nothing(cluster, ids)))
    if faults:
        raise ClusterFileError(located(file.lines, path, text) for path, text in faults)
    notes = dict.fromkeys(note for given in inputs for note in _notes(given, facts))
    return Compilation(tuple(nodes), allocation, tuple(notes))


def node_input(
    cluster: Cluster,
    node: Node,
    facts: Facts,
    allocation: Allocation,
    stock: Index,
    pki: Pki | None,
) -> NodeInput:
    """Give all that the expansions of a node look at."""
    minor = minor_of(cluster.kubernetes.version)
    if minor is None:
        raise AssertionError("load() refuses a version that is not known")
    return NodeInput(
        node=node,
        domain=cluster.cluster.domain,
        version=cluster.kubernetes.version,
        minor=minor,
        network=cluster.network,
        docker=cluster.runtime.docker,
        pods=allocation.ranges.get(node.name, ""),
        facts=facts,
        stock=stock,
        kubelet_config=settings.kubelet_config(cluster, node),
        static_pods=settings.static_pods(cluster, node),
        images=settings.images(cluster, node),
        peers=tuple(
            Peer(other.name, other.address, allocation.ranges[other.name])
            for other in cluster.nodes
            if other != node and not other.is_bare
        ),
        control=_control(cluster, node, pki),
    )


def _control(cluster: Cluster, node: Node, pki: Pki | None) -> Control | None:
    if cluster.control_plane is None or pki is None:
        return None
    return Control(
        cluster=cluster.cluster.name,
        endpoint=cluster.endpoint,
        pki=pki,
        kube_proxy_config=settings.kube_proxy_config(cluster, node),
    )


def _unknown_keys(
    cluster: Cluster, pki: Pki | None, leave_out: Collection[str]
) -> Iterator[tuple[Path, str]]:
    """Tell of the control plane that is lacking what no expansion can make up."""
    for number, node in enumerate(cluster.nodes):
        if "control-plane" not in node.roles or node.name in leave_out:
            continue
        if pki is None:
            text = "a control plane needs certificate authorities, which a master makes"
            yield ("nodes", number, "roles"), f"{text} as it starts; run: saltern master run"
        elif node.name not in pki.token_keys:
            text = f"{node.name} has not joined, so no secret can be sealed to it"
            advice = f"run: saltern node token {node.name} --class control-plane"
            yield ("nodes", number, "name"), f"{text}; {advice}"


def _compile_node(cluster: Cluster, given: NodeInput) -> Body | tuple[tuple[Path, str], ...]:
    expanded = () if given.node.is_bare else _expand(given)
    own = tuple(settings.own_resources(cluster, given.node))
    origin: dict[int, Path] = {len(expanded) + n: one.path for n, one in enumerate(own)}
    faults = [*([] if given.node.is_bare else _missing(given)), *_too_long(expanded)]
    release, lacking = _release(cluster, given)
    faults.extend(lacking)
    said = {one.resource.id: one.policy for one in own if one.policy is not None}
    said |= {one.id: one.drift for one in release}
    resources = (*expanded, *(one.resource for one in own), *release)
    try:
        body = make_body(with_policies(cluster, given.node, resources, said))
    except BodyError as error:
        faults.extend(_in_file(fault, origin, given.node.name) for fault in error.faults)
        return tuple(faults)
    size = len(write_body(body))
    if size > MAX_BODY_BYTES:
        text = f"the body of {given.node.name} has {size} bytes; the limit is {MAX_BODY_BYTES}"
        faults.append(((), text))
    return tuple(faults) if faults else body


def _release(
    cluster: Cluster, given: NodeInput
) -> tuple[tuple[Resource, ...], tuple[tuple[Path, str], ...]]:
    """Give the agent's own release, or why there is none, for a node for which one is named."""
    wanted = settings.agent(cluster, given.node)
    if wanted is None:
        return (), ()
    part, path = wanted
    made = agent(part, given.facts, given.stock)
    if isinstance(made, Resource):
        return (made,), ()
    return (), (((*path, "version"), f"{made} (node {given.node.name})"),)


def _expand(given: NodeInput) -> tuple[Resource, ...]:
    net = network(given)
    usable = ready(net)
    return (
        *net,
        *pod_routes(given),
        *docker(given, usable),
        *certificates(given),
        *kubelet(given),
        *kube_proxy(given, usable),
    )


def components(given: NodeInput) -> tuple[str, ...]:
    """Name the programs of Kubernetes that a node is given as such; others come in images."""
    return ("kubelet", "kube-proxy") if given.control else ("kubelet",)


def _missing(given: NodeInput) -> Iterator[tuple[Path, str]]:
    for component in components(given):
        if binary(component, given, PROGRAM) is None:
            wanted = f"{component} {given.version} for {given.facts.go_architecture}"
            text = f"there is no {wanted} in the library; run: saltern binaries add {given.version}"
            yield ("kubernetes", "version"), text


def _too_long(expanded: tuple[Resource, ...]) -> Iterator[tuple[Path, str]]:
    """What is built here passes msgspec by; the one thing that can be too large is a text."""
    for one in expanded:
        text = getattr(one.spec, "text", "")
        if len(text) > MAX_TEXT:
            yield (), f"{one.id} would have {len(text)} characters; the limit is {MAX_TEXT}"


def _in_file(fault: str, origin: Mapping[int, Path], node: str) -> tuple[Path, str]:
    """Turn a body's path into the cluster file's."""
    found = re.match(r"^\$\.resources\[([0-9]+)\](\.[a-z]+)?: (.*)\Z", fault, re.DOTALL)
    if found is None:
        return (), f"node {node}: {fault}"
    number, field, text = int(found[1]), found[2], found[3]
    path = origin.get(number, ())
    text = re.sub(r"resources\[([0-9]+)\]", lambda at: _place(int(at[1]), origin), text)
    return (*path, field[1:]) if field else path, f"{text} (node {node})"


def _place(number: int, origin: Mapping[int, Path]) -> str:
    return show(origin[number]) if number in origin else "an expansion"


def _notes(given: NodeInput, facts: Mapping[str, Facts]) -> Iterator[str]:
    name = given.node.name
    if given.node.is_bare:
        return
    usual = f"an MTU of {given.facts.pods_mtu}"
    if name not in facts:
        yield (
            f"{name}: no facts, so {usual} and iptables-{given.facts.iptables_backend} on "
            f"{given.facts.architecture} are taken; run saltern-agent facts there and keep it as "
            f"facts/{name}.json"
        )
    elif not given.facts.mtu:
        yield f"{name}: its facts tell no MTU (it has no default route), so {usual} is taken"
    for wanted in images_of(given):
        if image(wanted, given.stock) is None:
            yield (
                f"image {wanted} is not in the library, so nodes must have it or pull it; "
                "or run: saltern images add"
            )
    lacking = sorted(set(PACKAGES) - {found.name for found in given.stock.packages})
    if lacking:
        yield (
            f"packages from the nodes' own repositories: {', '.join(lacking)}; "
            f"to bring them along: saltern packages add {' '.join(lacking)}"
        )
