"""saltern drift hold, release, holds: golden tables, and the commands against a master."""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_master.api.holds import HoldsView, HoldView, WindowView
from saltern_master.api.service import ClusterView, HeldView
from saltern_master.cli import app
from saltern_master.cli.hold_tables import before_lines, holds_lines, made_lines, released_lines
from saltern_master.cli.listing import Output
from saltern_master.cli.tables import cluster_lines, node_page
from typer.testing import CliRunner
from typer.testing import Result as Ran

from tests.master.api_stand import Clock, Master
from tests.master.clusters import SMALL
from tests.master.test_cli_tables import CLUSTER, CP1, W1, W2

GOLDEN = Path(__file__).parents[1] / "golden/cli"
NOW = 1_800_000_000.0
ZONE = timezone(timedelta(hours=1))
HERE = HoldView(
    node="w1",
    since=NOW,
    until=NOW + 3600,
    why="a new disk",
    by="ann",
    connected=True,
    in_force=True,
    before_until=NOW + 60,
    before_by="bob",
)
AWAY = HoldView(node="w2", since=NOW, until=NOW + 90, why="\x1b[2Jmoved", by="ann")
SLOW = replace(AWAY, node="w3", connected=True)
OPEN = WindowView(
    name="nightly",
    why="patches",
    zone="UTC",
    begins=NOW - 60,
    ends=NOW + 7200,
    open=True,
    nodes=("w1", "w2"),
    in_force=("w1",),
)
NEXT = replace(
    OPEN,
    name="weekly",
    begins=NOW + 86400,
    ends=NOW + 90000,
    open=False,
    nodes=tuple(f"n{at}" for at in range(7)),
    in_force=(),
)
LATER = replace(NEXT, name="later", begins=NOW + 172800, ends=NOW + 180000)
ALL = HoldsView(holds=(HERE, AWAY, SLOW), windows=(OPEN, NEXT, LATER))
BY_ANN = HeldView(until=NOW + 3600, why="a new disk", by="ann", in_force=True)
BY_WINDOW = HeldView(until=NOW + 7200, why="patches", by="window nightly", in_force=False)
HELD = ClusterView(
    cluster="demo",
    revision=7,
    version="1.20.2",
    nodes=(
        replace(CP1, hold=BY_ANN),
        replace(W1, hold=BY_ANN),
        replace(W2, hold=BY_WINDOW),
    ),
)
PAGES: dict[str, list[str]] = {
    "hold": [*made_lines(ALL.holds, NOW, ZONE), *before_lines(ALL.holds, ZONE)],
    "hold-released": released_lines((replace(HERE, in_force=False), AWAY, HERE), NOW, ZONE),
    "holds": holds_lines(ALL, NOW, ZONE, Output.TABLE),
    "holds-wide": holds_lines(ALL, NOW, ZONE, Output.WIDE),
    "status-held": cluster_lines(HELD, NOW, Output.TABLE),
    "node-held": node_page(replace(W1, hold=BY_WINDOW), NOW, ZONE),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_looks_as_it_was_agreed(name: str) -> None:
    assert "\n".join(PAGES[name]) + "\n" == (GOLDEN / f"{name}.txt").read_text()


def test_who_is_not_held_changes_no_page() -> None:
    assert not any("held" in line for line in cluster_lines(CLUSTER, NOW, Output.WIDE))
    assert holds_lines(HoldsView(), NOW, ZONE, Output.TABLE) == []


def run(master: Master, *words: str) -> Ran:
    runner = CliRunner(env={"SALTERN_HOME": str(master.home), "TZ": "UTC", "SUDO_USER": "ann"})
    return runner.invoke(app, ["drift", *words])


FOR = ("--for", "1h", "--why", "a new disk")


def test_a_node_is_held_listed_and_released(two: Master) -> None:
    done = run(two, "hold", "w1", *FOR)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("w1: held until 20")
    assert done.stdout.endswith("; in force now\n")
    listed = run(two, "holds")
    assert listed.stdout.splitlines()[0].split() == ["node", "until", "by", "in", "force", "why"]
    assert listed.stdout.splitlines()[1].split()[-4:] == ["yes", "a", "new", "disk"]

    gone = run(two, "release", "w1")
    assert (gone.exit_code, gone.stdout) == (0, "w1: released; it was told\n")
    empty = run(two, "holds")
    assert (empty.exit_code, empty.stdout) == (0, "")
    assert empty.stderr == "nobody is held, and there is no maintenance window\n"


def test_a_target_is_held_for_programs_too(two: Master) -> None:
    done = run(two, "hold", "--target", "name=w*", *FOR, "--output", "json")
    assert [(one["node"], one["by"], one["inForce"]) for one in json.loads(done.stdout)] == [
        ("w1", "ann", True),
        ("w2", "ann", True),
    ]
    again = run(two, "hold", "w2", "--for", "7d", "--why", "longer")
    assert again.stderr.startswith("w2: in place of ann's, until 20")
    found = json.loads(run(two, "holds", "--output", "json").stdout)
    assert [one["why"] for one in found["holds"]] == ["a new disk", "longer"]
    assert json.loads(run(two, "release", "--all", "--output", "json").stdout)[1]["why"] == "longer"
    assert run(two, "release", "--all").stderr == "no person holds any of them\n"


def test_a_hold_ends_by_the_clock(two: Master) -> None:
    run(two, "hold", "w1", *FOR)
    clock = two.fake.now
    assert isinstance(clock, Clock)
    clock.now += 3601
    assert run(two, "holds").stdout == ""


def test_windows_of_the_applied_file_are_listed(two: Master) -> None:
    text = 'maintenance: [{name: nightly, from: "02:00", to: "04:00", nodes: w1, why: patches}]\n'
    two.do(two.fake.apply((SMALL + text).encode()))
    found = json.loads(run(two, "holds", "--output", "json").stdout)
    assert [(one["name"], one["nodes"], one["zone"]) for one in found["windows"]] == [
        ("nightly", ["w1"], "UTC")
    ]
    assert run(two, "holds").stdout.splitlines()[1].startswith("nightly  ")


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (
            ("hold",),
            2,
            "saltern: cannot hold anybody: 3 faults\n"
            "  cannot tell whom to hold: nobody is named; name nodes, or give --target\n"
            "  --for is missing: how long, such as 90s, 15m, 2h or 3d\n"
            "  --why is missing: what you do there, in a line\n",
        ),
        (
            ("hold", "w1", "--target", "w2", "--for", "8d", "--why", "a\nb"),
            2,
            "saltern: cannot hold anybody: 3 faults\n"
            "  cannot tell whom to hold: named in two ways; name nodes, or give --target\n"
            "  --for 8d is too long: 7 days at most\n"
            "  --why is one line of 200 characters at most\n",
        ),
        (
            ("hold", "w1", "--for", "soon", "--why", "x"),
            2,
            "saltern: cannot hold anybody: 1 fault\n"
            "  cannot read 'soon' as a span of time; write such as 90s, 15m, 12h or 2d\n",
        ),
        (
            ("hold", "w1", "--for", "10", "--why", "x"),
            2,
            "saltern: cannot hold anybody: 1 fault\n"
            "  cannot read '10' as a span of time; write such as 90s, 15m, 12h or 2d\n",
        ),
        (
            ("hold", "w1", "w9", *FOR),
            2,
            "saltern: cannot hold w9: no such node; there are: w1, w2\n",
        ),
        (
            ("release",),
            2,
            "saltern: cannot tell whom to release: nobody is named; name nodes, or give --target, "
            "or --all\n",
        ),
        (
            ("release", "w1"),
            1,
            "saltern: cannot release w1: no person holds it; see: saltern drift holds\n",
        ),
    ],
)
def test_wrong_input(two: Master, words: tuple[str, ...], status: int, told: str) -> None:
    done = run(two, *words)
    assert (done.exit_code, done.stdout, done.stderr) == (status, "", told)
    assert run(two, "holds").stdout == ""
