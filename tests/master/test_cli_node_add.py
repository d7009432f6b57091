"""saltern node add: wrong usage, what is shown meanwhile, and what it says in the end."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live
from saltern_master.cli.adding_screen import Lines, LiveLines
from saltern_master.cli.node_add import status_of, told
from saltern_master.joining.adding import Added, Result
from saltern_master.joining.hosts import Machine

from tests.master.api_stand import Master
from tests.master.test_cli_master import run

DEB = "saltern-agent_0.1.0-1~deb12_amd64.deb"


def added(name: str, result: Result, why: str = "", left: str = "") -> Added:
    return Added(name=name, host=f"root@{name}", result=result, why=why, left=left, seconds=1.5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("w1",), "say how they are reached (--ssh)"),
        (("--ssh", "--package", "README", "w1"), "cannot"),
        (("--ssh", "w1"), "saltern releases add"),
        (("--ssh", "--package", DEB, "--", "-oProxyCommand"), "can be called so"),
        (("--ssh", "--package", DEB, "10.9.0.1", "w2=", "w3", "w3"), "node w3 is named twice"),
        (("--ssh",), "Missing argument"),
    ],
)
def test_wrong_usage_is_told_and_nothing_is_done(
    master: Master, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / DEB).write_bytes(b"1")
    words = tuple(str(tmp_path / one) if one in (DEB, "README") else one for one in words)
    done = run(master, "node", "add", *words)

    assert done.exit_code == 2
    assert said in done.stderr
    assert json.loads(run(master, "node", "tokens", "--output", "json").stdout) == []


def test_an_option_is_none_of_the_machines(master: Master) -> None:
    done = run(master, "node", "add", "--ssh", "-oProxyCommand=touch /tmp/never", "w1")

    assert done.exit_code == 2
    assert not Path("/tmp/never").exists()


def test_there_is_no_way_to_only_say_so(master: Master) -> None:
    shown = run(master, "node", "add", "--help").stdout

    assert "--ssh" in shown
    assert "dry" not in shown


def test_each_failure_is_told_with_what_is_left() -> None:
    lines = told(
        [
            added("w1", "added"),
            added("w2", "failed", "no Python", "a token for w2"),
            added("w3", "unreached", "ssh does not know its host key"),
            added("w4", "already"),
        ]
    )

    assert lines == [
        "cannot add w2 (root@w2): no Python",
        "  left: a token for w2",
        "cannot add w3 (root@w3): ssh does not know its host key",
        "the same command tries again; who is a node already stays as it is",
    ]
    assert told([added("w1", "added"), added("w2", "already")]) == []


@pytest.mark.parametrize(
    ("results", "status"),
    [
        (["added", "already"], 0),
        (["added", "unreached"], 3),
        (["failed", "unreached", "added"], 1),
    ],
)
def test_the_exit_status_says_how_it_went(results: list[Result], status: int) -> None:
    assert status_of([added(f"w{at}", one) for at, one in enumerate(results)]) == status


def test_where_nobody_looks_each_step_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines.step(Machine("w1", "root@w1"), "looking at it")
    lines.ended(added("w1", "added"))

    assert capsys.readouterr().err == "w1: looking at it\nw1: added after 1.5 s\n"


def test_at_a_terminal_each_machine_has_one_line() -> None:
    paper = io.StringIO()
    console = Console(file=paper, force_terminal=True, width=80, color_system=None)
    machines = [Machine(name, name) for name in ("w1", "w2", "w3")]
    with Live(console=console, auto_refresh=False) as live:
        screen = LiveLines(live, machines)
        screen.step(machines[0], "looking at it\x1b[31m")
        screen.step(machines[1], "joining as w2")
        screen.ended(added("w2", "unreached"))
        live.refresh()

    drawn = re.sub(r"\x1b\[[0-9?]*[A-Za-z]", "", paper.getvalue()).splitlines()[-3:]
    assert [re.sub(r"^\W*", "", line).rstrip() for line in drawn] == [
        r"w1: looking at it\u001b[31m",
        "w2: unreached after 1.5 s",
        "w3: waits for its turn",
    ]
