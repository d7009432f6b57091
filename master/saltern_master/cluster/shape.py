"""A tree and a type -> a value, telling every fault and not only the first.

msgspec checks each value by itself (types, ranges, patterns); this walks what holds them:
structs, lists, maps, and a Spec by its kind. Laws:

* A fault hides no other: what stands beside it is read all the same, and `found` has
  every value that was good, so that later checks can look at those too.
* A value that this gives is one that msgspec itself would have given.
* A pattern is told in words where its Meta has a description.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo, fields
from saltern_states.body import ResourceId
from saltern_states.bridge import Address4
from saltern_states.contract import AbsolutePath, AccountName, LinkName, Mode, Sha256, Spec
from saltern_states.kinds import BY_NAME

from saltern_master.cluster.faults import Fault, Path, did_you_mean
from saltern_master.cluster.source import List, Map, Scalar, Tree, plain


class Bad(Enum):
    """What stands in place of a value that had a fault."""

    BAD = "bad"


BAD = Bad.BAD


@dataclass(slots=True)
class Reading:
    """One pass over one tree: the faults so far, and the good values by path."""

    faults: list[Fault] = field(default_factory=list)
    found: dict[Path, Any] = field(default_factory=dict)

    def at(self, *pattern: str) -> Iterator[tuple[Path, Any]]:
        """Give the good values whose path is of this form; "*" is any one step."""
        for path, value in self.found.items():
            if len(path) == len(pattern) and all(
                want in ("*", step) for want, step in zip(pattern, path, strict=True)
            ):
                yield path, value

    def fault(self, path: Path, line: int, text: str) -> Bad:
        """Note a fault."""
        self.faults.append(Fault(path, line, text))
        return BAD


def read(tree: Tree, annotation: Any, path: Path, into: Reading) -> Any:  # noqa: ANN401
    """Give the value of a tree as a type, or BAD with its faults noted."""
    value = _read(tree, annotation, path, into)
    if value is not BAD:
        into.found[path] = value
    return value


def _read(tree: Tree, annotation: Any, path: Path, into: Reading) -> Any:  # noqa: ANN401
    bare = _bare(annotation)
    if isinstance(tree, Scalar) and tree.value is None and type(None) in get_args(bare):
        return None
    bare = _without_none(bare)
    if get_origin(bare) in (Union, UnionType):
        annotation = _fitting(bare, tree)
        bare = _bare(annotation)
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        return _spec(tree, path, into) if bare is Spec else _struct(tree, bare, path, into)
    match get_origin(bare) or bare:
        case builtins.tuple:
            return _list(tree, get_args(bare)[0], path, into)
        case builtins.dict:
            key, inner = get_args(bare)
            return _dict(tree, key, inner, path, into)
        case builtins.object:
            return plain(tree)
        case _:
            return _leaf(tree, annotation, path, into)


def _struct(
    tree: Tree, want: type[msgspec.Struct], path: Path, into: Reading, skip: str = ""
) -> Any:  # noqa: ANN401
    """Read a struct. `skip` is a key that tells the type and was read already."""
    if not isinstance(tree, Map):
        return into.fault(path, tree.line, f"expected a map, found {_what(tree)}")
    known = {info.encode_name: info for info in fields(want)}
    values: dict[str, Any] = {}
    good = True
    for entry in tree.entries:
        here = (*path, entry.key)
        if entry.key == skip:
            continue
        info = known.get(entry.key)
        if info is None:
            into.fault(here, entry.line, f"no such field{_instead(entry.key, known)}")
            continue
        value = read(entry.tree, info.type, here, into)
        good = good and (value is not BAD or not info.required)
        if value is not BAD:
            values[info.name] = value
    missing = [info for info in known.values() if info.required and not _given(tree, info)]
    for info in missing:
        into.fault((*path, info.encode_name), tree.line, "is missing")
    return _made(want, values, path, tree.line, into) if good and not missing else BAD


def _made(
    want: type[msgspec.Struct], values: dict[str, Any], path: Path, line: int, into: Reading
) -> Any:  # noqa: ANN401
    """Make a struct; what its own __post_init__ refuses is a fault of the whole map."""
    try:
        return want(**values)
    except ValueError as error:
        return into.fault(path, line, str(error))


def _instead(key: str, known: dict[str, FieldInfo]) -> str:
    """Say what to write in place of a key that is none; the kind of a resource is its spec's."""
    spec = next((name for name, info in known.items() if _bare(info.type) is Spec), "")
    if spec and key == "kind":
        return f"; kind stands in {spec}: {spec}: {{kind: …}}"
    return did_you_mean(key, known)


def _given(tree: Map, info: FieldInfo) -> bool:
    return any(entry.key == info.encode_name for entry in tree.entries)


