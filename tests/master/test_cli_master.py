"""The command line against a master that runs: a real socket, and a service in memory."""

from __future__ import annotations

import base64
import json
import os
import pty
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from ruamel.yaml import YAML
from saltern_master.api.service import Result
from saltern_master.cli import app
from saltern_master.signing.home import Home
from typer.testing import CliRunner
from typer.testing import Result as Ran

from tests.master.api_stand import Master
from tests.master.clusters import SMALL
from tests.master.test_cluster_file import SIX_MISTAKES

SALTERN = (sys.executable, "-c", "from saltern_master.cli import main; main()")
HEAVY = ("asyncio", "cryptography", "httpx", "rich", "ruamel", "starlette", "uvicorn", "zmq")
TWO = SMALL + "- {name: w2, address: 10.9.0.22}\n"


def run(master: Master, *words: str, stdin: str | None = None) -> Ran:
    runner = CliRunner(env={"SALTERN_HOME": str(master.home), "TZ": "UTC"})
    return runner.invoke(app, list(words), input=stdin)


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    return str(path)


async def answers(master: Master, turn: int, results: dict[str, Result]) -> None:
    """Let nodes report once a turn has begun."""
    await master.fake.begun(turn)
    for name, result in results.items():
        await master.fake.report(turn, name, result, 2, "" if result == "changed" else "for a test")


def test_a_token_alone_is_on_standard_output(master: Master) -> None:
    made = run(master, "node", "token", "w1", "--ttl", "2h")
    (listed,) = json.loads(run(master, "node", "tokens", "--output", "json").stdout)

    assert made.exit_code == 0
    assert made.stdout == "fake-w1-0\n"
    assert "saltern-agent join TOKEN" in made.stderr
    assert (listed["node"], listed["expires"]) == ("w1", 1_800_000_000.0 + 7200)


def test_a_token_goes_into_a_new_file_that_its_owner_alone_reads(
    master: Master, tmp_path: Path
) -> None:
    file = tmp_path / "w1.token"
    made = run(master, "node", "token", "w1", "--write", str(file))
    again = run(master, "node", "token", "w1", "--write", str(file))

    assert (made.exit_code, made.stdout, file.read_text()) == (0, "", "fake-w1-0\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "saltern-agent join - < w1.token" in made.stderr
    assert (again.exit_code, file.read_text()) == (2, "fake-w1-0\n")
    assert f"cannot write {file}: it is there already" in again.stderr
    assert len(json.loads(run(master, "node", "tokens", "--output", "json").stdout)) == 1
    assert sorted(one.name for one in tmp_path.glob("*token*")) == ["w1.token"]


def test_a_machine_is_approved_by_its_fingerprint(master: Master) -> None:
    asked = run(master, "node", "token", "w1", "--approval")
    master.do(master.fake.join(asked.stdout.strip(), "key"))
    wrong = run(master, "node", "approve", "w1", "other")
    right = run(master, "node", "approve", "w1", "key")

    assert "saltern node approve w1 FINGERPRINT" in asked.stderr
    assert (wrong.exit_code, right.exit_code) == (1, 0)
    assert wrong.stderr.startswith("saltern: cannot approve w1")
    assert "joined" in run(master, "node", "list").stdout


@pytest.mark.parametrize("output", ["table", "wide", "json", "yaml"])
def test_nodes_are_listed_and_shown_in_every_form(two: Master, output: str) -> None:
    for words in (("node", "list"), ("node", "show", "w1"), ("status",), ("drift",)):
        shown = run(two, *words, "--output", output)
        assert (shown.exit_code, shown.stderr) == (0, "")
        if output == "json":
            json.loads(shown.stdout)
        elif output == "yaml":
            YAML(typ="safe", pure=True).load(shown.stdout)
        assert ("w1" in shown.stdout) == (words != ("drift",))


def test_a_removal_asks_for_the_name(two: Master) -> None:
    wrong = run(two, "node", "remove", "w1", stdin="w2\n")
    assert (wrong.exit_code, two.do(two.fake.node("w1")).state) == (2, "joined")

    two.meanwhile(answers(two, 1, {"w1": "changed"}))
    right = run(two, "node", "remove", "w1", stdin="w1\n")
    assert (right.exit_code, two.do(two.fake.node("w1")).state) == (0, "removing")
    assert run(two, "node", "remove", "w2", "--clean", "--yes", "--no-wait").exit_code == 0
    assert two.do(two.fake.node("w2")).state == "removing"


def test_before_the_control_plane_is_removed_it_is_said_what_goes_with_it(two: Master) -> None:
    two.do(two.fake.set_node("w1", roles=("control-plane", "etcd")))

    wrong = run(two, "node", "remove", "w1", stdin="no\n")

    said = "w1 is control-plane and etcd: the Kubernetes cluster goes with it"
    assert wrong.stderr.index(said) < wrong.stderr.index("Type w1 to remove it")
    assert "goes with it" not in run(two, "node", "remove", "w2", stdin="no\n").stderr


@pytest.mark.parametrize(
    ("result", "status"), [("failed", 1), ("blocked", 1), ("unreachable", 3), ("changed", 0)]
)
def test_a_removal_that_fails_says_what_can_be_done(
    two: Master, result: Result, status: int
) -> None:
    two.meanwhile(answers(two, 1, {"w1": result}))
    done = run(two, "node", "remove", "w1", "--clean", "--yes")

    assert done.exit_code == status
    assert ("saltern node remove w1 --forget" in done.stderr) == (status == 1)


@pytest.mark.parametrize("words", [("--forget",), ()], ids=["forgotten", "revoked"])
def test_a_removal_at_once_says_what_is_left(two: Master, words: tuple[str, ...]) -> None:
    if not words:
        run(two, "node", "revoke", "w1")
    done = run(two, "node", "remove", "w1", "--yes", *words)
    assert done.exit_code == 0, done.stderr
    assert "what stands on the machine is left there" in done.stdout + done.stderr
    assert "w1" not in run(two, "node", "list").stdout


def test_a_revoked_node_is_no_more_heard(two: Master) -> None:
    assert run(two, "node", "revoke", "w1").exit_code == 0
    assert two.do(two.fake.node("w1")).state == "revoked"


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ({"w1": "changed", "w2": "converged"}, 0),
        ({"w1": "changed", "w2": "failed"}, 1),
        ({"w1": "unreachable", "w2": "converged"}, 3),
    ],
    ids=["well", "failed", "unreachable"],
)
def test_an_apply_tells_each_node_and_ends_with_what_it_means(
    two: Master, tmp_path: Path, results: dict[str, Result], status: int
) -> None:
    two.meanwhile(answers(two, 1, results))
    done = run(two, "apply", written(tmp_path, TWO))

    assert done.exit_code == status
    for name, result in results.items():
        assert f"{name}: {result}" in done.stderr
        assert any(line.split()[:2] == [name, result] for line in done.stdout.splitlines())
    assert done.stderr.splitlines()[-1].startswith("revision 1: ")


