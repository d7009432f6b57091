"""body: all resources of one node.

Laws:

* write_body() gives equal bytes for equal bodies; read_body() of those bytes gives the body.
* A body is good as a whole or refused as a whole: read_body() raises BodyError with every
  fault that it can name, each with its path, and never gives a part.
* In a good body ids are unique, every `after` is there, nothing waits for itself, no two
  resources want one thing (what they claim, the files that follow from it, a position among
  others), no directory throws out what another resource puts into it, and what stands below
  a path comes after the directory there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from saltern_protocol.documents import MAX_BODY_BYTES
from saltern_protocol.errors import MalformedError
from saltern_protocol.policy import Claim
from saltern_protocol.wire import pack, unpack_plain

from saltern_states.contract import Spec
from saltern_states.kinds import BY_NAME, kind_of
from saltern_states.order import CycleError, in_order

TAG = "body/1"

ResourceId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-zA-Z0-9._:/@-]{0,127}\Z")]


class BodyError(Exception):
    """A body that cannot be taken; `faults` are all that were found, each with its path."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class DriftPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done about drift: only told, or also set right.

    `times` in `minutes` bounds the repairs: beyond that it is a fight with somebody, which
    is told and no longer fought. 0: no bound.
    """

    mode: Literal["enforce", "report"] = "enforce"
    times: Annotated[int, Meta(ge=0, le=1000)] = 0
    minutes: Annotated[int, Meta(ge=0, le=1440)] = 0


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the node shall be: an id, a Spec of some kind, and how it is held."""

    id: str
    spec: Spec
    after: tuple[str, ...] = ()
    part_of: str = ""
    drift: DriftPolicy = DriftPolicy()
    on_removal: Literal["remove", "keep"] = "remove"

    @property
    def places(self) -> tuple[str, ...]:
        """What it has for itself on the node."""
        return kind_of(self.spec).places(self.spec)

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What it touches on the node."""
        return kind_of(self.spec).claims(self.spec)

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths that it writes, also those that only follow from what it claims."""
        return kind_of(self.spec).paths(self.spec)


class Body(msgspec.Struct, frozen=True):
    """All resources of one node, in the order in which they are applied."""

    resources: tuple[Resource, ...] = ()

    @property
    def after(self) -> dict[str, tuple[str, ...]]:
        """What each one waits for, by id."""
        return {resource.id: resource.after for resource in self.resources}

    @property
    def blobs(self) -> frozenset[str]:
        """The SHA-256 of every blob that the node must have."""
        return frozenset(
            blob
            for resource in self.resources
            for blob in kind_of(resource.spec).blobs(resource.spec)
        )


class _Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A resource before its kind is known."""

    id: ResourceId
    spec: dict[str, Any]
    after: tuple[ResourceId, ...] = ()
    part_of: Annotated[str, Meta(pattern=r"^[a-z0-9-]{0,40}\Z")] = ""
    drift: DriftPolicy = DriftPolicy()
    on_removal: Literal["remove", "keep"] = "remove"


def make_body(resources: tuple[Resource, ...]) -> Body:
    """Check resources as a whole and put them in order; BodyError names all faults."""
    faults = tuple(_faults_between(resources))
    if faults:
        raise BodyError(faults)
    resources = _within_directories(resources)
    try:
        order = in_order({resource.id: resource.after for resource in resources})
    except CycleError as error:
        raise BodyError((f"$.resources: these wait for one another: {error}",)) from error
    by_id = {resource.id: resource for resource in resources}
    return Body(tuple(by_id[name] for name in order))


def write_body(body: Body) -> bytes:
    """Give the bytes that a document's body hash is taken of."""
    return pack({"type": TAG, "resources": [_plain(resource) for resource in body.resources]})


def read_body(data: bytes) -> Body:
    """Read a body. MalformedError: not even a map of ours; BodyError: all that is wrong in it."""
    plain = unpack_plain(data, MAX_BODY_BYTES)
    if not isinstance(plain, dict) or plain.get("type") != TAG:
        raise MalformedError(f"cannot read a body: its type is not {TAG}")
    listed = plain.get("resources")
    if not isinstance(listed, list) or set(plain) != {"type", "resources"}:
        raise MalformedError("cannot read a body: it is not a map of type and resources")
    resources: list[Resource] = []
    faults: list[str] = []
    for number, one in enumerate(listed):
        found = read_resource(one, f"$.resources[{number}]")
        if isinstance(found, Resource):
            resources.append(found)
        else:
            faults.extend(found)
    if faults:
        raise BodyError((*faults, *_faults_between(tuple(resources), whole=not faults)))
    return make_body(tuple(resources))


