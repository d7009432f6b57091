"""A part into a cluster file that is there: its comments and its form stay as they are. Pure.

The text is changed by lines alone, where the file's own lists end; then the whole is read again,
and must be what it was and the part. What cannot be done so is refused, with what to do by hand.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from saltern_master.adopt.part import Part
from saltern_master.adopt.text import group_lines, node_lines
from saltern_master.cluster.load import load
from saltern_master.cluster.model import Cluster, Node
from saltern_master.cluster.source import Entry, List, Map, parse
from saltern_master.errors import MasterError

BY_HAND: Final = "write the part by itself (without --file), and put it in by hand"


class InsertError(MasterError):
    """The part does not go into this file."""


def inserted(text: str, part: Part) -> str:
    """Give the file with the part in it; ClusterFileError, InsertError."""
    before = load(text.encode()).cluster
    known = _known(before, part)
    _refuse_adopted(before, part)
    tree = parse(text.encode())
    if not isinstance(tree, Map):
        raise AssertionError("load() takes maps alone")
    lines = text.splitlines()
    for key, item in (("groups", group_lines(part)), ("nodes", node_lines(part))):
        if key != "nodes" or not known:
            lines = _with(lines, tree, key, item)
            tree = _again(lines)
    end = "\r\n" if 0 < text.count("\n") == text.count("\r\n") else "\n"
    after = end.join(lines) + end
    _refuse_other(before, load(after.encode()).cluster, part, known)
    return after


def _known(cluster: Cluster, part: Part) -> bool:
    """Tell whether the file names the node already; InsertError where it is to be another thing."""
    found = next((one for one in cluster.nodes if one.name == part.node), None)
    if found is not None and not found.is_bare:
        raise InsertError(
            f"cannot adopt {part.node}: the file has it as {', '.join(found.roles)}, which brings "
            "Saltern's own docker and kubelet; take it out of the file, or give it roles: [bare]"
        )
    return found is not None


def _refuse_adopted(cluster: Cluster, part: Part) -> None:
    """Refuse a file that holds of the node what the part would hold."""
    ids = {one.resource.id for one in part.held}
    for group in cluster.groups:
        twice = sum(one.id in ids for one in group.resources)
        if twice and group.match == f"name={part.node}":
            raise InsertError(
                f"cannot adopt {part.node} into this file: it has {twice} of these resources by a "
                f"group of it already (match: {group.match}); take that group out of the file, and "
                "adopt again"
            )


def _again(lines: list[str]) -> Map:
    tree = parse(("\n".join(lines) + "\n").encode())
    if not isinstance(tree, Map):
        raise AssertionError("a map stays one")
    return tree


def _with(lines: list[str], tree: Map, key: str, item: list[str]) -> list[str]:
    """Give the lines with one item more at the end of a list of the top level."""
    entry = next((one for one in tree.entries if one.key == key), None)
    if entry is None:
        return [*_without_end(lines), f"{key}:", *item]
    if not isinstance(entry.tree, List):
        raise InsertError(f"cannot add to {key}: it is no list; {BY_HAND}")
    if not entry.tree.items:
        if lines[entry.line - 1].split("#")[0].replace(" ", "") != f"{key}:[]":
            raise InsertError(f"cannot add to {key}: it is an empty list of a form of its own")
        return [*lines[: entry.line - 1], f"{key}:", *item, *lines[entry.line :]]
    first = lines[entry.tree.items[0].line - 1]
    indent = first[: len(first) - len(first.lstrip())]
    if not first.lstrip().startswith("- "):
        raise InsertError(f"cannot add to {key}: its items do not stand on lines; {BY_HAND}")
    at = _end(lines, tree, entry)
    return [*lines[:at], *(f"{indent}{line}" if line else "" for line in item), *lines[at:]]


def _end(lines: list[str], tree: Map, entry: Entry) -> int:
    """Give the place after an entry's last line; comments before the next one are the next's."""
    later = [one.line for one in tree.entries if one.line > entry.line]
    at = min(later) - 1 if later else len(_without_end(lines))
    while at > 0 and (not lines[at - 1].strip() or lines[at - 1].lstrip().startswith("#")):
        at -= 1
    return at


def _without_end(lines: list[str]) -> list[str]:
    """Give the lines without the mark of a document's end."""
    return lines[:-1] if lines and lines[-1].rstrip() == "..." else lines


def _refuse_other(before: Cluster, after: Cluster, part: Part, known: bool) -> None:
    """Refuse a text that says anything but what it did and the part."""
    node = Node(name=part.node, address=part.address, roles=("bare",))
    nodes = before.nodes if known else (*before.nodes, node)
    group = after.groups[-1] if after.groups else None
    wanted = tuple(one.resource for one in part.held)
    same = replace(before, nodes=nodes, groups=after.groups) == after
    grown = after.groups[:-1] == before.groups and group is not None
    if not same or not grown or group is None or group.resources != wanted:
        raise InsertError(f"cannot put {part.node} into the file without changing more; {BY_HAND}")
