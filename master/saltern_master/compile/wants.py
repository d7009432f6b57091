"""What the nodes of a cluster file want of a library, by name, whether it is there or not. Pure.

What a person's own resources name by hash is not among it: that is in the bodies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from saltern_master.cluster.model import Cluster
from saltern_master.compile.allocation import Allocation, allocate
from saltern_master.compile.cluster import PACKAGES, components, node_input
from saltern_master.compile.facts import Facts
from saltern_master.compile.kubelet import images_of
from saltern_master.compile.node import NodeInput
from saltern_master.compile.pki import Pki
from saltern_master.library.values import Index


@dataclass(frozen=True, slots=True, order=True)
class Program:
    """A program of Kubernetes; `architecture` in Go's words."""

    version: str
    component: str
    architecture: str


@dataclass(frozen=True, slots=True)
class Wants:
    """Programs, images by name, and packages by name; each sorted."""

    programs: tuple[Program, ...]
    images: tuple[str, ...]
    packages: tuple[str, ...]


def wants(cluster: Cluster, facts: Mapping[str, Facts], pki: Pki | None) -> Wants:
    """Give what all nodes want together. `pki`: as compile_cluster() takes it."""
    given = tuple(_inputs(cluster, facts, pki))
    programs = {
        Program(one.version, component, one.facts.go_architecture)
        for one in given
        for component in components(one)
    }
    return Wants(
        programs=tuple(sorted(programs)),
        images=tuple(sorted({name for one in given for name in images_of(one)})),
        packages=tuple(sorted(PACKAGES)) if given else (),
    )


def _inputs(cluster: Cluster, facts: Mapping[str, Facts], pki: Pki | None) -> Iterator[NodeInput]:
    nodes = [node for node in cluster.nodes if not node.is_bare]
    names = tuple(node.name for node in nodes)
    ranges = allocate(cluster.network.pods, cluster.network.per_node, names, Allocation())
    for node in nodes:
        known = facts.get(node.name, Facts())
        yield node_input(cluster, node, known, ranges, Index(), pki)