def read_resource(plain: object, path: str) -> Resource | tuple[str, ...]:
    """Read one resource from plain values, or give its faults, each with its path."""
    try:
        header = msgspec.convert(plain, _Header)
    except msgspec.ValidationError as error:
        return (_at(path, error),)
    name = header.spec.get("kind")
    kind = BY_NAME.get(name) if isinstance(name, str) else None
    if kind is None:
        known = ", ".join(BY_NAME)
        return (f"{path}.spec.kind: there is no kind {name!r} here; there are {known}",)
    try:
        spec = msgspec.convert(header.spec, kind.spec)
    except msgspec.ValidationError as error:
        return (_at(f"{path}.spec", error),)
    return Resource(
        id=header.id,
        spec=spec,
        after=header.after,
        part_of=header.part_of,
        drift=header.drift,
        on_removal=header.on_removal,
    )


def _plain(resource: Resource) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(resource, builtin_types=(bytes,))
    return plain


def _at(path: str, error: msgspec.ValidationError) -> str:
    text, _, where = str(error).partition(" - at `$")
    return f"{path}{where.rstrip('`')}: {text}"


def _faults_between(resources: tuple[Resource, ...], whole: bool = True) -> Iterator[str]:
    """Faults that no resource has alone. `whole`: all are here, so a missing `after` is a fault."""
    places: dict[str, int] = {}
    taken: dict[str, str] = {}
    for number, resource in enumerate(resources):
        path = f"$.resources[{number}]"
        if resource.id in places:
            yield f"{path}.id: {resource.id!r} is the id of resources[{places[resource.id]}] too"
        places.setdefault(resource.id, number)
        yield from _taken_twice(path, resource, taken)
    if not whole:
        return
    yield from _below_what_holds_nothing(resources)
    yield from _thrown_out(resources)
    for number, resource in enumerate(resources):
        for one in resource.after:
            if one not in places:
                yield f"$.resources[{number}].after: there is no resource {one!r}"


def _taken_twice(path: str, resource: Resource, taken: dict[str, str]) -> Iterator[str]:
    told = {resource.id}
    for place in kind_of(resource.spec).alone(resource.spec):
        other = taken.setdefault(place, resource.id)
        if other not in told:
            yield f"{path}: {other!r} claims {place} too; one thing has one resource"
        told.add(other)


def _within_directories(resources: tuple[Resource, ...]) -> tuple[Resource, ...]:
    """Let each resource come after the directories above it, also where nobody said so."""
    above = {
        path: resource.id
        for resource in resources
        if kind_of(resource.spec).encloses
        for path in resource.paths
    }
    return tuple(
        msgspec.structs.replace(resource, after=(*resource.after, *missing))
        if (missing := _missing(resource, above))
        else resource
        for resource in resources
    )


def _missing(resource: Resource, above: Mapping[str, str]) -> tuple[str, ...]:
    parents = {
        above[str(parent)]: None
        for path in resource.paths
        for parent in PurePosixPath(path).parents
        if str(parent) in above
    }
    return tuple(name for name in parents if name not in (*resource.after, resource.id))


def _below_what_holds_nothing(resources: tuple[Resource, ...]) -> Iterator[str]:
    ends = {
        path: resource.id
        for resource in resources
        if not kind_of(resource.spec).encloses
        for path in resource.paths
    }
    for number, resource in enumerate(resources):
        for path in resource.paths:
            for parent in PurePosixPath(path).parents:
                if str(parent) in ends:
                    other = ends[str(parent)]
                    yield f"$.resources[{number}]: {path} stands below {parent}, where {other!r} is"


def _thrown_out(resources: tuple[Resource, ...]) -> Iterator[str]:
    """Name what stands, or has a directory that stands, where another resource removes it."""
    above = {
        path: resource
        for resource in resources
        if kind_of(resource.spec).encloses
        for path in resource.paths
    }
    for number, resource in enumerate(resources):
        for path in map(PurePosixPath, resource.paths):
            for inner, outer in pairwise((path, *path.parents)):
                holder = above.get(str(outer))
                if holder and not kind_of(holder.spec).admits(holder.spec, inner.name):
                    why = f"{holder.id!r} holds {outer} and does not name {inner.name} in `only`"
                    yield f"$.resources[{number}]: {path} would be removed: {why}"


def taken_by(body: Body) -> Mapping[str, str]:
    """Say which resource has each place."""
    return {place: resource.id for resource in body.resources for place in resource.places}
