"""What every kind has: a walk over KINDS, so that nobody forgets a part of a new one.

The contract of a kind is in states/saltern_states/contract.py; how to add one, in CONTRIBUTING.md.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from types import UnionType
from typing import Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from saltern_protocol.policy import Allow, Claim, Policy, outside
from saltern_states.artifact import Unpack, WriteBlob
from saltern_states.body import Resource, make_body, read_body, write_body
from saltern_states.changes import WriteFile
from saltern_states.contract import (
    Blocked,
    Change,
    Spec,
    WatchChain,
    WatchLink,
    WatchRoute,
)
from saltern_states.kinds import KINDS, AnyKind
from saltern_states.ports import Host
from saltern_states.testing import FakeHost

from tests.house.tree import ROOT

EVERY = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name.partition("/")[0])
OF_THE_KERNEL = (WatchChain, WatchLink, WatchRoute)
PARTS = {"observe", "diff", "remove", "claims", "watch"}


def module_name(kind: AnyKind) -> str:
    """Give the name of a kind's file: "kernel_module"."""
    return kind.name.partition("/")[0].replace("-", "_")


def change_classes(kind: AnyKind) -> set[type[Change]]:
    """Give the classes of changes that a kind's apply() takes."""
    hints = get_type_hints(kind.apply)
    waiting = [hint for name, hint in hints.items() if name not in ("host", "return")]
    found: set[type[Change]] = set()
    while waiting:
        hint = waiting.pop()
        if get_origin(hint) in (Union, UnionType):
            waiting.extend(get_args(hint))
        else:
            found.add(hint)
    return found


def planned(kind: AnyKind) -> tuple[Change, ...]:
    """Give what would be done for the example on an empty node, hindrances taken as mended."""
    host: Host = FakeHost()
    have = kind.observe(host, kind.example)
    changes: tuple[Change, ...] = kind.diff(kind.example, have)
    return lifted(changes)


