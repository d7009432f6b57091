"""saltern sign: bodies -> what each node is given.

    OUT/NODE.identity     who the node is and which root it starts from; the operator pins it
    OUT/NODE.statement    roots, policy, document and body
    OUT/blobs/SHA256      every content that the bodies name, as hard links where possible

Laws:

* What is outside policy is told for all nodes at once, by resource, before anything is signed.
* Every statement is first believed here, by the very steps that the node will take.
* A document is recorded durably before the statement that has it appears: after a crash the
  statement may be missing, and no version is ever given to two documents.
* A node that never joined gets its incarnation here: made once, 128 random bits, and kept.
* The documents of all nodes, the ranges and the facts that were compiled with are one commit.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace
from saltern_protocol.documents import Statement, encode_identity, encode_statement
from saltern_protocol.policy import Policy, outside
from saltern_states.body import write_body
from saltern_states.kinds import kind_of

from saltern_master.cluster.model import Node as Wanted
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import Compilation, Compiled
from saltern_master.errors import MasterError
from saltern_master.library import Library
from saltern_master.records.codec import Held
from saltern_master.records.documents import Issued, hold_document
from saltern_master.records.nodes import Node, hold_node
from saltern_master.records.revisions import hold_allocation, put_allocation
from saltern_master.signing.authority import Authority, read_authority
from saltern_master.signing.documents import (
    believe,
    document_writes,
    identity_of,
    next_document,
)
from saltern_master.signing.home import Home, write_whole
from saltern_master.signing.policy_file import read_policy
from saltern_master.signing.recorded import brought_facts, open_store
from saltern_master.store import Store, Write


class SignError(MasterError):
    """A compilation that is not signed; the text says all that stands against it."""


@dataclass(frozen=True, slots=True)
class Signed:
    """One node's new document."""

    node: str
    version: int
    expires: int
    body: str
    statement: Path


@dataclass(frozen=True, slots=True)
class _Ready:
    """All that is written for one node."""

    issued: Issued
    body: bytes
    identity: bytes
    statement: bytes
    writes: tuple[Write, ...]


def sign(
    home: Home,
    cluster: str,
    compile_with: Callable[[Allocation], Compilation],
    out: Path,
    now: int,
    random: Callable[[int], bytes],
) -> tuple[Signed, ...]:
    """Compile, sign every node's body and write it to `out`. `now` in seconds since 1970.

    It is compiled under the lock, from the ranges as they are recorded then: of two who sign
    at once, neither gives a range away that the other has given.
    """
    with home.locked(), open_store(home) as store:
        authority = read_authority(home)
        root = authority.root
        if root.cluster != cluster:
            raise SignError(
                f'cannot sign for cluster "{cluster}": {home.path} is the home of '
                f'"{root.cluster}"; take the home that belongs to the cluster file'
            )
        ranges = hold_allocation(store)
        compilation = compile_with(ranges.value or Allocation())
        _refuse_outside_policy(home, authority.policy, compilation)
        held = [hold_node(store, one.node.name) for one in compilation.nodes]
        _refuse_unfit(compilation, held)
        ready = [
            _prepare(home, authority, store, one, node, now, random)
            for one, node in zip(compilation.nodes, held, strict=True)
        ]
        blobs = _blobs(home, compilation)
        for one in ready:  # core serves a body by its hash as soon as a document names it
            Library(home.path).add_bytes(one.body)
        store.commit(
            *put_allocation(ranges, compilation.allocation),
            *(write for one in ready for write in one.writes),
        )
        _lay_out(blobs, out)
        return tuple(_publish(one, out) for one in ready)


def _refuse_unfit(compilation: Compilation, held: Iterable[Held[Node]]) -> None:
    """Refuse to sign for who was shut out, or is to be what its enrolment does not let it be."""
    faults = []
    for one, node in zip(compilation.nodes, held, strict=True):
        known = node.value
        if known is None:
            continue
        if known.state in {"locked", "revoked", "removing"}:
            faults.append(f"{known.name}: it is {known.state}; take it out of the cluster file")
        elif known.state == "joined" and known.node_class != one.node.node_class:
            faults.append(
                f"{known.name}: it joined as {known.node_class}, and its roles ask for "
                f"{one.node.node_class}; remove it, and let it join by a token of that class"
            )
    if faults:
        listed = "\n".join(f"  {fault}" for fault in faults)
        raise SignError(f"cannot sign for nodes that are not let in so\n{listed}")


