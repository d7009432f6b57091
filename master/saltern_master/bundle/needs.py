"""A cluster file and a library -> what a bundle of it holds, or all that the library lacks. Pure.

What is needed is what the real compile puts into bodies: every hash that a body names is a
content of the bundle, and no other is. Names are asked for beside it, since compile passes over
an image or a package that the library lacks, and a node without internet cannot.

The cluster's own authorities are another master's, so stand-ins take their place: secrets and
certificates are made there, and are in no bundle.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Final

import msgspec
from saltern_states.body import Resource
from saltern_states.kinds import kind_of
from saltern_states.package import Package

from saltern_master.bundle.manifest import BundleError
from saltern_master.cluster.load import ClusterFile
from saltern_master.cluster.model import AgentPart, Cluster
from saltern_master.compile import settings
from saltern_master.compile.agent import candidates
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import Compilation, compile_cluster
from saltern_master.compile.facts import Facts
from saltern_master.compile.pki import Pki, SealedSecret
from saltern_master.compile.wants import Program, Wants, wants
from saltern_master.images.kubernetes import COMPONENTS
from saltern_master.images.programs import PROGRAM_IMAGES
from saltern_master.images.recipes import ETCD
from saltern_master.library.values import Binary, Index, Release, contents, with_binary

ELSEWHERE: Final = "f" * 64
"""Stands for the hash of what another master makes, and for that of a program that lacks."""
USUAL: Final = "amd64"
OURS: Final = "saltern/"
MADE: Final = {image.name: image.program for image in PROGRAM_IMAGES}


@dataclass(frozen=True, slots=True)
class Contents:
    """What a bundle holds of a library. `own`: hashes that the cluster file itself names."""

    stock: Index
    own: tuple[str, ...]
    notes: tuple[str, ...]


def contents_of(
    file: ClusterFile,
    facts: Mapping[str, Facts],
    stock: Index,
    has: Callable[[str], bool],
    also: Collection[str] = (),
) -> Contents:
    """Give what a bundle of a cluster file holds. `also`: components that no node is given.

    ClusterFileError: the file is wrong. BundleError: all that lacks, each with what brings it.
    """
    pki = _stand_in(file)
    wanted = wants(file.cluster, facts, pki)
    programs = {*wanted.programs, *_also(file.cluster, wanted, also)}
    lacking = sorted(programs - {_program(one) for one in stock.binaries})
    filled = reduce(with_binary, map(_absent, lacking), stock)
    compiled = compile_cluster(_without_agents(file), facts, Allocation(), filled, pki)
    needed = frozenset(blob for one in compiled.nodes for blob in one.body.blobs) - {ELSEWHERE}
    chosen = Index(
        binaries=tuple(one for one in stock.binaries if _program(one) in programs),
        images=tuple(one for one in stock.images if one.name in wanted.images),
        packages=tuple(one for one in stock.packages if one.name in wanted.packages),
        releases=_releases(file.cluster, facts, stock),
    )
    own = tuple(sorted(needed - contents(chosen)))
    reasons = (
        *_lacking_programs(lacking),
        *_lacking_images(set(wanted.images) - {one.name for one in chosen.images}, stock),
        *_lacking_packages(set(wanted.packages) - {one.name for one in chosen.packages}),
        *_lacking_releases(file.cluster, facts, stock),
        *_lost(chosen, has),
        *_lacking_own([one for one in own if not has(one)], compiled),
    )
    if reasons:
        raise BundleError("cannot make a bundle: the library lacks", reasons)
    return Contents(chosen, own, tuple(dict.fromkeys(_notes(compiled))))


def _stand_in(file: ClusterFile) -> Pki | None:
    if file.cluster.control_plane is None:
        return None
    key = SealedSecret(generation=1, blob=ELSEWHERE)
    text = "made by the master that applies this file\n"
    return Pki(
        kubernetes=text,
        etcd=text,
        front_proxy=text,
        token_public=text,
        token_keys={node.name: key for node in file.cluster.nodes},
    )


def _without_agents(file: ClusterFile) -> ClusterFile:
    """Give the file without the releases that it names: a node that has not joined told no Python.

    All that such a node may turn out to need comes along in place of the one.
    """
    cluster = file.cluster
    groups = tuple(msgspec.structs.replace(group, agent=None) for group in cluster.groups)
    return replace(file, cluster=msgspec.structs.replace(cluster, agent=None, groups=groups))


def _wanted_releases(
    cluster: Cluster, facts: Mapping[str, Facts]
) -> Iterator[tuple[AgentPart, Facts]]:
    for node in cluster.nodes:
        named = settings.agent(cluster, node)
        if named is not None:
            yield named[0], facts.get(node.name, Facts())


def _releases(cluster: Cluster, facts: Mapping[str, Facts], stock: Index) -> tuple[Release, ...]:
    found = {one for pair in _wanted_releases(cluster, facts) for one in candidates(*pair, stock)}
    return tuple(one for one in stock.releases if one in found)


def _lacking_releases(cluster: Cluster, facts: Mapping[str, Facts], stock: Index) -> Iterator[str]:
    lacking = {
        (want.version, known.python_minor or "of any version", known.go_architecture)
        for want, known in _wanted_releases(cluster, facts)
        if not candidates(want, known, stock)
    }
    for version, python, architecture in sorted(lacking):
        yield (
            f"agent {version} for Python {python} on {architecture}; run: saltern releases add "
            "FILE.deb"
        )


def _also(cluster: Cluster, wanted: Wants, components: Collection[str]) -> Iterator[Program]:
    machines = sorted({one.architecture for one in wanted.programs}) or [USUAL]
    for component in components:
        yield Program(cluster.kubernetes.version, component, machines[0])


def _program(one: Binary) -> Program:
    return Program(one.version, one.component, one.architecture)


def _absent(one: Program) -> Binary:
    """Stand for a program that lacks, so that compile tells what else is wrong."""
    return Binary(
        version=one.version,
        component=one.component,
        architecture=one.architecture,
        sha256=ELSEWHERE,
        size=0,
        origin="directory",
    )


def _lacking_programs(lacking: Iterable[Program]) -> Iterator[str]:
    for one in lacking:
        yield (
            f"{one.component} {one.version} for {one.architecture}; run: saltern binaries add "
            f"{one.version} --component {one.component}"
        )


def _lacking_images(names: Collection[str], stock: Index) -> Iterator[str]:
    """Name images, with what brings each; a program's image is made of the program."""
    programs = {(one.component, one.version) for one in stock.binaries}
    for name in sorted(names):
        component, _, tag = name.removeprefix(OURS).partition(":")
        if name in MADE:
            how = f"saltern images add {MADE[name]}"
        elif name.startswith(OURS) and component in (*COMPONENTS, ETCD):
            version = tag.removeprefix("v")
            first = f"saltern binaries add {version} --component {component}, then: "
            has = component == ETCD or (component, version) in programs
            how = f"{'' if has else first}saltern images add {component}"
        else:
            how = "saltern images add --archive FILE, an archive of docker save"
        yield f"image {name}; run: {how}"


