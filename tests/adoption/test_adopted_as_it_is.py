"""What an adoption declares is what the node has: its plan is empty, whatever hands have made."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import replace
from saltern_master.adopt.describe import ROOM, describe, without
from saltern_master.cluster.load import load
from saltern_master.signing.policy_file import NODE
from saltern_protocol.policy import Allow
from saltern_protocol.reading import (
    AnyFact,
    LinkFact,
    PackageFact,
    PathFact,
    RouteFact,
    RuleFact,
    SwapFact,
    SysctlFact,
    UnitFact,
    Unread,
)
from saltern_states.body import Resource, make_body, write_body
from saltern_states.ports import Link
from saltern_states.testing import FakeHost

from tests.adoption.nodes import (
    ALL,
    NODES,
    PLANTED,
    changes,
    facts_of,
    guides_node,
    machine,
    resources_in,
    survey_of,
    written,
)

GOLDEN = Path(__file__).parent.parent / "golden" / "adoption"


@pytest.mark.parametrize("name", NODES)
def test_its_plan_is_empty(name: str) -> None:
    host = NODES[name]()

    part = describe(survey_of(host), "")

    assert changes(host, resources_in(written(part))) == []


@pytest.mark.parametrize("name", NODES)
def test_what_is_written_is_what_was_meant(name: str) -> None:
    part = describe(survey_of(NODES[name]()), "")

    assert resources_in(written(part)) == tuple(one.resource for one in part.held)


@pytest.mark.parametrize("name", NODES)
def test_a_recorded_reading_and_its_part_are_as_the_golden_files_have_them(name: str) -> None:
    """SALTERN_GOLDEN=write makes them anew: read the difference before you commit it."""
    view = survey_of(NODES[name]())
    reading = json.format(json.encode(view.facts)).decode() + "\n"
    text = written(describe(view, ""))
    files = {GOLDEN / f"{name}.reading.json": reading, GOLDEN / f"{name}.yaml": text}
    if os.environ.get("SALTERN_GOLDEN") == "write":
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    assert {path: path.read_text() for path in files} == files


def test_what_a_real_node_said_becomes_what_the_golden_file_has() -> None:
    """Recorded by tests/packages/test_adopted.py, on a node with real docker and kubelet."""
    facts = json.decode((GOLDEN / "lab.reading.json").read_bytes(), type=tuple[AnyFact, ...])
    view = replace(survey_of(machine(), NODE), facts=facts)

    text = written(describe(view, ""))

    path = GOLDEN / "lab.yaml"
    if os.environ.get("SALTERN_GOLDEN") == "write":
        path.write_text(text)
    assert path.read_text() == text
    assert resources_in(text) == tuple(one.resource for one in describe(view, "").held)


@pytest.mark.parametrize("name", NODES)
def test_a_recorded_reading_is_read_by_the_wire_as_it_was(name: str) -> None:
    recorded = (GOLDEN / f"{name}.reading.json").read_bytes()

    assert json.decode(recorded, type=tuple[AnyFact, ...]) == facts_of(NODES[name]())


@pytest.mark.parametrize("name", NODES)
def test_no_secret_leaves_the_node(name: str) -> None:
    host = NODES[name]()
    view = survey_of(host)
    part = describe(view, "")
    told = json.encode(view.facts).decode() + written(part)

    assert [word for word in PLANTED if word in told] == []


def test_every_file_that_was_found_is_held_or_told_with_its_reason() -> None:
    for make in NODES.values():
        host = make()
        view = survey_of(host)
        part = describe(view, "")
        told = " ".join([*(one.resource.id for one in part.held), *(o.what for o in part.left)])
        for fact in view.facts:
            if isinstance(fact, PathFact) and fact.type != "directory":
                assert fact.path in told, fact.path


def test_what_the_policy_forbids_is_left_and_the_hint_says_what_to_add() -> None:
    host = guides_node()

    part = describe(survey_of(host, NODE), "")

    ids = {one.resource.id for one in part.held}
    assert "adopted/etc/docker/daemon.json" in ids
    assert "adopted/etc/sysctl.d/99-kubernetes.conf" not in ids
    left = {one.what: one.why for one in part.left}
    assert "does not allow" in left["path /etc/sysctl.d/99-kubernetes.conf"]
    hints = "\n".join(part.hints)
    assert "paths: /etc/modules-load.d/kubernetes.conf, /etc/sysctl.d/99-kubernetes.conf" in hints
    assert changes(host, resources_in(written(part))) == []


def test_that_a_node_has_a_document_already_is_told() -> None:
    view = survey_of(guides_node())

    assert not any("a document already" in one for one in describe(view, "").hints)
    hints = describe(replace(view, version=4), "").hints
    assert any("has a document already (version 4)" in one for one in hints)


def test_what_a_plan_would_change_all_the_same_is_left_out_with_that_reason() -> None:
    part = describe(survey_of(guides_node()), "")

    after = without(part, {"adopted/etc/docker/daemon.json": "it would be changed: write it"})

    ids = {one.resource.id for one in after.held}
    assert "adopted/etc/docker/daemon.json" not in ids
    assert after.left[-1].why == "it would be changed: write it"
    docker = next(one for one in after.held if one.resource.id == "adopted/docker.service")
    assert "adopted/etc/docker/daemon.json" not in docker.resource.after
    resources_in(written(after))  # it is a good file yet


def test_a_body_has_room_for_all_that_is_held() -> None:
    host = guides_node()
    for number in range(40):
        path = f"/etc/kubernetes/manifests/pod{number}.yaml"
        host.files.put_file(path, b"#" * (8000 + number))

    part = describe(survey_of(host), "")

    body = make_body(
        tuple(
            Resource(id=one.resource.id, spec=one.resource.spec, after=one.resource.after)
            for one in part.held
        )
    )
    assert len(write_body(body)) <= ROOM
    too_much = [one.what for one in part.left if "more than is left" in one.why]
    assert too_much
    assert changes(host, resources_in(written(part))) == []


def _swapping(host: FakeHost) -> None:
    host.swaps.areas = {"/swap.img"}


def _two_addresses(host: FakeHost) -> None:
    host.links.table["cbr0"] = Link(
        "cbr0", "bridge", True, 1500, False, ("10.10.5.1/24", "10.10.6.1/24")
    )


def _other_value(host: FakeHost) -> None:
    host.sysctls.values["vm.max_map_count"] = "65530"


def _not_running(host: FakeHost) -> None:
    host.units.crash("kubelet.service")


def _edited_unit(host: FakeHost) -> None:
    host.files.put_file("/etc/systemd/system/kubelet.service", b"[Service]\nExecStart=/bin/x\n")


def _symlink(host: FakeHost) -> None:
    host.files.put_symlink("/etc/docker/daemon.json")


def _binary_file(host: FakeHost) -> None:
    host.files.put_file("/etc/docker/odd.json", b"\xff\xfe\0")


@pytest.mark.parametrize(
    ("break_it", "what"),
    [
        (_swapping, "swap: /swap.img"),
        (_two_addresses, "link cbr0"),
        (_other_value, "kernel parameter vm.max_map_count"),
        (_not_running, "kubelet.service"),
        (_edited_unit, "kubelet.service"),
        (_symlink, "/etc/docker/daemon.json"),
        (_binary_file, "/etc/docker/odd.json"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_what_cannot_be_held_without_a_change_is_left_as_it_is(
    break_it: Callable[[FakeHost], None], what: str
) -> None:
    host = guides_node()
    break_it(host)

    part = describe(survey_of(host), "")

    assert what in [one.what for one in part.left]
    assert changes(host, resources_in(written(part))) == []


TEXTS = st.text(
    alphabet=st.characters(codec="utf-8") | st.sampled_from("\n\t\r:#-{}[]'\"|> "),
    max_size=200,
)
ACCESS = st.sampled_from((0o644, 0o600, 0o640, 0o755, 0o4755, 0o000))


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(TEXTS, TEXTS, ACCESS, st.sampled_from(("root", "4711")))
def test_no_text_on_a_node_is_anything_but_text(
    first: str, second: str, mode: int, owner: str
) -> None:
    host = machine()
    host.files.put_file("/etc/docker/daemon.json", first.encode(), mode, owner)
    host.files.put_file("/etc/kubernetes/manifests/a.yaml", second.encode(), mode)
    host.files.put_file("/etc/systemd/system/kubelet.service", second.encode())
    host.files.put_file("/var/lib/kubelet/config.yaml", first.encode())

    part = describe(survey_of(host), "")
    text = written(part)

    assert resources_in(text) == tuple(one.resource for one in part.held)
    assert changes(host, resources_in(text)) == []
    assert all(line.isprintable() for line in text.split("\n"))


ODD = st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from("\n\x1b/.:#-"), max_size=40)
LIES = st.one_of(
    st.builds(
        PathFact,
        path=ODD | st.sampled_from(("/etc/docker/daemon.json", "/etc/kubernetes/manifests")),
        type=st.sampled_from(("file", "directory", "symlink", "other")),
        mode=st.integers(0, 0o7777),
        owner=ODD,
        group=ODD,
        sha256=st.just("ab" * 32),
        text=ODD | st.none(),
        why=ODD,
        names=st.lists(ODD, max_size=3).map(tuple),
        more=st.integers(0, 3),
    ),
    st.builds(
        UnitFact,
        unit=ODD | st.sampled_from(("docker.service", "kubelet.service")),
        load=ODD | st.just("loaded"),
        active=ODD | st.just("active"),
        enabled=ODD | st.just("enabled"),
        program=ODD,
    ),
    st.builds(
        LinkFact,
        name=ODD | st.just("cbr0"),
        kind=ODD | st.just("bridge"),
        up=st.booleans(),
        mtu=st.integers(0, 2**40),
        promiscuous=st.booleans(),
        addresses=st.lists(
            ODD | st.sampled_from(("10.0.0.1/32", "10.0.0.1/24", "0.0.0.0/0")), max_size=2
        ).map(tuple),
        loose=st.lists(ODD, max_size=2).map(tuple),
    ),
    st.builds(SysctlFact, key=ODD | st.just("net.ipv4.ip_forward"), value=ODD | st.just("1")),
    st.builds(PackageFact, name=ODD, version=ODD),
    st.builds(
        RouteFact,
        destination=ODD,
        via=ODD,
        device=ODD,
        metric=st.just(0),
        protocol=st.integers(0, 255),
        type=ODD,
    ),
    st.builds(RuleFact, backend=ODD, table=ODD, chain=ODD, rule=ODD),
    st.builds(SwapFact, active=st.lists(ODD, max_size=2).map(tuple), returns=st.booleans()),
    st.builds(Unread, what=ODD, why=ODD),
)


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(LIES, max_size=8), st.sampled_from((ALL, NODE)))
def test_whatever_a_hostile_node_says_is_data(lies: list[AnyFact], allow: Allow) -> None:
    view = replace(survey_of(machine(), allow), facts=tuple(lies))

    part = describe(view, "10.9.0.21")
    text = written(part)

    (node,) = load(text.encode()).cluster.nodes
    assert (node.name, node.address, node.is_bare) == ("w1", "10.9.0.21", True)
    assert resources_in(text) == tuple(one.resource for one in part.held)
    assert all(line.isprintable() for line in text.split("\n"))
    make_body(
        tuple(
            Resource(id=one.resource.id, spec=one.resource.spec, after=one.resource.after)
            for one in part.held
        )
    )


NAMES = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1).filter(
    lambda name: name not in (".", "..")
)


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(NAMES, max_size=4, unique=True))
def test_no_name_on_a_node_is_anything_but_a_name(names: list[str]) -> None:
    host = machine()
    host.files.put_directory("/etc/kubernetes/manifests", 0o700)
    for name in names:
        host.files.put_file(f"/etc/kubernetes/manifests/{name}", b"kind: Pod\n")
        host.files.put_file(f"/etc/kubernetes/pki/{name}", b"x")

    part = describe(survey_of(host), "")
    text = written(part)

    assert resources_in(text) == tuple(one.resource for one in part.held)
    assert changes(host, resources_in(text)) == []
    assert all(line.isprintable() for line in text.split("\n"))
