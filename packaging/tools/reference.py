"""Writes docs/reference/kinds/: one page for each kind, and an index, from the code alone.

* Equal code gives equal bytes: no date, no chance, the order of KINDS.
* A page says nothing that the kind does not say itself: its module's docstring, its Spec, its
  example, and the first lines of its functions. Who wants a better page writes a better docstring.
* `--check` writes nothing and ends with 1 where a page is not what would be written.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import saltern_states
from msgspec import NODEFAULT, Struct
from msgspec import inspect as types
from saltern_master.compile.readable import readable_resource
from saltern_master.compile.yaml_text import to_yaml
from saltern_states.body import Resource
from saltern_states.contract import (
    Blocked,
    Change,
    Watch,
    WatchChain,
    WatchImage,
    WatchLegacyRules,
    WatchLink,
    WatchPath,
    WatchReading,
    WatchRoute,
    WatchTimer,
    WatchUnit,
)
from saltern_states.kinds import KINDS, AnyKind

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs/reference/kinds"
MADE = "<!-- Written by `make docs` from {source}; what is changed here is lost. -->"


def main() -> int:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description="Write docs/reference/kinds from the kinds.")
    parser.add_argument("--check", action="store_true", help="write nothing; 1: pages are stale")
    wanted = pages()
    there = {path.name: path.read_text() for path in PAGES.glob("*.md")}
    stale = sorted(name for name in {*wanted, *there} if wanted.get(name) != there.get(name))
    if parser.parse_args().check:
        sys.stdout.writelines(f"docs/reference/kinds/{name} is stale\n" for name in stale)
        return 1 if stale else 0
    PAGES.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in wanted:
            (PAGES / name).write_text(wanted[name])
        else:
            (PAGES / name).unlink()
    return 0


def pages() -> dict[str, str]:
    """Give the text of every page, by its file's name."""
    docs = documented_names()
    written = {f"{short(kind)}.md": "\n".join(page(kind, docs)) + "\n" for kind in KINDS}
    return written | {"README.md": "\n".join(index()) + "\n"}


def index() -> Iterator[str]:
    """Give the lines of the list of all kinds."""
    yield "# Kinds"
    yield ""
    yield MADE.format(source="states/saltern_states/kinds.py")
    yield ""
    yield "A resource is one thing of a kind. In a cluster file it stands under `resources`, of the"
    yield "whole cluster or of a group, with an `id` and a `spec`. Beside `spec` may stand `after`"
    yield "(ids that come first), `drift` (`mode`, `times`, `minutes`) and `on_removal`: see"
    yield "[body.py](../../../states/saltern_states/body.py). The kind stands in `spec`, with the"
    yield "fields of its page. A whole one:"
    yield ""
    yield "```yaml"
    yield to_yaml({"resources": [readable_resource(example(KINDS[0]))]}).rstrip("\n")
    yield "```"
    yield ""
    yield "| kind | what it is |"
    yield "| --- | --- |"
    for kind in KINDS:
        yield f"| [{kind.name}]({short(kind)}.md) | {_cell(_title(kind))} |"


def page(kind: AnyKind, docs: dict[str, str]) -> Iterator[str]:
    """Give the lines of one kind's page."""
    module = inspect.getmodule(kind.spec)
    if module is None:
        raise AssertionError(f"the Spec of {kind.name} is of no module")
    source = f"states/{module.__name__.replace('.', '/')}.py"
    yield f"# {kind.name}"
    yield ""
    yield MADE.format(source=source)
    yield ""
    yield f"**{short(kind)}**: {_title(kind)}"
    yield from _about(module)
    yield ""
    yield "## Fields"
    yield from fields(kind.spec, docs)
    yield ""
    yield "## In a cluster file"
    yield ""
    yield "```yaml"
    yield to_yaml({"resources": [readable_resource(example(kind))]}).rstrip("\n")
    yield "```"
    yield ""
    yield from _touches(kind)
    yield ""
    yield "## Changes"
    yield ""
    yield f"{_first(kind.diff)} What a plan can show:"
    yield ""
    yield "| change | what it does | impact |"
    yield "| --- | --- | --- |"
    for change in change_classes(kind):
        yield f"| `{_tag(change)}` | {_cell(_line(change))} | {impacts(change)} |"
    yield ""
    yield "## When it is taken back"
    yield ""
    yield _first(kind.remove)
    if kind.volatile:
        yield ""
        yield "A reboot takes it too: the agent brings it back before docker and the kubelet start."


