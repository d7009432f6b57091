"""saltern rollout against a master that runs: a real socket, and the machine itself behind it."""

from __future__ import annotations

import json
import os
import pty
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltern_master.api.rollouts import Steering
from saltern_master.cli import app
from saltern_master.cli.login import name_of
from saltern_master.rollouts.model import DrainRefused, Said, Tick
from typer.testing import CliRunner
from typer.testing import Result as Ran

from tests.master.api_stand import Clock, Master
from tests.master.api_stand import master as running
from tests.master.clusters import SMALL
from tests.master.test_cluster_file import SIX_MISTAKES

SALTERN = (sys.executable, "-c", "from saltern_master.cli import main; main()")
THREE = SMALL + "- {name: w2, address: 10.9.0.22}\n- {name: w3, address: 10.9.0.23}\n"
AT_ONCE = ("--soak", "0", "--hold", "0")


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Master]:
    """A master with three nodes that have a revision."""
    with running(tmp_path) as here:
        for name in ("w1", "w2", "w3"):
            made = here.do(here.fake.make_token(name, "worker", 60, False))
            here.do(here.fake.join(made.token, f"key-{name}"))
        here.do(here.fake.apply(THREE.encode()))
        yield here


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "cluster.yaml"
    path.write_text(THREE)
    return str(path)


def run(master: Master, *words: str) -> Ran:
    runner = CliRunner(env={"SALTERN_HOME": str(master.home), "TZ": "UTC", "SUDO_USER": "ann"})
    return runner.invoke(app, ["rollout", *words])


def passes(master: Master, seconds: float) -> None:
    """Let time pass."""
    clock = master.fake.now
    assert isinstance(clock, Clock)
    clock.now += seconds
    master.do(master.fake.happens(Tick()))


def begun(master: Master, file: str, *words: str) -> None:
    """Begin a rollout that nobody follows."""
    assert run(master, "start", "-f", file, "--no-wait", *words).exit_code == 0


def test_all_goes_well_and_each_node_is_told_with_its_wave(three: Master, file: str) -> None:
    three.meanwhile(three.fake.carry(1, {}))
    done = run(three, "start", "-f", file, *AT_ONCE)

    assert (done.exit_code, done.stdout) == (0, "")
    told = [line.split("  ", 1)[1] for line in done.stderr.splitlines()[:-1]]
    assert [one for one in told if one.endswith(", done")] == [
        "w1  wave 1, done",
        "w2  wave 2, done",
        "w3  wave 2, done",
    ]
    assert told[-1] == "rollout 1  done: 3 done"
    last = done.stderr.splitlines()[-1]
    assert last.startswith("rollout 1: done after 0 s; revision 2, from 1, begun by ann: 3 done")


def test_a_canary_that_fails_stops_it_and_says_what_can_be_done(three: Master, file: str) -> None:
    three.meanwhile(three.fake.carry(1, {"w1": "failed"}))
    done = run(three, "start", "-f", file, *AT_ONCE)
    shown = run(three, "status")

    assert (done.exit_code, shown.exit_code) == (1, 1)
    assert done.stdout.splitlines()[1].split() == ["w1", "1", "failed", "for", "a", "test"]
    for command in ("resume 1", "undo 1", "abort 1"):
        assert f"saltern rollout {command}" in done.stderr
        assert f"saltern rollout {command}" in shown.stdout
    assert "stopped: 1 failed, and none may this early: w1" in shown.stdout


def test_a_spent_budget_is_undone_by_itself_and_followed_there(three: Master, file: str) -> None:
    async def levers() -> None:
        await three.fake.carry(1, {"w2": "failed"})
        await three.fake.carry(2, {})

    three.meanwhile(levers())
    done = run(three, "start", "-f", file, "--on-spent", "undo", *AT_ONCE)

    assert done.exit_code == 1
    assert "rollout 2 takes it back" in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("rollout 2: done after 0 s; revision 1, from 2, taking rollout 1 back")


