"""A body as a person reads it: without the fields that have their usual value."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import fields
from saltern_states.body import Body, Resource

from saltern_master.compile.drift_policies import USUAL


def readable_body(body: Body) -> list[dict[str, Any]]:
    """Give the resources of a body in order, as plain values."""
    return [readable_resource(one) for one in body.resources]


def readable_resource(resource: Resource) -> dict[str, Any]:
    """Give a resource as plain values; what is left out has its usual value."""
    plain: dict[str, Any] = {"id": resource.id}
    if resource.part_of:
        plain["part_of"] = resource.part_of
    plain["spec"] = {"kind": resource.spec.__struct_config__.tag, **_unusual(resource.spec)}
    rest = _unusual(resource)
    if resource.drift == USUAL:
        rest.pop("drift", None)
    else:
        rest["drift"] = _unusual(resource.drift) or {"times": 0}
    return plain | {name: rest[name] for name in ("after", "drift", "on_removal") if name in rest}


def _unusual(value: msgspec.Struct) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for info in fields(value):
        one = getattr(value, info.name)
        if info.required or one != _usual(info):
            kept[info.encode_name] = _plain(one)
    return kept


def _usual(info: msgspec.structs.FieldInfo) -> object:
    if info.default_factory is not msgspec.NODEFAULT:
        return info.default_factory()
    return info.default


def _plain(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return _unusual(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value
