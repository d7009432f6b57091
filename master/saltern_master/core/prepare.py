"""A cluster file and what the nodes said -> their bodies, as bytes, and what policy says of them.

* It is the slow part of an apply, and pure but for reading the library: it runs in a thread, and
  what came of it is kept for the next apply. Nothing to do is found out without compiling.
* All faults are told at once: those of the file, then what is outside policy, then blobs that
  are not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import msgspec
from saltern_states.body import write_body
from saltern_states.kinds import kind_of

from saltern_master.api.service import ServiceError
from saltern_master.cluster.faults import ClusterFileError
from saltern_master.cluster.load import ClusterFile, load
from saltern_master.cluster.model import Cluster
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import Compilation, Compiled, compile_cluster
from saltern_master.compile.facts import Facts
from saltern_master.core.signer import Signer
from saltern_master.errors import MasterError
from saltern_master.library import Library


@dataclass(frozen=True, slots=True)
class Question:
    """All that decides what an apply comes to."""

    file: bytes
    facts: tuple[tuple[str, Facts], ...]  # of the nodes that have joined, by name
    allocation: Allocation
    library: tuple[int, ...]  # which index it was
    policy: bytes
    without: frozenset[str] = frozenset()  # nodes that leave


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one node shall be."""

    name: str
    node_class: str
    body: bytes
    hash: str  # of the body, 64 digits
    kinds: frozenset[str]
    blobs: tuple[str, ...]  # 64 digits each, the body's own not among them


@dataclass(frozen=True, slots=True)
class Prepared:
    """What came of it."""

    cluster: Cluster
    nodes: Mapping[str, Wanted]
    allocation: Allocation
    notes: tuple[str, ...]


class Preparing:
    """Prepares, and keeps the last answer."""

    def __init__(self, home: Path) -> None:
        self._library = Library(home)
        self._home = home
        self._last: tuple[Question, Prepared] | None = None

    def library_state(self) -> tuple[int, ...]:
        """Say which index this is: another one has another inode, length or time."""
        try:
            found = (self._home / "library.json").stat()
        except FileNotFoundError:
            return ()
        return (found.st_ino, found.st_size, found.st_mtime_ns)

    def prepare(self, question: Question, signer: Signer) -> Prepared:
        """Give the answer; ServiceError "invalid" tells all that stands against it. Slow."""
        if self._last is not None and self._last[0] == question:
            return self._last[1]
        prepared = self._prepare(question, signer)
        self._last = (question, prepared)
        return prepared

    def _prepare(self, question: Question, signer: Signer) -> Prepared:
        try:
            file = _without(load(question.file), question.without)
            _refuse_another_cluster(file.cluster, signer)
            facts = {node.name: Facts() for node in file.cluster.nodes} | dict(question.facts)
            stock = self._library.list()
            compilation = compile_cluster(file, facts, question.allocation, stock)
        except ClusterFileError as error:
            raise ServiceError("invalid", str(error), tuple(map(str, error.faults))) from error
        _refuse_outside_policy(compilation, signer)
        nodes = {one.node.name: _wanted(one) for one in compilation.nodes}
        self._refuse_missing(nodes.values())
        strangers = nodes.keys() - {name for name, _ in question.facts}
        notes = tuple(one for one in compilation.notes if one.partition(":")[0] not in strangers)
        return Prepared(file.cluster, nodes, compilation.allocation, notes)

    def _refuse_missing(self, nodes: Iterable[Wanted]) -> None:
        missing = []
        for blob in sorted({blob for node in nodes for blob in node.blobs}):
            try:
                self._library.path(blob)
            except MasterError as error:
                missing.append(str(error))
        if missing:
            raise ServiceError("invalid", "\n".join(missing), tuple(missing))


def _without(file: ClusterFile, names: frozenset[str]) -> ClusterFile:
    if not names:
        return file
    nodes = tuple(node for node in file.cluster.nodes if node.name not in names)
    return replace(file, cluster=msgspec.structs.replace(file.cluster, nodes=nodes))


def _refuse_another_cluster(cluster: Cluster, signer: Signer) -> None:
    if cluster.cluster.name != signer.cluster:
        raise ServiceError(
            "invalid",
            f'cannot apply a file of cluster "{cluster.cluster.name}": this is the master of '
            f'"{signer.cluster}"; take the file that belongs here, or its own master',
        )


def _refuse_outside_policy(compilation: Compilation, signer: Signer) -> None:
    faults = tuple(
        f"{one.node.name}: {resource.id}: {claim}"
        for one in compilation.nodes
        for resource in one.body.resources
        for claim in signer.outside(one.node.node_class, resource.claims)
    )
    if faults:
        listed = "\n".join(f"  {fault}" for fault in faults)
        raise ServiceError(
            "invalid",
            f"cannot sign what policy {signer.policy.version} does not allow (add it to "
            f"policy.yaml in the master's home and run: saltern policy)\n{listed}",
            faults,
        )


def _wanted(compiled: Compiled) -> Wanted:
    body = write_body(compiled.body)
    return Wanted(
        name=compiled.node.name,
        node_class=compiled.node.node_class,
        body=body,
        hash=sha256(body).hexdigest(),
        kinds=frozenset(kind_of(one.spec).name for one in compiled.body.resources),
        blobs=tuple(sorted(compiled.body.blobs)),
    )
