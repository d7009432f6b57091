"""The API's own description, OpenAPI 3.1, made from the table of routes and the types in it.

Source: https://spec.openapis.org/oas/v3.1.0. Its schemas are JSON Schema 2020-12, as msgspec
writes them; only `\\Z`, which ECMA-262 does not know, becomes `$`, which there is the end too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, get_args

import msgspec

from saltern_master.api.problem import MEDIA, Problem
from saltern_master.api.rows import JSON, NDJSON, Body, Route, Stream, Text
from saltern_master.api.service import View

Row = Route | Stream | Text
REFERENCE: Final = "#/components/schemas/{name}"


def document(routes: Iterable[Row], release: str) -> dict[str, Any]:
    """Give the document for these routes."""
    table = tuple(routes)
    schemas, components = _schemas(_types(table))
    known = dict(zip(map(_name, _types(table)), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in table:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, known)
    plain = {
        "openapi": "3.1.0",
        "info": {
            "title": "Saltern",
            "version": release,
            "summary": "What the command line asks of the master, over HOME/run/api.sock.",
        },
        "paths": paths,
        "components": {"schemas": components},
    }
    result: dict[str, Any] = _ecma(plain)
    return result


def _schemas(kinds: list[Any]) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    return msgspec.json.schema_components(kinds, schema_hook=_anything, ref_template=REFERENCE)


def _anything(kind: type) -> dict[str, Any]:
    """Give the schema of a value of any shape, as facts are."""
    if kind is object:
        return {"description": "A value of any shape."}
    raise NotImplementedError(kind)


def _types(table: tuple[Row, ...]) -> list[Any]:
    """Give every type once, by its name."""
    found: dict[str, Any] = {_name(Problem): Problem}
    for route in table:
        for kind in (route.answers, route.body.kind if route.body else None):
            if kind is not None and kind is not bytes:
                found[_name(kind)] = kind
    return list(found.values())


def _name(kind: Any) -> str:  # noqa: ANN401 - a type, a union or a generic alias
    parts = get_args(kind)
    return " ".join(map(_name, parts)) if parts else str(getattr(kind, "__name__", kind))


def _operation(route: Row, known: dict[str, Any]) -> dict[str, Any]:
    schema, media = known[_name(route.answers)], _media(route)
    told: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "responses": {
            str(route.status): {
                "description": "One line for each event." if NDJSON in media else "Done.",
                "content": {one: {"schema": schema} for one in media},
            },
            "default": {
                "description": "It was refused, and why.",
                "content": {MEDIA: {"schema": known[_name(Problem)]}},
            },
        },
    }
    parameters = [*_parameters(route.place, "path"), *_parameters(route.query, "query")]
    if parameters:
        told["parameters"] = parameters
    if route.body is not None:
        told["requestBody"] = {"required": True, "content": _content(route.body, known)}
    return told


def _media(route: Row) -> tuple[str, ...]:
    if isinstance(route, Text):
        return route.forms
    return (NDJSON,) if isinstance(route, Stream) else (JSON,)


def _content(body: Body, known: dict[str, Any]) -> dict[str, Any]:
    if body.kind is bytes:
        return {body.media: {"schema": {"type": "string", "maxLength": body.most}}}
    return {body.media: {"schema": known[_name(body.kind)]}}


def _parameters(kind: type[View] | None, place: str) -> list[dict[str, Any]]:
    if kind is None:
        return []
    _, components = _schemas([kind])
    schema = components[kind.__name__]
    return [
        {
            "name": name,
            "in": place,
            "required": name in schema.get("required", ()),
            "schema": one,
        }
        for name, one in schema["properties"].items()
    ]


def _ecma(value: Any) -> Any:  # noqa: ANN401 - plain values of any shape
    if isinstance(value, dict):
        return {
            key: one.replace(r"\Z", "$")
            if key == "pattern" and isinstance(one, str)
            else _ecma(one)
            for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [_ecma(one) for one in value]
    return value


def _pattern(value: Any) -> Any:  # noqa: ANN401 - a pattern, or the schema of a field of that name
    return value.replace(r"\Z", "$") if isinstance(value, str) else _ecma(value)
