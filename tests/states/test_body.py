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
from saltern_states.body import (
    Body,
    BodyError,
    Resource,
    make_body,
    read_body,
    read_resource,
    write_body,
)
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


CHAIN = {
    "kind": "chain/1",
    "table": "nat",
    "name": "SALTERN-A",
    "rules": ["-j RETURN"],
    "jump": {"chain": "POSTROUTING", "place": "last"},
}
MODULE = {"kind": "kernel-module/1", "name": "br_netfilter"}
SYSCTL = {"kind": "sysctl/1", "key": "net.ipv4.ip_forward", "value": "1"}
SYSCTL_FILE = "/etc/sysctl.d/90-saltern-net.ipv4.ip_forward.conf"
MODULE_FILE = "/etc/modules-load.d/saltern-br_netfilter.conf"
UNIT = {"kind": "unit/1", "unit": "docker.service"}
UNIT_FILE = "/etc/systemd/system/docker.service.d/50-saltern-started.conf"
RECORD = "/run/saltern/started/docker.service"
TAR = {"kind": "artifact/1", "path": "/etc/a", "sha256": "ab" * 32, "unpack": "tar"}
ONLY = {"kind": "directory/1", "path": "/etc/a", "only": ["named"]}


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        pytest.param(UNIT, FILE | {"path": UNIT_FILE}, f"path {UNIT_FILE}", id="unit's drop-in"),
        pytest.param(UNIT, FILE | {"path": RECORD}, f"path {RECORD}", id="unit's record"),
        pytest.param(SYSCTL, FILE | {"path": SYSCTL_FILE}, f"path {SYSCTL_FILE}", id="sysctl's"),
        pytest.param(
            SYSCTL | {"persist": False},
            FILE | {"path": SYSCTL_FILE},
            f"path {SYSCTL_FILE}",
            id="the drop-in that a sysctl removes",
        ),
        pytest.param(MODULE, FILE | {"path": MODULE_FILE}, f"path {MODULE_FILE}", id="module's"),
        pytest.param(
            {"kind": "swap/1"}, FILE | {"path": "/etc/fstab"}, "path /etc/fstab", id="swap's"
        ),
        pytest.param(
            MODULE, MODULE | {"name": "br-netfilter"}, "module br_netfilter", id="two spellings"
        ),
        pytest.param(
            CHAIN,
            CHAIN | {"name": "SALTERN-B"},
            "the last place in nat/POSTROUTING (nft)",
            id="two chains that are called last",
        ),
        pytest.param(CHAIN, CHAIN, "chain nat/SALTERN-A (nft)", id="one chain twice"),
        pytest.param(TAR, FILE, "path /etc/a", id="a tree and a file"),
        pytest.param(TAR, ONLY, "path /etc/a", id="a tree and a directory"),
        pytest.param(ONLY, FILE, "path /etc/a", id="a directory and a file"),
    ],
)
def test_two_resources_that_would_fight_are_refused(
    one: dict[str, Any], other: dict[str, Any], what: str
) -> None:
    for first, second in ((one, other), (other, one)):
        faults = faults_of(body_of({"id": "a", "spec": first}, {"id": "b", "spec": second}))

        told = f"$.resources[1]: 'a' claims {what} too; one thing has one resource"
        assert faults[0] == told
        assert sum("one thing has one resource" in fault for fault in faults) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (CHAIN, CHAIN | {"name": "SALTERN-B", "backend": "legacy"}),
        (CHAIN, CHAIN | {"name": "SALTERN-B", "jump": {"chain": "POSTROUTING", "place": "first"}}),
        (CHAIN, CHAIN | {"name": "SALTERN-B", "jump": {"chain": "POSTROUTING"}}),
        (CHAIN, CHAIN | {"name": "SALTERN-B", "jump": {"chain": "OUTPUT", "place": "last"}}),
        (CHAIN, CHAIN | {"backend": "legacy"}),
        (UNIT, FILE | {"path": "/etc/systemd/system/docker.service.d/10-a.conf"}),
        (ONLY, FILE | {"path": "/etc/a/named"}),
        (ONLY, FILE | {"path": "/etc/a/.hidden"}),
        (ONLY, FILE | {"path": "/etc/b"}),
    ],
)
def test_two_resources_that_only_stand_near_are_taken(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    body = read_body(body_of({"id": "a", "spec": one}, {"id": "b", "spec": other}))

    assert {resource.id for resource in body.resources} == {"a", "b"}


@pytest.mark.parametrize(
    ("directory", "other", "told"),
    [
        ("/etc/a", FILE | {"path": "/etc/a/other"}, ("/etc/a/other", "other")),
        ("/etc/a", FILE | {"path": "/etc/a/other/deep"}, ("/etc/a/other/deep", "other")),
        ("/etc/sysctl.d", SYSCTL, (SYSCTL_FILE, SYSCTL_FILE.rpartition("/")[2])),
        ("/etc/modules-load.d", MODULE, (MODULE_FILE, MODULE_FILE.rpartition("/")[2])),
        ("/etc", {"kind": "swap/1"}, ("/etc/fstab", "fstab")),
    ],
)
def test_what_a_directory_would_throw_out_is_refused(
    directory: str, other: dict[str, Any], told: tuple[str, str]
) -> None:
    path, name = told
    only = ONLY | {"path": directory}

    assert faults_of(body_of({"id": "a", "spec": other}, {"id": "dir", "spec": only})) == (
        f"$.resources[0]: {path} would be removed: "
        f"'dir' holds {directory} and does not name {name} in `only`",
    )


def test_what_follows_from_a_claim_comes_after_its_directory_too() -> None:
    folder = {"kind": "directory/1", "path": "/etc/systemd/system/docker.service.d"}
    body = read_body(body_of({"id": "a", "spec": UNIT}, {"id": "b", "spec": folder}))

    assert [resource.id for resource in body.resources] == ["b", "a"]


@pytest.mark.parametrize("number", ["0", "7", "4294967294", "3999999999", "999999999"])
def test_an_account_may_be_a_number(number: str) -> None:
    spec = FILE | {"owner": number, "group": number}

    assert len(read_body(body_of({"id": "a", "spec": spec})).resources) == 1


@pytest.mark.parametrize(
    "number", ["4294967295", "4294967296", "5000000000", "9999999999", "-1", "007", "00", "1e3"]
)
def test_a_number_that_no_account_can_have_is_refused(number: str) -> None:
    (fault,) = faults_of(body_of({"id": "a", "spec": FILE | {"owner": number}}))

    assert fault.startswith("$.resources[0].spec.owner: Expected `str` matching regex")


@given(st.integers(0, 2**34))
def test_the_numbers_of_accounts_end_before_the_one_that_chown_takes_for_none(number: int) -> None:
    told = {"id": "a", "spec": FILE | {"owner": str(number)}}

    assert isinstance(read_resource(told, "$"), Resource) == (number < 2**32 - 1)