def _lacking_packages(names: Collection[str]) -> Iterator[str]:
    if names:
        listed = " ".join(sorted(names))
        yield (
            f"packages {listed}; run: saltern packages add {listed} --base STATUS, the file "
            "/var/lib/dpkg/status of a bare node"
        )


def _lost(chosen: Index, has: Callable[[str], bool]) -> Iterator[str]:
    """Name what the index has and the disk has not."""
    for binary in chosen.binaries:
        if not has(binary.sha256):
            yield f"the content of {binary.component}; run: saltern binaries add {binary.version}"
    for image in chosen.images:
        if not has(image.archive_sha256):
            yield f"the content of image {image.name}; run: saltern images add"
    for release in chosen.releases:
        if not has(release.sha256):
            yield f"the content of agent {release.version}; run: saltern releases add FILE.deb"
    for packages in chosen.packages:
        if not all(has(deb.sha256) for deb in packages.debs):
            yield f"contents of package {packages.name}; run: saltern packages add {packages.name}"


def _lacking_own(lacking: Collection[str], compiled: Compilation) -> Iterator[str]:
    for sha256 in lacking:
        users = dict.fromkeys(f"{one.id}" for one in _resources(compiled) if sha256 in _blobs(one))
        yield f"content {sha256} of {', '.join(users)}; run: saltern blobs add FILE"


def _notes(compiled: Compilation) -> Iterator[str]:
    for one in _resources(compiled):
        if isinstance(one.spec, Package) and not one.spec.debs and one.part_of == "":
            yield (
                f"{one.id}: the nodes take package {one.spec.name} from repositories of their own; "
                "name its debs in the cluster file to bring it along"
            )


def _resources(compiled: Compilation) -> Iterator[Resource]:
    return (resource for one in compiled.nodes for resource in one.body.resources)


def _blobs(one: Resource) -> tuple[str, ...]:
    return kind_of(one.spec).blobs(one.spec)