def fields(struct: type[Struct], docs: dict[str, str]) -> Iterator[str]:
    """Give the lines on a Struct's fields, and on those of the Structs in them."""
    yield ""
    yield from inspect.cleandoc(struct.__doc__ or "").splitlines()
    yield ""
    info = types.type_info(struct)
    if not isinstance(info, types.StructType):
        raise TypeError(f"cannot describe {struct}: it is no Struct")
    inner: list[type[Struct]] = []
    own = field_docs(struct)
    for field in info.fields:
        written = inspect.get_annotations(struct).get(field.name, "")
        about = own.get(field.name) or docs.get(str(written), "")
        usual = "required" if field.required else f"default {_default(field)}"
        yield f"* `{field.encode_name}`: {described(field.type, inner)}; {usual}." + (
            f" {about}" if about else ""
        )
    if not info.fields:
        yield "It has no fields."
    for one in inner:
        yield ""
        yield f"### {one.__name__}"
        yield from fields(one, docs)


def described(kind: types.Type, inner: list[type[Struct]]) -> str:
    """Say what a field takes; Structs in it are added to `inner`."""
    match kind:
        case types.Metadata():
            return described(kind.type, inner)
        case types.UnionType():
            return _or([described(one, inner) for one in kind.types])
        case types.VarTupleType() | types.ListType():
            many = _bounds(kind.min_length, kind.max_length, "items", None)
            return f"a list{many}, each {described(kind.item_type, inner)}"
        case types.DictType():
            key, value = described(kind.key_type, inner), described(kind.value_type, inner)
            return f"a map from {key} to {value}"
        case types.StructType():
            if kind.cls not in inner:
                inner.append(kind.cls)
            return f"a map: see [{kind.cls.__name__}](#{kind.cls.__name__.lower()})"
        case _:
            return _plain(kind)


def _plain(kind: types.Type) -> str:
    match kind:
        case types.StrType():
            return "text" + _bounds(kind.min_length, kind.max_length, "characters", kind.pattern)
        case types.IntType():
            return "a whole number" + _bounds(kind.ge, kind.le, "", None)
        case types.BoolType():
            return "`true` or `false`"
        case types.LiteralType():
            return _or([f'`"{value}"`' for value in kind.values])
        case types.NoneType():
            return "`null`"
        case _:
            raise TypeError(f"cannot describe {kind}: teach {Path(__file__).name} this type")


def heard(watch: Watch) -> str:
    """Say what a watch listens to."""
    match watch:
        case WatchPath(path=path):
            said = f"path `{path}`"
        case WatchLink(name=name):
            said = f"link `{name}`"
        case WatchRoute(destination=destination):
            said = f"routes to `{destination}`"
        case WatchChain(table=table, chains=chains):
            said = f"table `{table}`, chains {', '.join(f'`{chain}`' for chain in chains)}"
        case WatchUnit(unit=unit):
            said = f"unit `{unit}`"
        case WatchImage(name=name):
            said = f"docker's events of images, for `{name}`"
        case WatchReading(path=path):
            said = f"`{path}`, read every second since no event tells of it"
        case WatchLegacyRules(table=table):
            said = f"legacy table `{table}`, read every second since no event tells of it"
        case WatchTimer(seconds=seconds):
            said = f"the clock: a look every {seconds:g} s"
    return said


def change_classes(kind: AnyKind) -> tuple[type[Change], ...]:
    """Give the classes of changes that a kind's apply() makes, in the order in which it names them.

    What hinders (Blocked) is of every kind and made by none, so it is left out.
    """
    hints = get_type_hints(kind.apply)
    found: list[type[Change]] = []
    waiting = [next(hint for name, hint in hints.items() if name not in ("host", "return"))]
    while waiting:
        hint = waiting.pop(0)
        if get_origin(hint) in (Union, UnionType):
            waiting = [*get_args(hint), *waiting]
        elif hint is not Blocked and hint not in found:
            found.append(hint)
    return tuple(found)