def test_for_programs_every_event_is_a_line(three: Master, file: str) -> None:
    three.meanwhile(three.fake.carry(1, {}))
    done = run(three, "start", "-f", file, "--output", "json", *AT_ONCE)
    events = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.exit_code == 0
    assert {one["event"] for one in events} <= {"node", "rollout"}
    assert [one["event"] for one in (events[0], events[-1])] == ["rollout", "rollout"]
    assert [one["stage"] for one in events[-1]["rollout"]["nodes"]] == ["done"] * 3
    assert events[-1]["rollout"]["strategy"]["maxUnavailable"] == {}


def test_every_fault_is_told_at_once_and_nothing_begins(three: Master, tmp_path: Path) -> None:
    strategy = tmp_path / "careful.yaml"
    strategy.write_text("canary: 1\nsoaks: 60s\nbudget: much\nprobes: [{port: 0}]\n")
    done = run(
        three,
        *("start", "-f", "/no/such/file", "--strategy", str(strategy), "--timeout", "soon"),
        *("--canary", "x", "--soak", "9w", "--waves", "10%,20%", "--max-unavailable", "worker"),
        *("--on-spent", "never", "--probe", "http"),
    )
    head, *faults = done.stderr.splitlines()

    assert done.exit_code == 2
    assert head == "saltern: cannot begin a rollout: 11 faults"
    assert [one.strip().split(": ")[0] for one in faults] == [
        "cannot read /no/such/file",
        "cannot read 'soon' as a span of time; write such as 90s, 15m, 12h or 2d",
        "careful.yaml",
        "careful.yaml",
        "--canary",
        "careful.yaml",
        "--soak",
        "--on-spent",
        "--max-unavailable",
        "--probe",
        "strategy",
    ]
    assert "careful.yaml: soaks: line 2: no such field; did you mean soak?" in done.stderr
    assert run(three, "list", "--output", "json").stdout == "[]\n"


def test_the_masters_faults_are_told_too(three: Master, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(SIX_MISTAKES)
    done = run(three, "start", "-f", str(path))
    target = run(three, "start", "--target", "colour=red,kernel<<6")

    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 7)
    assert (target.exit_code, len(target.stderr.splitlines())) == (2, 3)


def test_a_target_and_a_strategy_are_kept_and_shown(
    three: Master, file: str, tmp_path: Path
) -> None:
    strategy = tmp_path / "careful.yaml"
    strategy.write_text(
        "canary: 0\nwaves: [100%]\nmaxUnavailable: {worker: 2, db: 1}\nsoak: 1.5m\nhold: 0\n"
        "onSpent: undo\nprobes: [10250, 8080/healthz, {port: 9000, path: /ready, status: 204}]\n"
    )
    words = ("--strategy", str(strategy), "--max-unavailable", "worker=50%", "--soak", "2m")
    begun(three, file, "--target", "name=w2|w3", *words)
    found = json.loads(run(three, "show", "--output", "json").stdout)

    assert [one["node"] for one in found["nodes"]] == ["w2", "w3"]
    assert (found["by"], found["strategy"]["soak"]) == ("ann", 120)
    assert found["strategy"]["maxUnavailable"] == {"worker": "50%", "db": "1"}
    assert [(one["port"], one["path"]) for one in found["strategy"]["probes"]] == [
        (10250, ""),
        (8080, "/healthz"),
        (9000, "/ready"),
    ]
    assert "probes            10250 8080/healthz 9000/ready" in run(three, "show").stdout
    (row,) = run(three, "list").stdout.splitlines()[1:]
    assert row.split()[:5] == ["1", "running,", "wave", "1", "of"]
    assert " ann " in row


