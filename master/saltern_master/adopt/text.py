"""A part -> YAML that a cluster file takes in, with comments. Pure.

Laws: what is read back of it is the part, to the byte; nothing that a node said begins a line, ends
a comment or is anything but a quoted text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from saltern_protocol.errors import printable
from saltern_states.body import Resource

from saltern_master.adopt.part import Held, Left, Part
from saltern_master.compile.drift_policies import USUAL
from saltern_master.compile.readable import readable_resource
from saltern_master.compile.yaml_text import to_yaml


def node_lines(part: Part) -> list[str]:
    """Give the node's item of `nodes`."""
    item = {"name": part.node, "address": part.address, "roles": ["bare"]}
    return to_yaml([item]).splitlines()


def group_lines(part: Part) -> list[str]:
    """Give the item of `groups` that holds the node as it is, with what is to be known of it."""
    head = to_yaml([{"match": f"name={part.node}"}]).splitlines()
    lines = [*_comments(_above(part)), *head]
    if part.held:
        lines.append("  resources:")
    for one in part.held:
        item = (*_comments([one.note] if one.note else []), *_item(one))
        lines += [f"  {line}" if line else "" for line in item]
    return lines


def whole_lines(cluster: str, version: str, pods: str, part: Part) -> list[str]:
    """Give a whole cluster file for a master that has none yet."""
    head = {
        "apiVersion": "saltern/v1",
        "cluster": {"name": cluster},
        "kubernetes": {"version": version},
        "network": {"pods": pods},
    }
    return [*to_yaml(head).splitlines(), "nodes:", *node_lines(part), "groups:", *group_lines(part)]


def left_lines(left: Iterable[Left]) -> list[str]:
    """Give what is not held, a line each, with the reason."""
    return [printable(f"{one.what}: {one.why}") for one in left]


def _above(part: Part) -> Iterator[str]:
    yield f"{part.node} as it was found: each resource stays on the node when it leaves this file."
    if part.left:
        yield "Found and not held:"
        yield from (f"  {line}" for line in left_lines(part.left))
    yield from part.hints


def _comments(lines: Iterable[str]) -> list[str]:
    return [f"# {printable(line)}".rstrip() for line in lines]


def _item(one: Held) -> list[str]:
    own = one.resource
    made = Resource(
        id=own.id,
        spec=own.spec,
        after=own.after,
        drift=own.drift or USUAL,
        on_removal=own.on_removal,
    )
    plain: dict[str, Any] = readable_resource(made)
    return to_yaml([plain]).splitlines()
