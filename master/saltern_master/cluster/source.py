"""YAML text -> a tree that knows its lines, or every fault of the text.

A small and unambiguous part of YAML is taken, since a reader must see what is meant:

* one document, at most 1 MiB and 32 levels;
* no anchors, aliases, merge keys or tags (an alias can stand for a billion values);
* keys are text, and no key stands twice in one map;
* a number is written plainly: `0644`, `0x1f` and `1_000` mean different things to
  different readers (YAML 1.1 and 1.2 among them), so they want quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from saltern_master.cluster.faults import ClusterFileError, Fault, Path

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32

SLIPS = (ValueError, OverflowError, LookupError, AssertionError)
"""What the reader of YAML lets slip: of \\U00110000, and of versions other than 1.1 and 1.2."""

Value = None | bool | int | float | str

_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"^-?(0|[1-9][0-9]{0,17})\Z")
_HALF = re.compile("[\ud800-\udfff]")  # "\\ud800" alone: YAML reads it, UTF-8 has none
_FLOAT = re.compile(r"^-?[0-9]+\.[0-9]+\Z")


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value, and how it was written."""

    line: int
    value: Value
    written: str


@dataclass(frozen=True, slots=True)
class List:
    """Values in a row."""

    line: int
    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a map, and what it stands for."""

    key: str
    line: int
    tree: Tree


@dataclass(frozen=True, slots=True)
class Map:
    """Values by key, in the order in which they were written."""

    line: int
    entries: tuple[Entry, ...]


Tree = Scalar | List | Map


def parse(data: bytes) -> Tree:
    """Read YAML; ClusterFileError tells every fault of the text."""
    if len(data) > MAX_BYTES:
        raise _whole(f"{len(data)} bytes; a cluster file has at most {MAX_BYTES}")
    try:
        root = YAML(typ="safe", pure=True).compose(data.decode())
    except UnicodeDecodeError as error:
        raise _whole(f"byte {error.start} is not UTF-8") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        problem = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise ClusterFileError([Fault((), line, f"this is no YAML: {problem}")]) from error
    except YAMLError as error:
        raise _whole(f"this is no YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise _whole(f"deeper than {MAX_DEPTH} levels") from error
    except SLIPS as error:
        raise _whole(f"this is no YAML: {error}") from error
    if root is None:
        raise _whole("the file is empty")
    faults: list[Fault] = []
    _bound(root)
    tree = _tree(root, (), faults)
    if faults:
        raise ClusterFileError(faults)
    return tree


def plain(tree: Tree) -> object:
    """Give the values without their lines."""
    match tree:
        case Scalar(value=value):
            return value
        case List(items=items):
            return [plain(item) for item in items]
        case Map(entries=entries):
            return {entry.key: plain(entry.tree) for entry in entries}


def lines(tree: Tree, path: Path = ()) -> Iterator[tuple[Path, int]]:
    """Give the line of every path: that of the key, or of the value in a list."""
    yield path, tree.line
    match tree:
        case List(items=items):
            for number, item in enumerate(items):
                yield from lines(item, (*path, number))
        case Map(entries=entries):
            for entry in entries:
                yield from lines(entry.tree, (*path, entry.key))
                yield (*path, entry.key), entry.line


def _whole(text: str) -> ClusterFileError:
    return ClusterFileError([Fault((), 0, text)])


def _bound(root: Node) -> None:
    """Refuse anchors and halves of characters, and bound the depth, before anything recurses.

    Each node is looked at once, however often an alias stands for it.
    """
    layer: list[tuple[Path, Node]] = [((), root)]
    seen = {id(root)}
    faults: list[Fault] = []
    for _ in range(MAX_DEPTH):
        below: list[tuple[Path, Node]] = []
        for path, node in layer:
            if node.anchor is not None:
                text = f"the anchor &{node.anchor}: write the value out where it is used"
                faults.append(Fault(path, node.start_mark.line + 1, text))
            if isinstance(node, ScalarNode) and _HALF.search(node.value):
                text = "an escape that is half a character: no file and no node can hold it"
                faults.append(Fault(path, node.start_mark.line + 1, text))
            below.extend(one for one in _below(path, node) if id(one[1]) not in seen)
        seen.update(id(node) for _, node in below)
        if not below:
            break
        layer = below
    else:
        raise _whole(f"deeper than {MAX_DEPTH} levels")
    if faults:
        raise ClusterFileError(faults)


def _below(path: Path, node: Node) -> Iterator[tuple[Path, Node]]:
    if isinstance(node, SequenceNode):
        yield from (((*path, number), one) for number, one in enumerate(node.value))
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            yield path, key
            yield (*path, str(key.value) if isinstance(key, ScalarNode) else "?"), value


def _tree(node: Node, path: Path, faults: list[Fault]) -> Tree:
    line = node.start_mark.line + 1
    if isinstance(node, SequenceNode):
        _refuse_tag(node, "seq", path, faults)
        return List(line, tuple(_tree(one, (*path, n), faults) for n, one in enumerate(node.value)))
    if isinstance(node, MappingNode):
        _refuse_tag(node, "map", path, faults)
        return Map(line, tuple(_entries(node, path, faults)))
    if isinstance(node, ScalarNode):
        return _scalar(node, path, faults)
    raise AssertionError(f"YAML has no node like {node}")


def _entries(node: MappingNode, path: Path, faults: list[Fault]) -> Iterator[Entry]:
    seen: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.tag == f"{_TAG}merge":
            faults.append(Fault(path, line, "the merge key <<: write the values out instead"))
            continue
        if not isinstance(key, ScalarNode) or key.tag != f"{_TAG}str":
            text = key.value if isinstance(key, ScalarNode) else "a list or map"
            faults.append(Fault(path, line, f"the key {text} is not text; put it in quotes"))
            continue
        here = (*path, key.value)
        if key.value in seen:
            text = f"the key stands twice; it is on line {seen[key.value]} too"
            faults.append(Fault(here, line, text))
            continue
        seen[key.value] = line
        yield Entry(key.value, line, _tree(value, here, faults))


def _scalar(node: ScalarNode, path: Path, faults: list[Fault]) -> Scalar:
    line, written = node.start_mark.line + 1, node.value
    match (node.tag or "").removeprefix(_TAG):
        case "str" | "timestamp" | "value":
            return Scalar(line, written, written)
        case "null":
            return Scalar(line, None, written)
        case "bool" if written.lower() in ("true", "false"):
            return Scalar(line, written.lower() == "true", written)
        case "int" if _INT.match(written):
            return Scalar(line, int(written), written)
        case "float" if _FLOAT.match(written):
            return Scalar(line, float(written), written)
        case "bool" | "int" | "float":  # yes and on, after %YAML 1.1
            text = f"{written} is read differently by different readers; put it in quotes"
        case _:
            text = f"the tag {node.tag}: write the value without it"
    faults.append(Fault(path, line, text))
    return Scalar(line, written, written)


def _refuse_tag(node: Node, usual: str, path: Path, faults: list[Fault]) -> None:
    if node.tag != f"{_TAG}{usual}":
        text = f"the tag {node.tag}: write the value without it"
        faults.append(Fault(path, node.start_mark.line + 1, text))