def test_two_never_fight_the_second_is_refused_or_queued(three: Master, file: str) -> None:
    begun(three, file)
    refused = run(three, "start", "-f", file)
    applied = CliRunner().invoke(app, ["apply", file, "--home", str(three.home)])
    queued = run(three, "start", "-f", file, "--queue", "--no-wait")

    assert (refused.exit_code, applied.exit_code, queued.exit_code) == (1, 1, 0)
    assert "rollout 1 is running" in refused.stderr
    assert "saltern rollout watch 1" in applied.stderr
    assert [one["phase"] for one in json.loads(run(three, "list", "--output", "json").stdout)] == [
        "queued",
        "running",
    ]
    run(three, "abort", "1")
    assert run(three, "status", "2").stdout.startswith("rollout 2: running, wave 1 of 2")


def test_who_waits_in_the_queue_is_followed_into_his_turn(three: Master, file: str) -> None:
    async def levers() -> None:
        await three.fake.rolled(lambda: three.fake.is_queued(2))
        await three.fake.carry(1, {})
        await three.fake.carry(2, {})

    begun(three, file, *AT_ONCE)
    three.meanwhile(levers())
    done = run(three, "start", "-f", file, "--queue", *AT_ONCE)

    assert done.exit_code == 0
    assert "rollout 2  done: 3 done" in done.stderr
    assert "w3  wave 2, done" in done.stderr


def test_it_is_paused_and_goes_on(three: Master, file: str) -> None:
    begun(three, file, *AT_ONCE)
    paused = run(three, "pause")
    again = run(three, "pause", "1")
    shown = run(three, "status")
    whole = CliRunner().invoke(app, ["status", "--home", str(three.home)])
    resumed = run(three, "resume")

    assert [one.exit_code for one in (paused, again, shown, resumed)] == [0, 1, 3, 0]
    assert paused.stdout.endswith(": 1 applying, 2 waiting; paused by ann\n")
    assert "\npaused by ann\n" in shown.stdout
    assert "cannot pause rollout 1: it is paused" in again.stderr
    assert "saltern rollout resume 1" in shown.stdout
    assert whole.stdout.startswith("rollout 1: paused, wave 1 of 2 for 0 s; ")
    assert resumed.stdout.startswith("rollout 1: running")


def test_start_ends_where_a_person_is_needed_and_watch_stays(three: Master, file: str) -> None:
    async def levers() -> None:
        await three.fake.rolled(lambda: three.fake.stage_of(1, "w1") == "draining")
        await three.fake.happens(DrainRefused("w1", "web-1 stays"))

    three.fake.impact = "drain"
    three.meanwhile(levers())
    timed = run(three, "start", "-f", file, "--timeout", "1s", "--drain", "5m")
    passes(three, 301)
    watched = run(three, "watch", "--timeout", "1s")
    skipped = run(three, "skip", "w1")
    unknown = run(three, "skip", "w9")

    assert (timed.exit_code, watched.exit_code) == (3, 3)
    assert "w1  wave 1, draining: web-1 stays" in timed.stderr
    assert "it goes on without us; look on: saltern rollout watch 1" in timed.stderr
    assert "saltern rollout skip w1 1  (it goes on without w1)" in watched.stderr
    assert "paused: the pods of w1 do not leave: web-1 stays" in watched.stderr
    assert (skipped.exit_code, unknown.exit_code) == (0, 1)
    assert "1 skipped" in skipped.stdout


def test_start_ends_when_somebody_pauses_it(three: Master, file: str) -> None:
    async def levers() -> None:
        await three.fake.rolled(lambda: three.fake.stage_of(1, "w1") == "applying")
        await three.fake.happens(Said("w1", "changed"))
        await three.fake.steer_rollout(1, Steering(action="pause", by="bob"))

    three.meanwhile(levers())
    done = run(three, "start", "-f", file)

    assert done.exit_code == 3
    assert "paused by bob" in done.stderr


