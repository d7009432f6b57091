"""A body is good as a whole or refused as a whole, with all of its faults."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_protocol.errors import MalformedError
from saltern_protocol.wire import pack
from saltern_states.body import Body, BodyError, Resource, make_body, read_body, write_body
from saltern_states.file import File
from saltern_states.kinds import KINDS, AnyKind

FILE = {"kind": "file/1", "path": "/etc/a", "text": "a"}


def body_of(*resources: dict[str, Any]) -> bytes:
    return pack({"type": "body/1", "resources": list(resources)})


def faults_of(data: bytes) -> tuple[str, ...]:
    with pytest.raises(BodyError) as raised:
        read_body(data)
    return raised.value.faults


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kinds_example_goes_there_and_back(kind: AnyKind) -> None:
    body = Body((Resource(id="one", spec=kind.example, part_of="test"),))

    assert read_body(write_body(body)) == body


@pytest.mark.parametrize(
    ("resources", "fault"),
    [
        pytest.param(
            [{"id": "a", "spec": FILE | {"path": "/etc/../a"}}],
            "$.resources[0].spec.path: Expected `str` matching regex",
            id="a path with ..",
        ),
        pytest.param(
            [{"id": "a", "spec": {"kind": "fiel/1"}}],
            "$.resources[0].spec.kind: there is no kind 'fiel/1' here; there are file/1",
            id="unknown kind",
        ),
        pytest.param(
            [{"id": "a", "spec": FILE | {"paht": "/"}}],
            "$.resources[0].spec: Object contains unknown field `paht`",
            id="unknown field",
        ),
        pytest.param(
            [{"id": "a", "spec": FILE}, {"id": "a", "spec": FILE | {"path": "/etc/b"}}],
            "$.resources[1].id: 'a' is the id of resources[0] too",
            id="an id twice",
        ),
        pytest.param(
            [{"id": "a", "spec": FILE}, {"id": "b", "spec": FILE}],
            "$.resources[1]: 'a' claims path /etc/a too; one thing has one resource",
            id="two resources for one file",
        ),
        pytest.param(
            [{"id": "a", "spec": FILE, "after": ["b"]}],
            "$.resources[0].after: there is no resource 'b'",
            id="after what is not there",
        ),
        pytest.param(
            [
                {"id": "a", "spec": FILE, "after": ["b"]},
                {"id": "b", "spec": FILE | {"path": "/etc/b"}, "after": ["a"]},
            ],
            "$.resources: these wait for one another: a after b after a",
            id="a cycle",
        ),
        pytest.param(
            [{"id": "../a", "spec": FILE}], "$.resources[0].id: Expected `str`", id="a bad id"
        ),
        pytest.param(["nonsense"], "$.resources[0]: Expected `object`, got `str`", id="no map"),
    ],
)
def test_a_fault_is_told_with_its_path(resources: list[dict[str, Any]], fault: str) -> None:
    (found,) = faults_of(body_of(*resources))

    assert found.startswith(fault)


def test_all_faults_are_told_at_once() -> None:
    faults = faults_of(
        body_of(
            {"id": "a", "spec": FILE | {"mode": "rw"}},
            {"id": "b", "spec": {"kind": "none/1"}},
            {"id": "c", "spec": FILE | {"path": "relative"}},
        )
    )

    assert [fault.split(":")[0] for fault in faults] == [
        "$.resources[0].spec.mode",
        "$.resources[1].spec.kind",
        "$.resources[2].spec.path",
    ]


def test_a_key_twice_is_refused_whole() -> None:
    once = body_of({"id": "a", "spec": FILE})
    twice = once.replace(b"\xa2id\xa1a", b"\xa2id\xa1a\xa2id\xa1a").replace(
        b"\x82\xa2id", b"\x83\xa2id"
    )

    assert once != twice
    with pytest.raises(MalformedError):
        read_body(twice)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_body_or_an_error_of_ours(data: bytes) -> None:
    with suppress(MalformedError, BodyError):
        assert isinstance(read_body(data), Body)


@given(st.lists(st.integers(0, 30), unique=True, max_size=8))
def test_equal_bodies_have_equal_bytes(numbers: list[int]) -> None:
    resources = tuple(
        Resource(id=f"file-{number}", spec=File(path=f"/etc/{number}", text="x"))
        for number in numbers
    )
    body = make_body(resources)

    assert write_body(body) == write_body(read_body(write_body(body)))
    assert read_body(write_body(body)) == body


def test_a_resource_can_be_told_as_json() -> None:
    (kind, *_) = KINDS
    told = msgspec.json.decode(msgspec.json.encode(Resource(id="one", spec=kind.example)))

    assert told["spec"]["kind"] == kind.name