def impacts(change: type[Change]) -> str:
    """Give the impacts that a class of changes can have, read from the code that tells them."""
    prop = inspect.getattr_static(change, "impact")
    tree = ast.parse(textwrap.dedent(inspect.getsource(prop.fget)))
    names = [
        node.attr.lower()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Impact"
    ]
    if not names:
        raise TypeError(f"cannot tell the impact of {change.__name__}: its code names no Impact")
    shown = " or ".join(dict.fromkeys(names))
    about = inspect.getdoc(prop.fget) if "impact" in vars(change) else ""
    return f"{shown}: {_cell(about.splitlines()[0])}" if about else shown


def example(kind: AnyKind) -> Resource:
    """Give the kind's example as a resource."""
    return Resource(id=f"my-{short(kind)}", spec=kind.example)


def documented_names() -> dict[str, str]:
    """Give what stands below each alias of a type in the kinds' modules, by its name."""
    found: dict[str, str] = {}
    for path in sorted(Path(saltern_states.__file__).parent.glob("*.py")):
        found |= _strings_below(ast.parse(path.read_text()).body)
    return found


def field_docs(struct: type[Struct]) -> dict[str, str]:
    """Give what stands below each field in a class."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(struct)))
    body = tree.body[0]
    return _strings_below(body.body) if isinstance(body, ast.ClassDef) else {}


def short(kind: AnyKind) -> str:
    """Give a kind's name without its version."""
    return kind.name.partition("/")[0]


def _strings_below(body: list[ast.stmt]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one, following in pairwise(body):
        match one, following:
            case (
                ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = " ".join(text.split())
    return found


def _touches(kind: AnyKind) -> Iterator[str]:
    yield "## What it claims"
    yield ""
    yield f"{_first(kind.claims)} Policy is asked for this; the example claims:"
    yield ""
    yield from (f"* {claim.what} `{claim.name}`" for claim in kind.claims(kind.example))
    yield ""
    yield "## What it listens to"
    yield ""
    yield f"{_first(kind.watch)} The example listens to:"
    yield ""
    yield from (f"* {heard(watch)}" for watch in kind.watch(kind.example))
    blobs = kind.blobs(kind.example)
    if blobs:
        yield ""
        yield "It needs a content on the node, named by its SHA-256 (a blob)."


def _title(kind: AnyKind) -> str:
    """Give the first line of the kind's module, without the name that it begins with."""
    text = inspect.cleandoc(inspect.getmodule(kind.spec).__doc__ or "")
    first = " ".join(text.partition("\n\n")[0].split())
    return first.partition(": ")[2] or first


def _about(module: ModuleType) -> Iterator[str]:
    rest = inspect.cleandoc(module.__doc__ or "").partition("\n\n")[2]
    if rest:
        yield ""
        yield from rest.splitlines()


def _default(field: types.Field) -> str:
    value: Any = field.default
    if field.default_factory is not NODEFAULT:
        value = field.default_factory()
    if value is None:
        return "`null`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f'`"{value}"`'
    return "empty" if value in ((), [], {}) else f"`{value}`"


def _bounds(least: int | None, most: int | None, what: str, pattern: str | None) -> str:
    unit = f" {what}" if what else ""
    said = ""
    if least is not None and most is not None:
        said = f" ({least} to {most}{unit})"
    elif most is not None:
        said = f" (at most {most}{unit})"
    elif least is not None:
        said = f" (at least {least}{unit})"
    return said + (f" of the form `{pattern}`" if pattern else "")


def _or(words: list[str]) -> str:
    return " or ".join(words)


def _first(function: Any) -> str:  # noqa: ANN401  # any function of a kind
    return (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ")


def _line(thing: type[Change]) -> str:
    return " ".join(inspect.cleandoc(thing.__doc__ or "").split())


def _tag(change: type[Change]) -> str:
    return str(change.__struct_config__.tag)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


if __name__ == "__main__":
    sys.exit(main())
