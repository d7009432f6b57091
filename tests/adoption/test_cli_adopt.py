"""saltern adopt, against a master in memory: what it prints, writes, refuses and begins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from saltern_master.api.plans import PlanLineView
from saltern_master.cluster.load import load
from saltern_protocol.reading import AnyFact, Unread

from tests.adoption.nodes import ALL, facts_of, guides_node, machine
from tests.master.api_stand import Master, join
from tests.master.api_stand import master as running
from tests.master.clusters import SMALL
from tests.master.test_cli_master import run, written

MOVED = PlanLineView(
    resource="adopted/etc/docker/daemon.json",
    verb="hold",
    finding="to change",
    change="write /etc/docker/daemon.json\x1b[2J",
    impact="none",
)


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Master]:
    """With a node that hands made, of which every plan is empty."""
    with running(tmp_path) as here:
        join(here, "n1")
        says(here, facts_of(guides_node()))
        here.do(here.fake.foresee("n1"))
        yield here


def says(here: Master, facts: tuple[AnyFact, ...]) -> None:
    here.fake.survey_is("n1", facts, ALL)


def adopt(here: Master, out: Path, *words: str) -> tuple[int, str]:
    done = run(here, "adopt", "n1", "--kubernetes", "1.20.2", "--write", str(out), *words)
    return done.exit_code, done.output


def test_a_new_file_is_written_and_the_next_step_is_named(one: Master, tmp_path: Path) -> None:
    out = tmp_path / "new.yaml"

    status, told = adopt(one, out)

    assert status == 0
    assert "plan: 0 changes" in told
    assert f"to take it over: saltern adopt n1 --take --file {out}" in told
    cluster = load(out.read_bytes()).cluster
    assert (cluster.cluster.name, cluster.network.pods) == ("demo", "10.10.0.0/16")
    assert [node.name for node in cluster.nodes] == ["n1"]


def test_the_file_that_is_given_grows_by_the_node(one: Master, tmp_path: Path) -> None:
    out = tmp_path / "more.yaml"

    status, _ = adopt(one, out, "--file", written(tmp_path, SMALL))

    assert status == 0
    assert [node.name for node in load(out.read_bytes()).cluster.nodes] == ["w1", "n1"]


def test_where_a_file_was_applied_it_has_to_be_given(one: Master, tmp_path: Path) -> None:
    run(one, "apply", written(tmp_path, SMALL), "--no-wait")

    status, told = adopt(one, tmp_path / "new.yaml")

    assert status == 2
    assert "give its file" in told
    assert not (tmp_path / "new.yaml").exists()


def test_no_file_is_overwritten(one: Master, tmp_path: Path) -> None:
    out = tmp_path / "mine.yaml"
    out.write_text("mine\n")

    status, told = adopt(one, out)

    assert status == 2
    assert "is not overwritten" in told
    assert out.read_text() == "mine\n"


def test_what_would_be_changed_is_left_out_and_where_that_does_not_help_it_is_told(
    one: Master, tmp_path: Path
) -> None:
    one.do(one.fake.foresee("n1", MOVED))
    out = tmp_path / "new.yaml"

    status, told = adopt(one, out)

    assert status == 1
    assert "plan: 1 change\n" in told
    assert "--take" not in told
    assert "narrow their match" in told
    assert "it would be changed: write /etc/docker/daemon.json\\x1b[2J" in told
    assert "\x1b" not in told + out.read_text()
    ids = [each.id for each in load(out.read_bytes()).cluster.groups[-1].resources]
    assert MOVED.resource not in ids


def test_a_node_that_tells_no_address_or_version_wants_them_said(
    one: Master, tmp_path: Path
) -> None:
    says(one, (Unread(what="links", why="no netlink"),))

    status, told = adopt(one, tmp_path / "new.yaml")
    assert (status, "give --address" in told) == (2, True)

    says(one, facts_of(machine()))
    done = run(one, "adopt", "n1", "--write", str(tmp_path / "new.yaml"))
    assert (done.exit_code, "give --kubernetes" in done.output) == (2, True)


def test_it_is_taken_over_where_its_plan_is_empty(one: Master, tmp_path: Path) -> None:
    out = tmp_path / "new.yaml"
    adopt(one, out)

    done = run(one, "adopt", "n1", "--take", "--file", str(out), "--timeout", "1s")

    assert done.exit_code == 3, "the node of the fake says nothing of it"
    assert "revision 1: 1 waiting" in done.output


def test_it_is_not_taken_over_where_something_would_change(one: Master, tmp_path: Path) -> None:
    out = tmp_path / "new.yaml"
    adopt(one, out)
    one.do(one.fake.foresee("n1", MOVED))

    done = run(one, "adopt", "n1", "--take", "--file", str(out))

    assert done.exit_code == 1
    assert "! adopted/etc/docker/daemon.json: write /etc/docker/daemon.json\\x1b[2J" in done.output
    assert "longer as it was read" in done.output


def test_to_take_it_over_the_file_has_to_be_named_and_name_the_node(
    one: Master, tmp_path: Path
) -> None:
    done = run(one, "adopt", "n1", "--take")
    assert (done.exit_code, "give --file" in done.output) == (2, True)

    done = run(one, "adopt", "n1", "--take", "--file", written(tmp_path, SMALL))
    assert done.exit_code != 0


def test_an_address_of_ones_own_counts(one: Master, tmp_path: Path) -> None:
    out = tmp_path / "new.yaml"

    adopt(one, out, "--address", "10.9.0.77")

    assert load(out.read_bytes()).cluster.nodes[0].address == "10.9.0.77"


def test_a_hostile_name_of_a_file_moves_no_terminal(one: Master, tmp_path: Path) -> None:
    facts = facts_of(guides_node())
    evil = Unread(what="x\x1b]0;pwned\x07\nnodes: []", why="\x9b31m")
    says(one, (*facts, evil))
    out = tmp_path / "new.yaml"

    status, told = adopt(one, out)

    assert status == 0
    assert all(letter.isprintable() or letter == "\n" for letter in told + out.read_text())
    assert len(load(out.read_bytes()).cluster.nodes) == 1


def test_a_node_that_is_not_there_is_told_as_that(one: Master, tmp_path: Path) -> None:
    done = run(one, "adopt", "nobody", "--write", str(tmp_path / "x.yaml"))

    assert done.exit_code == 1
    assert "cannot find the node nobody" in done.output
