"""The digest of a plan: the same for what is the same, another one for all else."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import is_dataclass
from hashlib import sha256
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from saltern_agent.plan import Finding, Plan, Planned, plan
from saltern_agent.plan_digest import LEFT_OUT, MAX_LINE, MAX_LINES, digest, in_words
from saltern_agent.steps import Step, Verb, steps
from saltern_states.body import Resource, make_body
from saltern_states.changes import SetAccess
from saltern_states.contract import Change, Spec
from saltern_states.file import File
from saltern_states.kinds import KINDS, AnyKind, kind_of
from saltern_states.ports import Entry
from saltern_states.testing import FakeHost
from saltern_states.unit import LivesBy, Unit
from saltern_states.unit_changes import RestartUnit

from tests.house.test_kinds import change_classes
from tests.house.test_kinds import planned as changes_of_example
from tests.house.tree import ROOT

CLASSES = sorted(
    {change for kind in KINDS for change in change_classes(kind)}, key=lambda one: one.__name__
)
EVERY_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
EVERY_CHANGE = pytest.mark.parametrize("change", CLASSES, ids=lambda one: one.__name__)
DOCKER = "docker.service"
HELD = Unit(
    unit=DOCKER,
    files=(LivesBy(path="/etc/docker/daemon.json", sha256=sha256(b"{}\n").hexdigest()),),
)

PLAIN: dict[object, st.SearchStrategy[Any]] = {
    str: st.text(st.characters(), max_size=4),  # also what is no text at all
    bytes: st.binary(max_size=4),
    int: st.integers(0, 2**32),
    bool: st.booleans(),
    NoneType: st.none(),
    Path: st.builds(lambda name: Path("/etc", name), st.sampled_from(["a", "b", "a/b"])),
}
ENTRIES = st.builds(
    Entry,
    type=st.sampled_from(["file", "directory"]),
    mode=st.sampled_from([0o644, 0o640, 0o600]),
    owner=st.sampled_from(["root", "etcd"]),
    group=st.just("root"),
    sha256=st.sampled_from(["0" * 64, "1" * 64]),
    size=st.integers(0, 2),
)


def values(hint: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401  any type that a change holds
    """Give values of a type, from its annotation."""
    if hint in PLAIN:
        return PLAIN[hint]
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if get_origin(hint) in (Union, UnionType):
        return st.one_of(*map(values, get_args(hint)))
    if get_origin(hint) is tuple:
        return st.lists(values(get_args(hint)[0]), max_size=3).map(tuple)
    if hint is Entry:
        return ENTRIES
    assert is_dataclass(hint) or issubclass(hint, msgspec.Struct), hint
    fields = {name: one for name, one in get_type_hints(hint).items() if name[0] != "_"}
    return st.builds(hint, **{name: values(one) for name, one in fields.items()})


def seen(value: object) -> object:
    """Give what anybody on the node may know of what stands somewhere."""
    if isinstance(value, Entry) and not value.mode & 0o004:
        return (value.type, value.mode, value.owner, value.group)
    return value


def planned(
    *changes: Change, verb: Verb = "hold", finding: Finding = "to change", name: str = "r"
) -> Planned:
    step = Step(verb, Resource(id=name, spec=File(path="/etc/a", text="")))
    return Planned(step, finding, changes)


def of(*changes: Change) -> bytes:
    return digest(Plan((planned(*changes),)))


def on(host: FakeHost, spec: Spec) -> Plan:
    return plan(host, steps(make_body((Resource(id="example", spec=spec),)), {}))


@EVERY_CHANGE
@given(st.data())
def test_law_any_field_counts_but_those_that_move_by_themselves(
    change: type[Change], data: st.DataObject
) -> None:
    hints = {name: one for name, one in get_type_hints(change).items() if name[0] != "_"}
    before = data.draw(values(change))
    name = data.draw(st.sampled_from(sorted(hints)))
    to = data.draw(values(hints[name]).filter(lambda one: one != getattr(before, name)))

    assert of(before) == of(replace(before))
    same = name in LEFT_OUT.get(change, ()) or seen(to) == seen(getattr(before, name))
    assert (of(before) == of(replace(before, **{name: to}))) == same


STEPS = st.builds(
    planned,
    st.sampled_from([change for kind in KINDS for change in changes_of_example(kind)]),
    verb=st.sampled_from(["hold", "remove", "forget"]),
    finding=st.sampled_from(["to change", "blocked", "unreadable"]),
    name=st.sampled_from(["a", "b"]),
)


@given(st.lists(STEPS, max_size=3), st.lists(STEPS, max_size=3))
def test_law_equal_plans_and_only_they_have_equal_digests(
    one: list[Planned], other: list[Planned]
) -> None:
    assert (digest(Plan(tuple(one))) == digest(Plan(tuple(other)))) == (one == other)


@given(st.lists(STEPS, max_size=3))
def test_law_what_is_as_declared_does_not_count(found: list[Planned]) -> None:
    kept = planned(finding="as declared", name="kept")

    assert digest(Plan((*found, kept))) == digest(Plan((kept, *found))) == digest(Plan((*found,)))


@EVERY_KIND
def test_one_state_of_a_node_planned_twice_has_one_digest(kind: AnyKind) -> None:
    host = FakeHost()

    assert digest(on(host, kind.example)) == digest(on(host, kind.example))
    assert len(digest(on(host, kind.example))) == 32


@EVERY_KIND
def test_what_is_to_be_done_for_an_example_is_named(kind: AnyKind) -> None:
    changes = changes_of_example(kind)

    assert (of(*changes) == of()) == (not changes)
    nothing_there = {"swap/1", "absent-link/1"}  # on an empty node there is none to take away
    assert bool(changes) == (kind.name not in nothing_there)


def test_it_is_the_same_in_any_process() -> None:
    """The next agent's process, or the next release, is asked for the plan that this one told."""
    code = (
        "from tests.agent.test_plan_digest import *\n"
        "print(*(of(*changes_of_example(kind)).hex() for kind in KINDS))"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
            timeout=50,
        ).stdout.split()
        for seed in ("1", "2")
    ]

    assert told[0] == told[1] == [of(*changes_of_example(kind)).hex() for kind in KINDS]