def _refuse_outside_policy(home: Home, policy: Policy, compilation: Compilation) -> None:
    faults = [
        f"{one.node.name}: {resource.id}: {claim}"
        for one in compilation.nodes
        for resource in one.body.resources
        for claim in outside(policy, one.node.node_class, resource.claims)
    ]
    if not faults:
        return
    edited = read_policy(home.policy_file.read_bytes()) != dict(policy.classes)
    advice = (
        f"{home.policy_file} was edited since; run: saltern policy"
        if edited
        else f"add it to {home.policy_file} and run: saltern policy"
    )
    listed = "\n".join(f"  {fault}" for fault in faults)
    raise SignError(f"cannot sign what policy {policy.version} does not allow ({advice})\n{listed}")


def _prepare(
    home: Home,
    authority: Authority,
    store: Store,
    compiled: Compiled,
    held: Held[Node],
    now: int,
    random: Callable[[int], bytes],
) -> _Ready:
    root, body = authority.root, write_body(compiled.body)
    node = _node(home, held.value, compiled.node, random)
    before = hold_document(store, node.name)
    issued = next_document(node, before.value, body, root, authority.state_keys, now)
    identity = identity_of(node, root.cluster, authority.root_envelope)
    statement = Statement(
        roots=authority.roots,
        policy=authority.policy_envelope,
        document=issued.envelope,
        body=body,
    )
    believe(identity, statement, (one for r in compiled.body.resources for one in r.claims), now)
    writes = document_writes(held, before, node, issued)
    return _Ready(issued, body, encode_identity(identity), encode_statement(statement), writes)


def _node(home: Home, known: Node | None, wanted: Wanted, random: Callable[[int], bytes]) -> Node:
    """Give the record of a node that is signed for, with the facts that it was compiled with."""
    if known is None or known.state == "removed":
        known = Node(
            name=wanted.name,
            node_class=wanted.node_class,
            state="offline",
            incarnation=random(16).hex(),
        )
    facts = brought_facts(home, known.name) or known.facts
    return replace(known, node_class=wanted.node_class, facts=facts)


def _blobs(home: Home, compilation: Compilation) -> dict[str, Path]:
    """Find every content that the bodies name; SignError tells all that are missing."""
    library = Library(home.path)
    found: dict[str, Path] = {}
    missing: dict[str, str] = {}
    for one in compilation.nodes:
        for resource in one.body.resources:
            for blob in kind_of(resource.spec).blobs(resource.spec):
                try:
                    found[blob] = library.path(blob)
                except MasterError:
                    missing.setdefault(blob, resource.id)
    if missing:
        listed = "\n".join(f"  {blob} of {name}" for blob, name in sorted(missing.items()))
        raise SignError(
            f"cannot sign: the library in {home.path} lacks contents; add what they belong to "
            f"(saltern binaries, images, packages or blobs add)\n{listed}"
        )
    return found


def _lay_out(blobs: dict[str, Path], out: Path) -> None:
    directory = out / "blobs"
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)  # HOME lets others pass, to the blobs
        directory.mkdir(exist_ok=True)
        for name in sorted(set(blobs) - _names(directory)):
            _link_or_copy(blobs[name], directory / name)
    except OSError as error:
        raise SignError(f"cannot write {directory}: {error.strerror}") from error


def _names(directory: Path) -> set[str]:
    return {entry.name for entry in directory.iterdir()}


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        temporary = target.with_name(f".{target.name}")
        shutil.copyfile(source, temporary)
        temporary.rename(target)


def _publish(ready: _Ready, out: Path) -> Signed:
    issued = ready.issued
    statement = out / f"{issued.node}.statement"
    write_whole(out / f"{issued.node}.identity", ready.identity, 0o644)
    write_whole(statement, ready.statement, 0o644)
    return Signed(issued.node, issued.version, issued.expires, issued.body, statement)
