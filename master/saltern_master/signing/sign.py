"""saltern sign: bodies -> what each node is given.

    OUT/NODE.identity     who the node is and which root it starts from; the operator pins it
    OUT/NODE.statement    root, policy, document and body
    OUT/blobs/SHA256      every content that the bodies name, as hard links where possible

Laws:

* What is outside policy is told for all nodes at once, by resource, before anything is signed.
* Every statement is first believed here, by the very steps that the node will take.
* A version is recorded durably before the statement that has it appears: after a crash
  a version may be missing, and none is ever given twice.
* A node's incarnation is made once, 128 random bits, and kept.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from saltern_protocol import envelope
from saltern_protocol.documents import (
    Document,
    Identity,
    PayloadType,
    Statement,
    body_hash,
    document_hash,
    encode_document,
    encode_identity,
    encode_statement,
)
from saltern_protocol.policy import outside
from saltern_protocol.trust import Trust
from saltern_states.body import write_body
from saltern_states.kinds import kind_of

from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import Compilation, Compiled
from saltern_master.errors import MasterError
from saltern_master.library import Library
from saltern_master.signing.home import Home, NodeRecord, write_whole
from saltern_master.signing.init import DAY, policy_of, root_of
from saltern_master.signing.policy_file import read_policy

DOCUMENT_LIFE = 30 * DAY


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

    compiled: Compiled
    record: NodeRecord
    document: Document
    identity: bytes
    statement: bytes


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
    with home.locked():
        root = root_of(home)
        if root.cluster != cluster:
            raise SignError(
                f'cannot sign for cluster "{cluster}": {home.path} is the home of '
                f'"{root.cluster}"; take the home that belongs to the cluster file'
            )
        compilation = compile_with(home.allocation())
        _refuse_outside_policy(home, compilation)
        ready = [_prepare(home, one, now, random) for one in compilation.nodes]
        blobs = _blobs(home, compilation)
        home.write_allocation(compilation.allocation)
        for one in ready:
            home.write_node(one.compiled.node.name, one.record)
        _lay_out(blobs, out)
        return tuple(_publish(one, out) for one in ready)


def _refuse_outside_policy(home: Home, compilation: Compilation) -> None:
    policy = policy_of(home)
    if policy is None:
        raise SignError(f"cannot sign: {home.path} has no signed policy; run: saltern policy")
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


def _prepare(home: Home, compiled: Compiled, now: int, random: Callable[[int], bytes]) -> _Ready:
    node = compiled.node
    before = home.node(node.name) or NodeRecord(incarnation=random(16).hex())
    root, body = root_of(home), write_body(compiled.body)
    identity = Identity(
        cluster=root.cluster,
        node=node.name,
        incarnation=before.incarnation,
        node_class=node.node_class,
        root=home.envelope("root"),
    )
    document = Document(
        cluster=root.cluster,
        node=node.name,
        incarnation=before.incarnation,
        epoch=root.epoch,
        version=before.version + 1,
        issued=now,
        expires=now + DOCUMENT_LIFE,
        previous=bytes.fromhex(before.document) if before.document else None,
        body=body_hash(body),
    )
    payload = encode_document(document)
    statement = Statement(
        roots=(home.envelope("root"),),
        policy=home.envelope("policy"),
        document=envelope.sign(PayloadType.DOCUMENT, payload, [home.key("state")]),
        body=body,
    )
    _believe(identity, statement, compiled, now)
    record = NodeRecord(before.incarnation, document.version, document_hash(payload).hex())
    return _Ready(
        compiled, record, document, encode_identity(identity), encode_statement(statement)
    )


def _believe(identity: Identity, statement: Statement, compiled: Compiled, now: int) -> None:
    """Take the statement as the node will; RefusedError where it would not."""
    trust = Trust.pin(identity).follow(statement)
    trust.accept(statement.document, statement.body, identity, None, now)
    trust.permit(identity, (one for r in compiled.body.resources for one in r.claims))


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
        directory.mkdir(parents=True, exist_ok=True)
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
    name = ready.compiled.node.name
    statement = out / f"{name}.statement"
    write_whole(out / f"{name}.identity", ready.identity, 0o644)
    write_whole(statement, ready.statement, 0o644)
    document = ready.document
    return Signed(name, document.version, document.expires, document.body.hex(), statement)
