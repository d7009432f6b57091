"""A saved plan: a file that says what was planned, and is applied as exactly that or not at all.

    {"format": "saltern-plan/1", "revision": 7, "target": "zone=a", "cluster_file": "…",
     "file": SHA-256, "nodes": {"w1": {body, digest, version, lines}}, "left": {}, "sha256": …}

* It is known by its first words, so a damaged one is still told as what it is.
* `cluster_file` is the text; "": the file that was applied last, whose SHA-256 is `file`.
* A body's hash and a plan's digest per node are what is applied; lines are for people alone.
* `sha256` is over all the rest: a file that was edited, cut or mixed up is refused.
* All faults of a file are told at once. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from saltern_protocol.errors import printable
from saltern_protocol.terms import HexDigest, Name

from saltern_master.api.plans import Expected, NodePlan, PlanView
from saltern_master.cli.refusals import FileError

FORMAT: Final = "saltern-plan/1"
_BEGINS: Final = re.compile(rb'\s*\{\s*"format"\s*:\s*"saltern-plan')


class SavedNode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is expected of one node."""

    body: HexDigest
    digest: HexDigest
    version: Annotated[int, Meta(ge=0)]  # of the document that it had
    lines: tuple[str, ...] = ()


class SavedPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was planned."""

    format: str
    revision: Annotated[int, Meta(ge=0)]  # that was applied last
    target: str
    cluster_file: str
    file: HexDigest
    nodes: Annotated[dict[Name, SavedNode], Meta(min_length=1)]
    left: dict[Name, str] = {}  # who is not in it, and why

    @property
    def expects(self) -> dict[str, Expected]:
        """Give what the master is to hold the nodes to."""
        return {
            name: Expected(body=one.body, digest=one.digest) for name, one in self.nodes.items()
        }


def saved(plan: PlanView, target: str, text: str) -> SavedPlan | None:
    """Give what is saved of a plan; None where no node has planned."""
    nodes = {one.node: _node(one) for one in plan.nodes if one.result == "planned" and one.digest}
    if not nodes:
        return None
    left = {
        one.node: f"{one.result}: {one.why}" if one.why else one.result
        for one in plan.nodes
        if one.node not in nodes
    }
    return SavedPlan(
        format=FORMAT,
        revision=plan.revision,
        target=target,
        cluster_file=text,
        file=plan.file,
        nodes=nodes,
        left=left,
    )


def to_bytes(plan: SavedPlan) -> bytes:
    """Give the file."""
    plain: dict[str, Any] = msgspec.to_builtins(plan)
    return msgspec.json.format(msgspec.json.encode({**plain, "sha256": _sum(plain)})) + b"\n"


def is_saved_plan(data: bytes) -> bool:
    """Tell a saved plan, whole or damaged, from a cluster file."""
    return _BEGINS.match(data) is not None


def read_plan(data: bytes, name: str) -> SavedPlan:
    """Read a saved plan; FileError with all that is wrong."""
    try:
        plain = msgspec.json.decode(data, type=dict[str, Any])
    except (ValueError, RecursionError) as error:
        raise _refused(name, [f"it is damaged or cut short: {error}"]) from error
    faults = list(dict.fromkeys(_faults(plain)))
    if faults:
        raise _refused(name, faults)
    return msgspec.convert({key: plain[key] for key in plain if key != "sha256"}, SavedPlan)


def _faults(plain: dict[str, Any]) -> Iterator[str]:
    """Say all that is wrong, field by field."""
    if plain.get("format") != FORMAT:
        yield f"format: it is {plain.get('format')!r}; this saltern reads {FORMAT}"
        return
    total = plain.pop("sha256", None)
    for field in msgspec.structs.fields(SavedPlan):
        if field.name in plain:
            yield from _field_faults(field.name, plain[field.name], field.type)
        elif field.required:
            yield f"{field.name}: is missing"
    known = {field.name for field in msgspec.structs.fields(SavedPlan)}
    yield from (f"{name}: is not known" for name in sorted(plain.keys() - known))
    text = plain.get("cluster_file")
    if isinstance(text, str) and text and sha256(text.encode()).hexdigest() != plain.get("file"):
        yield "cluster_file: it is not the text that was planned"
    if total != _sum(plain):
        yield "sha256: it is not as it was saved"


def _field_faults(name: str, value: object, kind: Any) -> Iterator[str]:  # noqa: ANN401 - of a field
    """Say what is wrong in a field; in `nodes`, for each node."""
    if name == "nodes" and isinstance(value, dict) and value:
        for node, one in value.items():
            yield from _field_faults(f"nodes.{node}", {node: one}, dict[Name, SavedNode])
        return
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        yield f"{name}: {str(error).partition(' - at ')[0]}"


def _refused(name: str, faults: list[str]) -> FileError:
    lines = "".join(f"\n  {printable(one)}" for one in faults)
    count = f"{len(faults)} fault{'' if len(faults) == 1 else 's'}"
    return FileError(f"cannot take the saved plan {name}: {count}; plan again{lines}")


def _sum(plain: dict[str, Any]) -> str:
    return sha256(msgspec.json.encode(plain, order="deterministic")).hexdigest()


def _node(one: NodePlan) -> SavedNode:
    told = tuple(
        f"{line.verb} {line.resource}: {line.change or line.finding}" for line in one.lines
    )
    return SavedNode(body=one.body, digest=one.digest, version=one.version, lines=told)