def test_an_apply_for_programs_is_one_event_a_line(two: Master, tmp_path: Path) -> None:
    two.meanwhile(answers(two, 1, {"w1": "changed", "w2": "changed"}))
    done = run(two, "apply", written(tmp_path, TWO), "--output", "json")
    events = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.exit_code == 0
    assert [one["event"] for one in events] == ["node", "node", "turn"]
    assert {one["result"] for one in events[-1]["turn"]["nodes"]} == {"changed"}


def test_an_apply_waits_no_longer_than_it_was_told(two: Master, tmp_path: Path) -> None:
    two.meanwhile(answers(two, 1, {"w1": "changed"}))
    done = run(two, "apply", written(tmp_path, TWO), "--timeout", "1s")
    left = run(two, "apply", written(tmp_path, TWO), "--no-wait")

    assert (done.exit_code, left.exit_code) == (3, 0)
    assert "not all are done after 1 s; it goes on without us" in done.stderr
    assert "saltern status" in left.stderr


def test_an_apply_says_when_the_master_stops(two: Master, tmp_path: Path) -> None:
    async def stops() -> None:
        await two.fake.begun(1)
        await two.halt()

    two.meanwhile(stops())
    done = run(two, "apply", written(tmp_path, TWO))

    assert done.exit_code == 1
    assert "saltern: cannot" in done.stderr


def test_every_fault_of_a_file_is_told(master: Master, tmp_path: Path) -> None:
    done = run(master, "apply", written(tmp_path, SIX_MISTAKES))
    head, *faults = done.stderr.splitlines()

    assert (done.exit_code, done.stdout) == (2, "")
    assert head == "saltern: cannot take the cluster file: 6 faults"
    assert len(faults) == 6


def test_a_terminal_gets_a_live_line_for_each_node(two: Master, tmp_path: Path) -> None:
    two.meanwhile(answers(two, 1, {"w1": "changed", "w2": "failed"}))
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [*SALTERN, "apply", written(tmp_path, TWO)],
            env={**os.environ, "SALTERN_HOME": str(two.home), "TERM": "xterm", "COLUMNS": "120"},
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
    assert "w2: failed, 2 changes in 0.0 s; for a test" in seen
    assert b"\x1b" not in done.stdout


