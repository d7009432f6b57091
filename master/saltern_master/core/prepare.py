"""A cluster file and what the nodes said -> their bodies, as bytes, and what policy says of them.

* It is the slow part of an apply, and pure but for reading the library: it runs in a thread, and
  what came of it is kept for the next apply. Nothing to do is found out without compiling, also
  where another file was planned meanwhile.
* All faults are told at once: those of the file, then what is outside policy, then blobs that
  are not here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

import msgspec
from saltern_protocol.sealed import Context
from saltern_states.body import write_body
from saltern_states.kinds import kind_of

from saltern_master.api.service import ServiceError
from saltern_master.cluster.faults import ClusterFileError
from saltern_master.cluster.load import ClusterFile, load
from saltern_master.cluster.model import Cluster
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import Compilation, Compiled, compile_cluster
from saltern_master.compile.facts import Facts
from saltern_master.compile.pki import TOKEN_KEY, Pki, SealedSecret
from saltern_master.core.signer import Signer
from saltern_master.errors import MasterError
from saltern_master.library import Library
from saltern_master.pki.authorities import Authorities
from saltern_master.pki.seals import give
from saltern_master.pki.told import told
from saltern_master.signing.home import Home


@dataclass(frozen=True, slots=True)
class Machine:
    """What compile is told of a node that has joined."""

    name: str
    facts: Facts
    sealing: str  # the key that its secrets are sealed to, 64 digits


@dataclass(frozen=True, slots=True)
class Question:
    """All that decides what an apply comes to."""

    file: bytes
    machines: tuple[Machine, ...]
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
    left_out: Mapping[str, str]  # nodes of the file that get no body now, and their classes
    allocation: Allocation
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it, and of which questions it is the answer."""

    questions: tuple[Question, ...]
    prepared: Prepared


class Preparing:
    """Prepares, and keeps two answers: of what was applied last, and of what was asked ahead."""

    def __init__(
        self, home: Home, authorities: Authorities, random: Callable[[int], bytes]
    ) -> None:
        self._library = Library(home.path)
        self._home, self._authorities, self._random = home, authorities, random
        self._applied: Answer | None = None
        self._ahead: Answer | None = None

    def library_state(self) -> tuple[int, ...]:
        """Say which index this is: another one has another inode, length or time."""
        try:
            found = (self._home.path / "library.json").stat()
        except FileNotFoundError:
            return ()
        return (found.st_ino, found.st_size, found.st_mtime_ns)

    def prepare(self, question: Question, signer: Signer) -> Prepared:
        """Give the answer; ServiceError "invalid" tells all that stands against it. Slow."""
        self._applied = self._answer(question, signer)
        return self._applied.prepared

    def look_ahead(self, question: Question, signer: Signer) -> Prepared:
        """Give the same for what may never be applied; what was keeps its answer."""
        self._ahead = self._answer(question, signer)
        return self._ahead.prepared

    def _answer(self, question: Question, signer: Signer) -> Answer:
        for kept in (self._applied, self._ahead):
            if kept is not None and question in kept.questions:
                return kept
        prepared = self._prepare(question, signer)
        again = replace(question, allocation=prepared.allocation)  # ranges that stand stay
        return Answer((question, again), prepared)

    def _prepare(self, question: Question, signer: Signer) -> Prepared:
        machines = {one.name: one for one in question.machines}
        try:
            whole = load(question.file)
            _refuse_another_cluster(whole.cluster, signer)
            file = _without(whole, question.without)
            names = {node.name for node in file.cluster.nodes}
            compilation = compile_cluster(
                file,
                {name: one.facts for name, one in machines.items()},
                question.allocation,
                self._library.list(),
                self._pki(file.cluster, machines),
                names - machines.keys(),
            )
        except ClusterFileError as error:
            head = str(error).partition("\n")[0]  # the faults stand beside it
            raise ServiceError("invalid", head, tuple(map(str, error.faults))) from error
        _refuse_outside_policy(compilation, signer)
        nodes = {one.node.name: _wanted(one) for one in compilation.nodes}
        self._refuse_missing(nodes.values())
        left_out = {
            one.name: one.node_class for one in whole.cluster.nodes if one.name not in nodes
        }
        return Prepared(file.cluster, nodes, left_out, compilation.allocation, compilation.notes)

    def _pki(self, cluster: Cluster, machines: Mapping[str, Machine]) -> Pki:
        """Give the authorities' certificates, and the key of tokens sealed to who signs them."""
        token_keys = {}
        for node in cluster.nodes:
            if "control-plane" in node.roles and node.name in machines:
                token_keys[node.name] = self._token_key(cluster, machines[node.name])
        return told(self._authorities, token_keys)

    def _token_key(self, cluster: Cluster, machine: Machine) -> SealedSecret:
        to = Context(
            cluster=cluster.cluster.name, node=machine.name, secret=TOKEN_KEY, generation=1
        )
        recipient = bytes.fromhex(machine.sealing)
        with self._home.locked():
            given = give(self._home.path, to, recipient, self._authorities.token_key, self._random)
        return SealedSecret(given.generation, given.blob)

    def _refuse_missing(self, nodes: Iterable[Wanted]) -> None:
        missing = []
        for blob in sorted({blob for node in nodes for blob in node.blobs}):
            try:
                self._library.path(blob)
            except MasterError as error:
                missing.append(str(error))
        if missing:
            raise ServiceError("invalid", "cannot make bodies: blobs are missing", tuple(missing))


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
        raise ServiceError(
            "invalid",
            f"cannot sign what policy {signer.policy.version} does not allow (add it to "
            "policy.yaml in the master's home and run: saltern policy)",
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