def test_what_is_over_is_undone_by_its_number_alone(three: Master, file: str) -> None:
    begun(three, file, *AT_ONCE)
    three.do(three.fake.carry(1, {}))
    unnamed = run(three, "undo")
    three.meanwhile(three.fake.carry(2, {}))
    named = run(three, "undo", "1")
    again = run(three, "undo", "1")

    assert (unnamed.exit_code, named.exit_code, again.exit_code) == (2, 0, 1)
    assert "name it: saltern rollout undo 1" in unnamed.stderr
    assert "taking rollout 1 back" in named.stderr
    rows = json.loads(run(three, "list", "--output", "json").stdout)
    assert [(one["undoes"], one["undoneBy"]) for one in rows] == [(1, 0), (0, 2)]


def test_an_interrupted_rollout_goes_on_and_says_how_to_watch(three: Master, file: str) -> None:
    with subprocess.Popen(
        [*SALTERN, "rollout", "start", "-f", file, "--home", str(three.home)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stderr is not None
        assert "w1  wave 1, applying" in command.stderr.readline()
        command.send_signal(signal.SIGINT)
        _, told = command.communicate(timeout=20)

    assert command.returncode == 130
    assert told.splitlines()[-1] == (
        "interrupted; it goes on without us; look on: saltern rollout watch 1; "
        "hold it: saltern rollout pause 1"
    )
    assert three.do(three.fake.rollout(1)).phase == "running"


def test_a_terminal_gets_a_page_that_moves(three: Master, file: str) -> None:
    three.meanwhile(three.fake.carry(1, {"w1": "failed"}))
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [*SALTERN, "rollout", "start", "-f", file, *AT_ONCE],
            env={**os.environ, "SALTERN_HOME": str(three.home), "TERM": "xterm", "COLUMNS": "120"},
            stdout=subprocess.PIPE,
            stderr=theirs,
            timeout=30,
            check=False,
        )
        os.close(theirs)
        seen = os.read(ours, 65536).decode()
    finally:
        os.close(ours)

    assert done.returncode == 1
    assert "\x1b[" in seen
    assert "×××" in seen
    assert "stopped: 1 failed, and none may this early: w1" in seen
    assert b"\x1b" not in done.stdout


def test_rollouts_and_their_nodes_are_completed(three: Master, file: str) -> None:
    begun(three, file)
    for words, expected in (("saltern rollout watch ", ["1"]), ("saltern rollout skip w", None)):
        done = subprocess.run(
            [sys.executable, "-c", "from saltern_master.cli import app; app(prog_name='saltern')"],
            env={
                **os.environ,
                "SALTERN_HOME": str(three.home),
                "_SALTERN_COMPLETE": "complete_bash",
                "COMP_WORDS": words,
                "COMP_CWORD": "3",
            },
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.stdout.split() == (expected or ["w1", "w2", "w3"])


def test_who_gave_a_command() -> None:
    me = os.getuid()

    assert name_of({"SUDO_USER": "ann"}, me) == "ann"
    assert name_of({}, me) == pwd.getpwuid(me).pw_name
    assert name_of({}, 4_000_000_001) == "user 4000000001"
    assert len(name_of({"SUDO_USER": "a" * 500}, me)) == 100


def test_without_rollouts_it_is_said_how_one_begins(three: Master) -> None:
    listed, shown = run(three, "list"), run(three, "status")

    assert (listed.exit_code, shown.exit_code) == (0, 1)
    assert "saltern rollout start -f CLUSTER.YAML" in listed.stderr
    assert "cannot find a rollout" in shown.stderr


def test_who_watches_follows_an_undo_that_somebody_else_asked_for(three: Master, file: str) -> None:
    begun(three, file, *AT_ONCE)

    async def undone() -> None:
        await three.fake.steer_rollout(1, Steering(action="undo", by="bob"))
        await three.fake.carry(2, {})

    three.meanwhile(undone())
    done = run(three, "watch", "1")

    assert done.exit_code == 1
    assert "taken back by bob" in done.stderr
    assert "rollout 2: done" in done.stderr.splitlines()[-1]


def test_what_waits_for_another_is_said_to_begin_after_it(three: Master, file: str) -> None:
    begun(three, file)
    queued = run(three, "start", "-f", file, "--queue", "--no-wait")

    assert "it begins when those before it are over" in queued.stderr