def test_an_interrupted_apply_goes_on(two: Master, tmp_path: Path) -> None:
    two.meanwhile(answers(two, 1, {"w1": "changed"}))
    with subprocess.Popen(
        [*SALTERN, "apply", written(tmp_path, TWO), "--home", str(two.home)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stderr is not None
        assert command.stderr.readline().startswith("w1: changed")
        command.send_signal(signal.SIGINT)
        _, told = command.communicate(timeout=20)

    assert command.returncode == 130
    assert told == "interrupted; it goes on without us; see: saltern status\n"


def test_a_command_that_only_asks_imports_nothing_heavy(master: Master) -> None:
    code = (
        "import sys\nfrom saltern_master.cli import app\n"
        "try:\n    app(['status', '--home', sys.argv[1]])\n"
        "except SystemExit as ended:\n    print(ended.code)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
        "print([name for name in sys.modules if name.startswith('saltern_master.core')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(master.home)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert done.stdout.splitlines()[-3:] == ["0", "[]", "[]"]


def test_status_says_by_its_exit_status_how_all_stand(two: Master) -> None:
    assert run(two, "status").exit_code == 0
    two.do(two.fake.set_node("w1", connected=False))
    assert run(two, "status").exit_code == 3
    two.do(two.fake.set_node("w2", health="failed"))
    assert run(two, "status").exit_code == 1


def test_a_kubeconfig_holds_the_key_that_was_made_here(master: Master, tmp_path: Path) -> None:
    path = tmp_path / "admin.conf"
    done = run(master, "kubeconfig", "--write", str(path))
    (user,) = YAML(typ="safe", pure=True).load(path.read_text())["users"]
    key = load_pem_private_key(base64.b64decode(user["user"]["client-key-data"]), None)
    certificate = x509.load_pem_x509_certificate(
        base64.b64decode(user["user"]["client-certificate-data"])
    )

    assert (done.exit_code, done.stdout) == (0, "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert certificate.public_key() == key.public_key()
    assert "client-key-data" in run(master, "kubeconfig").stdout


def test_somebodys_other_clusters_are_not_overwritten(master: Master, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("kind: Config\nclusters: [{name: theirs}]\n")
    done = run(master, "kubeconfig", "--write", str(path))

    assert done.exit_code == 1
    assert "it holds other clusters (theirs)" in done.stderr
    assert "theirs" in path.read_text()


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("node", "list"),
        ("node", "token", "w1"),
        ("drift", "watch"),
        ("drift",),
        ("kubeconfig",),
    ],
    ids=" ".join,
)
def test_without_a_master_it_is_said_how_to_run_one(tmp_path: Path, words: tuple[str, ...]) -> None:
    home = tmp_path / "home"
    bare = CliRunner().invoke(app, [*words, "--home", str(home)])
    Home(home).make()
    made = CliRunner().invoke(app, [*words, "--home", str(home)])

    for done in (bare, made):
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr.startswith(f"saltern: cannot reach the master on {home}/run/api.sock")
    assert f"saltern init {home}" in bare.stderr
    assert "master run" not in bare.stderr
    assert f"saltern master run --home {home}" in made.stderr
    assert "saltern init" not in made.stderr


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("node", "show", "w9"), 1, "cannot find the node w9"),
        (("node", "token", "W1"), 2, "cannot name a node 'W1': small letters"),
        (("node", "token", "w1", "--ttl", "soon"), 2, "write such as 90s"),
        (("node", "token", "w1", "--ttl", "99d"), 2, "cannot take the body"),
        (("apply", "/no/such/file"), 2, "cannot read /no/such/file"),
        (("node", "remove", "w9", "--yes"), 1, "cannot find the node w9"),
        (("master", "run", "--listen", "here"), 2, "it is no IPv4 address"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_input_and_what_is_not_there(
    master: Master, words: tuple[str, ...], status: int, told: str
) -> None:
    done = run(master, *words)

    assert done.exit_code == status
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_names_of_nodes_are_completed(two: Master) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from saltern_master.cli import app; app(prog_name='saltern')"],
        env={
            **os.environ,
            "SALTERN_HOME": str(two.home),
            "_SALTERN_COMPLETE": "complete_bash",
            "COMP_WORDS": "saltern node show w",
            "COMP_CWORD": "3",
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.stdout.split() == ["w1", "w2"]