def lifted(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Give the changes, and what is behind each hindrance that has something behind it."""
    found: list[Change] = []
    for change in changes:
        mendable = isinstance(change, Blocked) and bool(change.then)
        found.extend(lifted(change.then) if isinstance(change, Blocked) and mendable else (change,))
    return tuple(found)


def hindrances(changes: tuple[Change, ...]) -> list[Blocked]:
    """Give the hindrances, and those behind them."""
    found = [change for change in changes if isinstance(change, Blocked)]
    return [*found, *(one for change in found for one in hindrances(change.then))]


def covers(claim: Claim, change: Change) -> bool:
    """Tell whether a change is about what was claimed: by its line, or by its path.

    The claim on a line of a file is a path below the file's.
    """
    path = getattr(change, "path", None)
    if claim.what == "path" and path is not None:
        return path in (Path(claim.name), Path(claim.name).parent)
    return claim.name.rpartition("/")[2][:12] in str(change)


@EVERY
def test_its_name_is_that_of_its_file_and_has_a_version(kind: AnyKind) -> None:
    module = importlib.import_module(f"saltern_states.{module_name(kind)}")

    assert re.match(r"^[a-z]+(-[a-z]+)*/[1-9][0-9]*\Z", kind.name)
    assert kind.spec.__module__ == module.__name__
    assert module.KIND is kind
    assert (module.__doc__ or "").startswith(f"{module_name(kind).replace('_', '-')}: ")


@EVERY
def test_its_functions_stand_in_its_file_under_their_names(kind: AnyKind) -> None:
    module = importlib.import_module(kind.spec.__module__)
    others = {part for part in PARTS if getattr(kind, part) is not getattr(module, part, None)}

    assert others == set()


@EVERY
def test_its_spec_refuses_what_it_does_not_know(kind: AnyKind) -> None:
    plain = msgspec.to_builtins(kind.example)

    assert issubclass(kind.spec, Spec)
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({**plain, "no-such-field": 1}, kind.spec)


@EVERY
def test_its_example_survives_a_body(kind: AnyKind) -> None:
    body = make_body((Resource(id="example", spec=kind.example),))

    assert read_body(write_body(body)) == body


@EVERY
def test_its_claims_cover_its_plan(kind: AnyKind) -> None:
    """A change that touches nothing of what was claimed would pass policy unseen."""
    claims = kind.claims(kind.example)
    uncovered = [str(one) for one in planned(kind) if not any(covers(each, one) for each in claims)]

    assert claims
    assert uncovered == []


@EVERY
def test_it_claims_every_thing_that_its_spec_names_as_its_own(kind: AnyKind) -> None:
    owned = {"path": "path", "unit": "unit", "key": "sysctl", "destination": "route"}
    claimed = {(claim.what, claim.name) for claim in kind.claims(kind.example)}
    fields = {what: getattr(kind.example, field, None) for field, what in owned.items()}
    named = {  # a key is a parameter's, or a private one's path
        ("path" if name.startswith("/") else what, name) for what, name in fields.items() if name
    }

    assert named <= claimed


@EVERY
def test_a_policy_that_allows_nothing_allows_none_of_it(kind: AnyKind) -> None:
    nothing = Allow(artifacts=(), images=())
    policy = Policy(cluster="c", version=1, epoch=1, expires=1, classes={"worker": nothing})
    claims = kind.claims(kind.example)

    assert set(outside(policy, "worker", claims)) == set(claims)


@EVERY
def test_it_writes_nowhere_but_where_other_resources_are_kept_away(kind: AnyKind) -> None:
    writes = WriteFile | WriteBlob | Unpack
    files = {str(change.path) for change in planned(kind) if isinstance(change, writes)}

    assert files <= set(kind.paths(kind.example))


@EVERY
def test_it_listens_to_something(kind: AnyKind) -> None:
    watches = kind.watch(kind.example)

    assert watches
    assert len(set(watches)) == len(watches)


@EVERY
def test_what_lives_in_the_kernel_alone_is_brought_back_after_a_boot(kind: AnyKind) -> None:
    assert kind.volatile == any(isinstance(one, OF_THE_KERNEL) for one in kind.watch(kind.example))


@EVERY
def test_taking_back_what_was_never_made_changes_nothing(kind: AnyKind) -> None:
    assert kind.plan_removal(FakeHost(), kind.example) == ()


@EVERY
def test_a_hindrance_that_a_change_may_lift_has_something_behind_it(kind: AnyKind) -> None:
    """And what may lift it is a change that there is: its tag is of some kind's."""
    tags = {str(one.__struct_config__.tag) for other in KINDS for one in change_classes(other)}
    host: Host = FakeHost()

    for one in hindrances(kind.diff(kind.example, kind.observe(host, kind.example))):
        assert set(one.by) <= tags
        assert one.then or not one.by


@EVERY
def test_planning_changes_nothing(kind: AnyKind) -> None:
    host = FakeHost()

    assert kind.plan(host, kind.example) == kind.plan(host, kind.example)


@EVERY
def test_its_changes_are_values_with_a_line_to_show(kind: AnyKind) -> None:
    for change in change_classes(kind):
        assert issubclass(change, Change)
        assert issubclass(change, msgspec.Struct)
        assert change.__str__ is not msgspec.Struct.__str__, f"{change.__name__} needs a __str__"
        assert change.__doc__


def test_no_two_changes_have_one_tag() -> None:
    classes = {change for kind in KINDS for change in change_classes(kind)} | {Blocked}
    tags = [str(change.__struct_config__.tag) for change in classes]

    assert sorted(tags) == sorted(set(tags))
    assert all(re.match(r"^[a-z]+(-[a-z]+)*\Z", tag) for tag in tags)


def test_no_two_kinds_have_one_name() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)


@EVERY
def test_it_has_a_table_and_a_law(kind: AnyKind) -> None:
    text = (ROOT / f"tests/states/test_{module_name(kind)}.py").read_text()

    assert "parametrize" in text, "a table: what is wanted, what is there, what is to be done"
    assert "@given" in text, "a law: hypothesis on a FakeHost"


@EVERY
def test_it_was_tried_on_a_real_system(kind: AnyKind) -> None:
    """By its Spec, its name, or lab documents' own way: `own("x", "file", ...)` of cases.py."""
    own = rf"own\(\s*\"[a-z0-9]+\",\s*\"{kind.name.partition('/')[0]}\""
    word = re.compile(rf"\b{kind.spec.__name__}\(|\"{kind.name}\"|{own}")
    tried = [*(ROOT / "tests/system").glob("*.py"), *(ROOT / "tests/lab").glob("*.py")]

    assert any(word.search(path.read_text()) for path in tried)


@EVERY
def test_it_has_a_page(kind: AnyKind) -> None:
    page = ROOT / f"docs/reference/kinds/{kind.name.partition('/')[0]}.md"

    assert page.read_text().startswith(f"# {kind.name}\n")


@EVERY
def test_every_part_of_it_says_what_it_does(kind: AnyKind) -> None:
    parts = {name: getattr(kind, name) for name in (*sorted(PARTS), "apply")}

    assert [name for name, part in parts.items() if not inspect.getdoc(part)] == []
