"""Plan and converge on a node in memory: one path, and what fails stops only what comes after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from saltern_agent.converge import Result, converge
from saltern_agent.plan import plan
from saltern_agent.steps import Step, steps
from saltern_states.body import Resource, make_body
from saltern_states.bridge import Bridge
from saltern_states.contract import Spec
from saltern_states.directory import Directory
from saltern_states.file import File
from saltern_states.ports import Entry, HostError
from saltern_states.sysctl import Sysctl
from saltern_states.testing import FakeHost


@dataclass
class Memory:
    """A journal in memory."""

    owned: dict[str, Resource] = field(default_factory=dict)

    def own(self, resource: Resource) -> None:
        self.owned[resource.id] = resource

    def disown(self, resource_id: str) -> None:
        self.owned.pop(resource_id, None)


def hold(name: str, spec: Spec, *after: str) -> Resource:
    return Resource(id=name, spec=spec, after=after)


def bring(host: FakeHost, memory: Memory, *resources: Resource) -> tuple[list[str], Result]:
    """Plan and converge; give what the plan said and what came of it."""
    todo: tuple[Step, ...] = steps(make_body(resources), memory.owned)
    said = [str(change) for one in plan(host, todo).steps for change in one.changes]
    return said, converge(host, todo, memory)


def made(result: Result) -> list[str]:
    return [str(change) for one in result.done for change in one.changes]


CONFIG = (
    hold("directory", Directory(path="/opt")),
    hold("inner", Directory(path="/opt/saltern"), "directory"),
    hold("file", File(path="/opt/saltern/a", text="a\n"), "inner"),
    hold("bridge", Bridge(name="cbr0", address="10.10.5.1/24")),
)


def test_the_plan_says_what_is_done_also_of_what_waits_for_others() -> None:
    said, result = bring(FakeHost(), Memory(), *CONFIG)

    assert result.converged
    assert said == made(result) != []


def test_a_second_time_there_is_nothing_to_do() -> None:
    host, memory = FakeHost(), Memory()
    bring(host, memory, *CONFIG)

    said, result = bring(host, memory, *CONFIG)

    assert (said, result.changes, result.converged) == ([], 0, True)


def test_what_is_hindered_stops_what_comes_after_it_and_nothing_else() -> None:
    resources = (
        hold("sysctl", Sysctl(key="net.bridge.nothing", value="1")),
        hold("after", File(path="/etc/after", text="x"), "sysctl"),
        hold("later", File(path="/etc/later", text="x"), "after"),
        hold("beside", File(path="/etc/beside", text="x")),
        hold("etc", Directory(path="/etc")),
    )

    said, result = bring(FakeHost(), Memory(), resources[-1], *resources[:-1])

    outcomes = {one.step.resource.id: one.outcome for one in result.done}
    assert outcomes["sysctl"] == outcomes["after"] == outcomes["later"] == "blocked"
    assert outcomes["beside"] != "blocked"
    assert said == made(result)


def test_what_is_gone_from_the_body_is_gone_from_the_node() -> None:
    host, memory = FakeHost(), Memory()
    bring(host, memory, *CONFIG)

    said, result = bring(host, memory, *CONFIG[:2])

    assert said == made(result)
    assert host.files.look(Path("/opt/saltern/a")) is None
    assert host.links.link("cbr0") is None
    assert set(memory.owned) == {"directory", "inner"}


def test_a_newer_document_waits_for_the_resource_in_hand_and_not_for_the_end() -> None:
    host, memory = FakeHost(), Memory()
    asked = iter([False, True])

    result = converge(host, steps(make_body(CONFIG), {}), memory, newer=lambda: next(asked))

    assert [one.step.resource.id for one in result.done] == ["directory"]
    assert not result.converged
    assert list(memory.owned) == ["directory"]


PATHS = st.sampled_from(["/a", "/b", "/a/c", "/a/d"])
AnySpec = File | Directory | Bridge

RESOURCES: st.SearchStrategy[list[AnySpec]] = st.lists(
    st.one_of(
        st.builds(File, path=PATHS, text=st.sampled_from(["", "x", "y\n"])),
        st.builds(Directory, path=PATHS, mode=st.sampled_from(["0755", "0700"])),
        st.builds(
            Bridge,
            name=st.sampled_from(["cbr0", "cbr1"]),
            address=st.sampled_from(["10.1.0.1/24", "10.2.0.1/24"]),
        ),
    ),
    max_size=6,
    unique_by=lambda spec: getattr(spec, "path", getattr(spec, "name", "")),
).filter(lambda specs: standing(specs))


def standing(specs: Sequence[Spec]) -> bool:
    """Whether every directory that something stands in is declared, as a directory."""
    directories = {spec.path for spec in specs if isinstance(spec, Directory)}
    paths = [getattr(spec, "path", "") for spec in specs]
    return all(path.rpartition("/")[0] in directories | {""} for path in paths)


def named(specs: Sequence[Spec]) -> tuple[Resource, ...]:
    return tuple(
        hold(f"r:{getattr(spec, 'path', getattr(spec, 'name', ''))}", spec) for spec in specs
    )


@given(RESOURCES, RESOURCES)
def test_on_any_node_what_the_plan_says_is_what_is_done(
    before: list[AnySpec], wanted: list[AnySpec]
) -> None:
    host, memory = FakeHost(), Memory()
    bring(host, memory, *named(before))

    said, result = bring(host, memory, *named(wanted))

    assert said == made(result)
    if result.converged:
        assert bring(host, memory, *named(wanted))[1].changes == 0


def test_what_stood_elsewhere_is_not_forgotten_while_it_cannot_be_taken_back() -> None:
    host, memory = FakeHost(), Memory()
    host.files.put_directory("/etc")
    bring(host, memory, hold("f", File(path="/etc/old", text="x")))
    remove = host.files.remove

    def refuse(path: Path, was: Entry) -> None:
        raise HostError(f"cannot remove {path}: Operation not permitted")

    host.files.remove = refuse  # type: ignore[method-assign]
    _, result = bring(host, memory, hold("f", File(path="/etc/new", text="x")))
    assert [one.outcome for one in result.done] == ["failed", "blocked"]

    host.files.remove = remove  # type: ignore[method-assign]
    _, result = bring(host, memory, hold("f", File(path="/etc/new", text="x")))
    assert result.converged
    assert host.files.look(Path("/etc/old")) is None
    assert host.files.look(Path("/etc/new")) is not None


def test_a_fault_in_one_kind_leaves_the_others_held() -> None:
    host = FakeHost()
    host.files.put_directory("/etc")

    def broken(_name: str) -> None:
        raise OverflowError("no such number")

    host.links.link = broken  # type: ignore[method-assign,assignment]
    _, result = bring(
        host,
        Memory(),
        hold("bridge", Bridge(name="cbr0", address="10.1.0.1/24")),
        hold("file", File(path="/etc/a", text="x")),
    )

    assert [one.outcome for one in result.done] == ["failed", "changed"]
    assert "OverflowError: no such number" in result.done[0].why


def test_a_removal_lifts_no_hindrance_that_has_nothing_to_do_with_it() -> None:
    host, memory = FakeHost(), Memory()
    host.files.put_directory("/etc")
    bring(host, memory, hold("bridge", Bridge(name="cbr0", address="10.1.0.1/24")))
    host.files.put_symlink("/etc/f")

    said, result = bring(host, memory, hold("f", File(path="/etc/f", text="x")))

    assert said == made(result) == ["delete the bridge cbr0"]