def _spec(tree: Tree, path: Path, into: Reading) -> Any:  # noqa: ANN401
    if not isinstance(tree, Map):
        return into.fault(path, tree.line, f"expected a map, found {_what(tree)}")
    named = next((entry for entry in tree.entries if entry.key == "kind"), None)
    if named is None:
        text = f"is missing; the kinds are {', '.join(BY_NAME)}"
        return into.fault((*path, "kind"), tree.line, text)
    name = named.tree.value if isinstance(named.tree, Scalar) else None
    kind = BY_NAME.get(name) if isinstance(name, str) else None
    if kind is None:
        text = f"there is no kind {_what(named.tree)}{did_you_mean(str(name), BY_NAME)}"
        return into.fault((*path, "kind"), named.line, text)
    return _struct(tree, kind.spec, path, into, skip="kind")


def _list(tree: Tree, inner: Any, path: Path, into: Reading) -> Any:  # noqa: ANN401
    if not isinstance(tree, List):
        return into.fault(path, tree.line, f"expected a list, found {_what(tree)}")
    items = [read(item, inner, (*path, n), into) for n, item in enumerate(tree.items)]
    return BAD if BAD in items else tuple(items)


def _dict(tree: Tree, key: Any, inner: Any, path: Path, into: Reading) -> Any:  # noqa: ANN401
    if not isinstance(tree, Map):
        return into.fault(path, tree.line, f"expected a map, found {_what(tree)}")
    values: dict[str, Any] = {}
    for entry in tree.entries:
        here = (*path, entry.key)
        name = _leaf(Scalar(entry.line, entry.key, entry.key), key, here, into)
        value = read(entry.tree, inner, here, into)
        if name is not BAD and value is not BAD:
            values[entry.key] = value
    return values


def _leaf(tree: Tree, annotation: Any, path: Path, into: Reading) -> Any:  # noqa: ANN401
    if not isinstance(tree, Scalar):
        return into.fault(path, tree.line, f"expected one value, found {_what(tree)}")
    try:
        return msgspec.convert(tree.value, annotation)
    except msgspec.ValidationError as error:
        return into.fault(path, tree.line, _wrong(tree, annotation, str(error)))


def _wrong(tree: Scalar, annotation: Any, error: str) -> str:  # noqa: ANN401
    bare = _without_none(_bare(annotation))
    if bare is str and not isinstance(tree.value, str):
        return f"expected text, found {_what(tree)}; put it in quotes"
    if get_origin(bare) is Literal:
        choices = [str(one) for one in get_args(bare)]
        return f"{_what(tree)} is none of {', '.join(choices)}"
    described = _description(annotation)
    if described and isinstance(tree.value, bare if isinstance(bare, type) else object):
        return f"{_what(tree)} is not {described}"
    return f"{error[:1].lower()}{error[1:].partition(' - at ')[0]}, found {_what(tree)}"


def _what(tree: Tree) -> str:
    match tree:
        case Map():
            return "a map"
        case List():
            return "a list"
        case Scalar(value=None):
            return "nothing"
        case Scalar(value=str(text)):
            return f'"{text}"' if len(text) <= 80 else f'"{text[:77]}..."'
        case Scalar(written=written):
            return written


def _bare(annotation: Any) -> Any:  # noqa: ANN401
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _without_none(bare: Any) -> Any:  # noqa: ANN401
    if get_origin(bare) not in (Union, UnionType):
        return bare
    left = [one for one in get_args(bare) if one is not type(None)]
    return _bare(left[0]) if len(left) == 1 else bare


def _fitting(union: Any, tree: Tree) -> Any:  # noqa: ANN401
    """Choose what is read where one value or a list may stand."""
    lists = [one for one in get_args(union) if get_origin(one) is tuple]
    others = [one for one in get_args(union) if get_origin(one) is not tuple]
    return lists[0] if isinstance(tree, List) else others[0]


def _description(annotation: Any) -> str:  # noqa: ANN401
    for one in get_args(annotation)[1:] if get_origin(annotation) is Annotated else ():
        if isinstance(one, msgspec.Meta) and one.description:
            return one.description
        if isinstance(one, msgspec.Meta) and one.pattern in PATTERNS:
            return PATTERNS[one.pattern]
    return ""


def _pattern(annotation: Any) -> str:  # noqa: ANN401
    return str(get_args(annotation)[1].pattern)


PATTERNS = {
    _pattern(AbsolutePath): 'an absolute path without "." and ".."',
    _pattern(Sha256): "a SHA-256: 64 digits and small letters a to f",
    _pattern(Mode): 'permission bits like "0644"',
    _pattern(AccountName): "a user's or group's name",
    _pattern(LinkName): "a link's name, 15 characters at most",
    _pattern(Address4): "an IPv4 address with its prefix like 10.10.5.1/24",
    _pattern(ResourceId): "an id: letters, digits and . _ : / @ -, small at the start",
}
"""The kinds' own patterns, in words."""
