"""Every place for a string in a value, and the value with another string there.

FULL has a value of each kind in which nothing that may hold a string is empty;
tests/house/test_every_field.py compares it with what the types say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import replace
from saltern_states import artifact, bridge, certificate, package
from saltern_states.contract import Spec
from saltern_states.kinds import KINDS

At = tuple[str | int, ...]

_FULLER: dict[type[Spec], Spec] = {
    artifact.Artifact: replace(artifact.KIND.example, unpack="tar", path="/opt/tree"),
    bridge.Bridge: replace(bridge.KIND.example, ports=("veth*",)),
    certificate.Certificate: replace(
        certificate.KIND.example, dns=("w1.example",), addresses=("10.9.0.21",)
    ),
    package.Package: replace(package.KIND.example, version="20.10.24+dfsg1-1+deb12u1"),
}
_EXAMPLES = {kind.spec: kind.example for kind in KINDS if kind.example is not None}
FULL: tuple[Spec, ...] = tuple((_EXAMPLES | _FULLER).values())


def plain(value: object) -> Any:  # noqa: ANN401  # dicts, lists and scalars of any depth
    """Give a value as a decoder of other people's bytes would meet it."""
    return msgspec.json.decode(msgspec.json.encode(value))


def places(value: object, at: At = ()) -> Iterator[At]:
    """Give where the strings of a plain value stand."""
    if isinstance(value, str):
        yield at
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*at, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from places(inner, (*at, number))


def at_place(value: Any, at: At) -> Any:  # noqa: ANN401  # as plain()
    """Give what stands at a place."""
    for step in at:
        value = value[step]
    return value


def put(value: Any, at: At, new: object) -> Any:  # noqa: ANN401  # as plain()
    """Give the value with another thing at a place; all else is shared with the old one."""
    if not at:
        return new
    changed = value.copy()
    changed[at[0]] = put(value[at[0]], at[1:], new)
    return changed
