"""What the groups say of one node, put together: where two differ, the later one counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from saltern_states.body import DriftPolicy, Resource
from saltern_states.sysctl import Sysctl

from saltern_master.cluster.faults import Path
from saltern_master.cluster.match import does_match
from saltern_master.cluster.model import AgentPart, Cluster, Group, Node, OwnResource


@dataclass(frozen=True, slots=True)
class Own:
    """A resource that a person declared, and where."""

    resource: Resource
    path: Path
    policy: DriftPolicy | None = None  # that stands there


def groups_of(cluster: Cluster, node: Node) -> Iterator[tuple[int, Group]]:
    """Give the groups that mean a node, with their place in the file."""
    for number, group in enumerate(cluster.groups):
        if does_match(group.match, node.name, node.roles, node.labels):
            yield number, group


def agent(cluster: Cluster, node: Node) -> tuple[AgentPart, Path] | None:
    """Give which release of the agent a node shall have, and where that is said; None: any."""
    found: tuple[AgentPart, Path] | None = None
    if cluster.agent is not None:
        found = cluster.agent, ("agent",)
    for number, group in groups_of(cluster, node):
        if group.agent is not None:
            found = group.agent, ("groups", number, "agent")
    return found


def kubelet_config(cluster: Cluster, node: Node) -> dict[str, object]:
    """Give the fields of KubeletConfiguration that the groups set for a node."""
    config: dict[str, object] = {}
    for _, group in groups_of(cluster, node):
        config = merged(config, group.kubelet.config)
    return config


def kube_proxy_config(cluster: Cluster, node: Node) -> dict[str, object]:
    """Give the fields of KubeProxyConfiguration that the groups set for a node."""
    config: dict[str, object] = {}
    for _, group in groups_of(cluster, node):
        config = merged(config, group.kube_proxy.config)
    return config


def static_pods(cluster: Cluster, node: Node) -> tuple[Mapping[str, object], ...]:
    """Give the manifests of a node's static pods."""
    return tuple(pod for _, group in groups_of(cluster, node) for pod in group.kubelet.static_pods)


def images(cluster: Cluster, node: Node) -> tuple[str, ...]:
    """Name the images that the groups want on a node, besides those of its static pods."""
    named = {name for _, group in groups_of(cluster, node) for name in group.images}
    return tuple(sorted(named))


def own_resources(cluster: Cluster, node: Node) -> Iterator[Own]:
    """Give the resources that a person declared for a node: the groups' parameters and the rest."""
    sysctls: dict[str, Own] = {}
    for number, group in groups_of(cluster, node):
        for key, value in group.sysctls.items():
            made = Resource(id=f"sysctl/{key}", spec=Sysctl(key=key, value=value))
            sysctls[key] = Own(made, ("groups", number, "sysctls", key))
    yield from (sysctls[key] for key in sorted(sysctls))
    for place, one in enumerate(cluster.resources):
        yield _own(one, ("resources", place))
    for number, group in groups_of(cluster, node):
        for place, one in enumerate(group.resources):
            yield _own(one, ("groups", number, "resources", place))


def merged(under: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """Lay one map over another; maps in both are merged, all else is replaced."""
    result = dict(under)
    for name, value in over.items():
        below = result.get(name)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[name] = merged(below, value) if both else value  # type: ignore[arg-type]
    return result


def in_order(config: Mapping[str, object]) -> dict[str, object]:
    """Give a configuration with its fields by name, on every level."""
    return {
        name: in_order(value) if isinstance(value, Mapping) else value
        for name, value in sorted(config.items())
    }


def _own(one: OwnResource, path: Path) -> Own:
    made = Resource(id=one.id, spec=one.spec, after=one.after, on_removal=one.on_removal)
    return Own(made, path, one.drift)
