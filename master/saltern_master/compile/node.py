"""All that the expansions of one node look at, as one frozen value; and how they name things.

An id is PART/NAME: the expansion, and what a person would call the thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from saltern_states.artifact import Artifact
from saltern_states.body import Resource
from saltern_states.contract import Spec
from saltern_states.file import File
from saltern_states.image import Image
from saltern_states.package import Deb, Package
from saltern_states.unit import LivesBy

from saltern_master.cluster.model import Docker, Network, Node
from saltern_master.compile.facts import Facts
from saltern_master.compile.pki import Pki
from saltern_master.library.values import Index
from saltern_master.versions import KubernetesMinor


@dataclass(frozen=True, slots=True)
class Peer:
    """Another node of the cluster: what this one must know to send packets to its pods."""

    name: str
    address: str
    pods: str


@dataclass(frozen=True, slots=True)
class Control:
    """What the nodes of a cluster with a control plane know beside the rest."""

    cluster: str
    endpoint: str  # the address of the API server
    pki: Pki
    kube_proxy_config: Mapping[str, object]  # the groups' fields


@dataclass(frozen=True, slots=True)
class NodeInput:
    """One node, and all that decides what it becomes. `control` None: a kubelet on its own."""

    node: Node
    domain: str
    version: str
    minor: KubernetesMinor
    network: Network
    docker: Docker
    pods: str  # this node's own range
    facts: Facts
    stock: Index  # what the library holds
    kubelet_config: Mapping[str, object]
    static_pods: tuple[Mapping[str, object], ...]
    images: tuple[str, ...] = ()  # wanted besides those of its pods
    peers: tuple[Peer, ...] = ()
    control: Control | None = None

    @property
    def runs_control_plane(self) -> bool:
        """Whether the control plane is on this node."""
        return self.control is not None and "control-plane" in self.node.roles


OF_THE_MACHINE: Final = ("kmod", "iptables")
"""Packages that a bare machine has, or would miss: what boots it and what keeps its gate."""


def resource(part: str, name: str, spec: Spec, after: Iterable[str] = ()) -> Resource:
    """Give a resource of an expansion. A machine's own packages stay when it leaves."""
    stays = isinstance(spec, Package) and (not spec.debs or spec.name in OF_THE_MACHINE)
    return Resource(
        id=f"{part}/{name}",
        spec=spec,
        after=tuple(after),
        part_of=part,
        on_removal="keep" if stays else "remove",
    )


def package(name: str, stock: Index) -> Package:
    """Give a package: from the library's .deb files, else from the node's own repositories.

    Without a version of its own: .deb files are a floor, and what a node has newer by its own
    security updates is left alone.
    """
    for found in stock.packages:
        if found.name == name:
            debs = tuple(
                Deb(package=deb.package, version=deb.version, sha256=deb.sha256)
                for deb in found.debs
            )
            return Package(name=name, debs=debs)
    return Package(name=name)


def image(name: str, stock: Index) -> Image | None:
    """Give an image that the library has, or None."""
    for found in stock.images:
        if found.name == name:
            return Image(name=name, config=found.config_digest, archive=found.archive_sha256)
    return None


def binary(component: str, given: NodeInput, path: str) -> Artifact | None:
    """Give a program of the node's Kubernetes at a path, or None where the library lacks it."""
    wanted = (component, given.version, given.facts.go_architecture)
    for found in given.stock.binaries:
        if (found.component, found.version, found.architecture) == wanted:
            return Artifact(path=path, sha256=found.sha256)
    return None


def lives_by(file: File) -> LivesBy:
    """Say that a unit has to be started anew when this file changes."""
    return LivesBy(path=file.path, sha256=sha256(file.text.encode()).hexdigest())


def program_image(component: str, given: NodeInput) -> str:
    """Name the image of a Kubernetes program of the node's version."""
    return f"saltern/{component}:v{given.version}"