def test_the_form_is_known() -> None:
    """Whoever changes it makes every saved plan stale: FORM is to say so."""
    was = Entry(type="file", mode=0o644, owner="root", group="root", sha256="0" * 64, size=3)
    known = SetAccess(path=Path("/etc/a"), was=was, mode=0o600, owner="root", group="root")
    assert of(known).hex() == "43fffbd086ec62022ab03f66136e03e7860e90430c1562a2e87a4857cf2ba380"


@pytest.fixture
def host() -> FakeHost:
    """A node on which docker runs, and nobody recorded with which file."""
    host = FakeHost()
    host.units.install(DOCKER)
    host.files.put_directory("/etc/docker")
    host.files.put_file("/etc/docker/daemon.json", b"{}\n")
    host.units.state(DOCKER)
    host.units.start(DOCKER)
    return host


def test_a_service_that_starts_over_is_restarted_all_the_same(host: FakeHost) -> None:
    before, was = on(host, HELD), host.units.state(DOCKER).invocation
    host.units.crash(DOCKER)
    stopped = on(host, HELD)
    host.units.start(DOCKER)

    assert host.units.state(DOCKER).invocation != was
    assert [type(one) for one in before.steps[0].changes][-1] is RestartUnit
    assert digest(on(host, HELD)) == digest(before)
    assert digest(stopped) != digest(before), "what is started is not restarted"


def test_what_does_not_run_is_started_from_whatever_state(host: FakeHost) -> None:
    host.units.crash(DOCKER)
    failed = on(host, Unit(unit=DOCKER))
    host.units.stop(DOCKER)

    assert str(failed.steps[0].changes[-1]) == "start docker.service (was failed)"
    assert digest(on(host, Unit(unit=DOCKER))) == digest(failed)


def test_the_record_of_a_start_is_taken_back_whoever_wrote_it(host: FakeHost) -> None:
    kind, step = kind_of(HELD), Step("remove", Resource(id="docker", spec=HELD))
    for change in kind.plan(host, HELD):
        kind.apply(host, change)
    before = plan(host, (step,))
    host.units.crash(DOCKER)
    host.units.start(DOCKER)
    after = plan(host, (step,))

    assert before != after, "the record names the invocation"
    assert digest(after) == digest(before)
    host.files.put_file("/run/saltern/started/docker.service", b"a stranger's")
    assert digest(plan(host, (step,))) != digest(before)


@pytest.mark.parametrize(("mode", "tells"), [(0o644, True), (0o640, False), (0o600, False)])
def test_nobody_can_try_guesses_at_what_others_may_not_read(mode: int, tells: bool) -> None:
    """What the master knows, and a guess, must not be enough to make the digest."""
    want, host = File(path="/etc/pass", text="new\n", mode=f"{mode:04o}"), FakeHost()
    told = []
    for content in (b"summer1\n", b"winter22\n"):
        host.files.put_file("/etc/pass", content, mode)
        told.append(digest(on(host, want)))
    host.files.put_file("/etc/pass", b"new\n", mode)

    assert (told[0] != told[1]) == tells
    assert digest(on(host, want)) == digest(Plan(())), "as declared is told of any file"


def test_in_words_it_is_cut_and_says_of_how_much() -> None:
    long = File(path="/etc/a", text="x" * 100)
    one = Planned(Step("hold", Resource(id="r" * 300, spec=long)), "blocked", why="a\x1b[2J")
    told = in_words(Plan((one,) * (MAX_LINES + 3)))

    assert told.endswith("; and 3 more")
    assert max(map(len, told.split("; "))) == MAX_LINE
    assert told.isprintable()
    assert in_words(Plan(())) == "nothing would change"
    assert in_words(Plan((planned(verb="forget", finding="as declared"),))) == "forget r: forget"
    assert "a\\x1b[2J" in in_words(Plan((planned_why("a\x1b[2J"),)))


def planned_why(why: str) -> Planned:
    return Planned(planned().step, "unreadable", why=why)
