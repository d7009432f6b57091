"""saltern notify against a running master: what it says, and how it ends."""

from __future__ import annotations

import json

from saltern_master.api.notices import NotifyView, ReceiverView, TroubleView
from saltern_master.cli import app
from saltern_master.cli.moments import clock
from saltern_master.cli.notify import lines_of
from typer.testing import CliRunner, Result

from tests.master.api_stand import NOW, Master

OPS = ReceiverView(name="ops", by="webhook", to="hooks.example.org", taken=NOW)
NIGHT = ReceiverView(
    name="night",
    by="email",
    to="ann@example.org",
    only=("incident", "away"),
    waiting=2,
    failing=NOW,
    tries=3,
    why="535 wrong\x1b[2J password",
)
TROUBLE = TroubleView(
    event="away",
    word="",
    node="w1",
    subject="",
    since=NOW,
    told=0.0,
    gone=0.0,
    why="not heard",
    remedy="look there",
)


def ran(master: Master, *words: str) -> Result:
    return CliRunner(env={"SALTERN_HOME": str(master.home)}).invoke(app, ["notify", *words])


def test_without_a_receiver_it_is_said_where_to_name_one(master: Master) -> None:
    done = ran(master, "list")

    assert (done.exit_code, done.stdout) == (
        0,
        "nobody is told: notify.yaml names no receiver\n",
    )
    assert ran(master, "test").exit_code == 1
    assert "cannot find a receiver" in ran(master, "test").stderr


def test_who_is_told_and_how_that_goes(master: Master) -> None:
    master.fake.receivers = {"ops": OPS}
    well = ran(master, "list")
    master.fake.receivers["night"] = NIGHT
    master.fake.troubles = (TROUBLE,)
    bad = ran(master, "list")

    assert (well.exit_code, well.stdout.splitlines()[1:]) == (
        0,
        ["nothing to tell; what is wrong for a moment only, too: saltern status"],
    )
    assert well.stdout.startswith("ops (webhook hooks.example.org): took one ")
    assert bad.exit_code == 1
    lines = bad.stdout.splitlines()
    assert lines[1].startswith("night (email ann@example.org, of incident, away): FAILS, first ")
    assert lines[1].endswith(r": 535 wrong\u001b[2J password; 2 wait")
    assert lines[2].startswith("away w1: began ")
    assert lines[2].endswith(", not told yet")
    assert lines[3:] == ["  not heard", "  look there"]


def test_who_tells_nothing_yet_does_not_say_that_there_is_nothing(master: Master) -> None:
    view = NotifyView(settings="", faults="", receivers=(OPS,), troubles=(), settled=NOW + 60.2)

    assert list(lines_of(view, NOW))[1:] == [
        "nothing is told for another 61 s: the master has only just begun to look"
    ]
    master.fake.receivers, master.fake.settled = {"ops": OPS}, clock() + 3600
    assert "nothing is told for another 3" in ran(master, "list").stdout


def test_a_test_says_what_came_back_and_whether_all_took_it(master: Master) -> None:
    master.fake.receivers = {"ops": OPS, "night": NIGHT}
    all_, one = ran(master, "test"), ran(master, "test", "ops")

    assert all_.exit_code == 1
    assert all_.stdout.splitlines() == [
        "ops: taken: 200 OK",
        r"night: NOT TAKEN: 535 wrong\u001b[2J password",
    ]
    assert (one.exit_code, one.stdout) == (0, "ops: taken: 200 OK\n")
    assert ran(master, "test", "day").exit_code == 1


def test_programs_read_the_same(master: Master) -> None:
    master.fake.receivers = {"ops": OPS}

    listed = json.loads(ran(master, "list", "--output", "json").stdout)
    tried = json.loads(ran(master, "test", "--output", "json").stdout)
    assert [one["name"] for one in listed["receivers"]] == ["ops"]
    assert tried == [{"receiver": "ops", "taken": True, "said": "200 OK"}]
