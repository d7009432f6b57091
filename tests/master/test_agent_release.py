"""Releases of the agent: from a .deb file to the library, and from a cluster file to a body."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from saltern_master.cluster.faults import ClusterFileError
from saltern_master.cluster.load import load
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import compile_cluster
from saltern_master.compile.facts import Facts
from saltern_master.library import Library, Release
from saltern_master.library.values import Index, with_all
from saltern_master.releases import ReleaseError, read_release
from saltern_master.signing.policy_file import default_policy, read_policy
from saltern_states.agent import Agent
from saltern_states.body import Body, DriftPolicy
from typer.testing import CliRunner

from tests.master.clusters import KUBELET, SMALL, STOCK
from tests.upgrade.debs import build


def release(version: str, python: str, sha256: str, architecture: str = "amd64") -> Release:
    return Release(
        version=version,
        package=f"{version}-1~deb{12 if python == '3.11' else 13}",
        python=python,
        architecture=architecture,
        sha256=sha256 * 32,
        size=9_000_000,
    )


RELEASES = (
    release("0.1.0", "3.11", "11"),
    release("0.2.0", "3.11", "21"),
    release("0.2.0", "3.11", "2a", "arm64"),
    release("0.2.0", "3.13", "23"),
)
TOLD = Facts(python="3.11.2")
NAMED = f"{SMALL}agent: {{version: 0.2.0}}\n"


def body_of(text: str, facts: Facts = TOLD, releases: tuple[Release, ...] = RELEASES) -> Body:
    arm = replace(KUBELET, architecture="arm64")
    stock = replace(STOCK, releases=releases, binaries=(*STOCK.binaries, arm))
    file = load(text.encode())
    found = compile_cluster(file, {"w1": facts}, Allocation(), stock)
    return next(one.body for one in found.nodes if one.node.name == "w1")


def agents(body: Body) -> list[Agent]:
    return [one.spec for one in body.resources if isinstance(one.spec, Agent)]


@pytest.mark.parametrize(
    ("facts", "package", "sha256"),
    [
        pytest.param(TOLD, "0.2.0-1~deb12", "21", id="Debian 12"),
        pytest.param(Facts(python="3.13.5"), "0.2.0-1~deb13", "23", id="Debian 13"),
        pytest.param(
            Facts(python="3.11.9", architecture="aarch64"), "0.2.0-1~deb12", "2a", id="arm64"
        ),
    ],
)
def test_a_node_is_given_the_package_that_is_for_it(
    facts: Facts, package: str, sha256: str
) -> None:
    assert agents(body_of(NAMED, facts)) == [Agent(version=package, deb=sha256 * 32)]


def test_it_stands_last_waits_for_nothing_and_is_not_repaired_without_end() -> None:
    last = body_of(NAMED).resources[-1]

    assert last.id == "agent/release"
    assert last.after == ()
    assert last.on_removal == "keep"
    assert last.drift == DriftPolicy(mode="enforce", times=2, minutes=60)


def test_nobody_who_names_none_is_given_one() -> None:
    assert agents(body_of(SMALL)) == []


def test_a_group_says_it_for_its_nodes_and_what_was_tried_can_be_asked_for_again() -> None:
    text = (
        f"{SMALL}agent: {{version: 0.1.0}}\n"
        "groups:\n- {match: name=w1, agent: {version: 0.2.0, attempt: 3, drift: {mode: report}}}\n"
    )
    last = body_of(text).resources[-1]

    assert last.spec == Agent(version="0.2.0-1~deb12", deb="21" * 32, attempt=3)
    assert last.drift == DriftPolicy(mode="report")


@pytest.mark.parametrize(
    ("text", "facts", "told"),
    [
        pytest.param(
            f"{SMALL}agent: {{version: 0.3.0}}\n",
            TOLD,
            "there is no agent 0.3.0 for Python 3.11 on amd64 in the library "
            "(it has: 0.1.0, 0.2.0); run: saltern releases add FILE.deb (node w1)",
            id="not in the library",
        ),
        pytest.param(
            f"{SMALL}agent: {{version: 0.1.0}}\n",
            Facts(python="3.13.5"),
            "there is no agent 0.1.0 for Python 3.13",
            id="not for its Python",
        ),
        pytest.param(
            NAMED,
            Facts(),
            "this node has not told its Python yet, and agent 0.2.0 is there for 3.11, 3.13",
            id="a node that has not joined",
        ),
        pytest.param(
            f"{SMALL}agent: {{version: latest}}\n", TOLD, "is not a release's version", id="a word"
        ),
    ],
)
def test_what_cannot_be_given_is_told_with_its_place(text: str, facts: Facts, told: str) -> None:
    with pytest.raises(ClusterFileError) as caught:
        body_of(text, facts)

    assert told in "\n".join(map(str, caught.value.faults))


def test_an_older_library_is_read_and_one_with_releases_is_joined_whole() -> None:
    older = msgspec.json.decode(b'{"format": "saltern-library/1"}', type=Index)

    assert older.releases == ()
    assert with_all(older, Index(releases=RELEASES)).releases == tuple(
        sorted(RELEASES, key=lambda one: (one.version, one.python, one.architecture))
    )


def test_a_package_says_what_it_is(tmp_path: Path) -> None:
    file = build(tmp_path, "0.2.0-1~deb12", fields="Depends: iproute2, python3.11 (>= 3.11.2)\n")
    found = read_release(file)

    assert (found.version, found.package, found.python) == ("0.2.0", "0.2.0-1~deb12", "3.11")
    assert found.size == file.stat().st_size


@pytest.mark.parametrize(
    ("version", "fields", "told"),
    [
        ("0.2.0-1", "", "names none"),
        ("0.2.0-1", "Depends: python3.11 | python3.13\n", "names 3.11, 3.13"),
        ("1-1", "Depends: python3.11\n", "build it anew"),
    ],
)
def test_a_package_that_is_for_no_one_python_is_none(
    tmp_path: Path, version: str, fields: str, told: str
) -> None:
    with pytest.raises(ReleaseError, match=told):
        read_release(build(tmp_path, version, fields=fields))


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.deb").write_text("!<arch>")
    with pytest.raises(ReleaseError, match=r"cannot read .* as a .deb file"):
        read_release(tmp_path / "x.deb")


def test_the_command_brings_it_and_says_what_policy_has_to_name(tmp_path: Path) -> None:
    from saltern_master.cli.releases import app

    home = tmp_path / "home"
    file = build(tmp_path, "0.2.0-1~deb12", fields="Depends: python3.11\n")
    done = CliRunner().invoke(app, ["add", str(file), "--home", str(home)])

    assert done.exit_code == 0, done.output
    (found,) = Library(home).list().releases
    assert Library(home).has(found.sha256)
    assert f"  - {found.sha256}  # 0.2.0-1~deb12" in done.output
    listed = CliRunner().invoke(app, ["list", "--home", str(home)])
    assert "0.2.0-1~deb12" in listed.output


def test_policy_allows_no_release_until_a_person_names_one() -> None:
    assert all(one.releases == () for one in read_policy(default_policy().encode()).values())
    text = default_policy().replace("  releases: []", f"  releases: ['{'ab' * 32}']")

    assert {one.releases for one in read_policy(text.encode()).values()} == {("ab" * 32,)}
