"""saltern lab as a person has it: what it prints, where, and with what status."""

import json
import subprocess
import sys

import pytest
from saltern_master.cli import lab as commands
from saltern_master.lab import Lab, Machine, NodeStatus, Status, enter

PROGRAM = [sys.executable, "-c", "from saltern_master.cli.lab import app; app()"]

STATUS = Status(
    "demo",
    "cgroup v1",
    "saltern0",
    "10.9.0.0/24",
    (
        NodeStatus("cp1", "10.9.0.11", "degraded", ("a.service", "b.service"), 7, "/r"),
        NodeStatus("w1", "10.9.0.21", "off", (), None, "/r"),
    ),
)


def test_status_for_a_person() -> None:
    assert commands.lines_of(STATUS) == [
        "demo: saltern0 10.9.0.0/24; cgroup v1",
        "  cp1  10.9.0.11        degraded (a.service, b.service failed)",
        "  w1   10.9.0.21        off",
    ]


def call(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *words], input=given, capture_output=True, text=True, timeout=120, check=False
    )


def test_what_is_written_wrongly_is_told_in_one_line() -> None:
    done = call("up", "W1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "saltern: cannot use the name 'W1': 1 to 20 of a-z, 0-9 and -, a letter first\n"
    )


@pytest.mark.parametrize(
    ("argv", "status", "out", "err"),
    [
        (["printf", "%s|", "a b", "-x", "$1"], 0, "a b|-x|$1|", ""),
        (["/bin/sh", "-c", "exit 7"], 7, "", ""),
        (
            ["no such", "x"],
            127,
            "",
            "saltern: cannot run no such: there is no such program on w1\n",
        ),
        (["/no/such"], 127, "", "saltern: cannot run /no/such: there is no such program on w1\n"),
    ],
)
def test_a_program_that_is_not_there_is_told_as_that(
    argv: list[str], status: int, out: str, err: str
) -> None:
    line = enter.told_when_missing(argv, "w1")
    done = subprocess.run(
        line, env=enter.ENVIRONMENT, capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, out, err)


@pytest.mark.lab
@pytest.mark.timeout(300)
def test_the_whole_way(lab: Lab, node: Machine) -> None:
    here = f"--lab={lab.name}"
    up = call("up", here, "w1")
    assert (up.returncode, up.stdout) == (0, "")
    assert f"lab: w1 ({node.node.address}): running after" in up.stderr

    status = call("status", here, "--output", "json")
    found = json.loads(status.stdout)["nodes"]
    assert [(one["name"], one["state"], one["failed"]) for one in found] == [("w1", "running", [])]

    ran = call("exec", here, "w1", "--", "sh", "-c", "cat; echo -x >&2; exit 7", given="in")
    assert (ran.returncode, ran.stdout, ran.stderr) == (7, "in", "-x\n")
    assert call("exec", here, "w1", "ls", "-d", "/etc").stdout == "/etc\n"
    assert call("shell", here, "w1", given="uname -n; exit 3").stdout == "w1\n"

    missing = call("exec", here, "w1", "no-such-program", "-x")
    assert (missing.returncode, missing.stdout) == (127, "")
    assert missing.stderr == "saltern: cannot run no-such-program: there is no such program on w1\n"

    wrong = call("exec", here, "w9", "true")
    assert wrong.returncode == 1
    assert wrong.stderr == f"saltern: cannot find the node w9: the lab {lab.name} has w1\n"

    put = call("install", here)
    assert (put.returncode, put.stdout) == (0, "")
    assert put.stderr.endswith("lab: w1 has the agent; there: saltern-agent join TOKEN\n")
    told = call("exec", here, "w1", "saltern-agent", "--help").stdout
    assert told.startswith("usage: saltern-agent")
    unit = call("exec", here, "w1", "systemctl", "is-enabled", "saltern-agent")
    assert unit.stdout == "enabled\n"
    waits = call("exec", here, "w1", "systemctl", "is-active", "saltern-agent")
    assert waits.stdout == "inactive\n"  # for a join
    strange = call("install", here, "w9")
    assert strange.returncode == 1
    assert strange.stderr == f"saltern: cannot find the node w9: the lab {lab.name} has w1\n"

    down = call("down", here)
    assert (down.returncode, down.stdout) == (0, "")
    first, *rest = down.stderr.splitlines()
    assert first == "lab: w1 is gone"
    assert all(line.startswith("lab: put back: ") for line in rest)  # by the last lab to go
    gone = call("status", here)
    assert gone.returncode == 1
    assert gone.stderr == f"saltern: cannot find the lab {lab.name}: `saltern lab up` makes it\n"
