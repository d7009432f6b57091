"""saltern plan, apply of a saved plan, node list --target: against a master that runs."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from saltern_master.api.plans import PlanLineView
from saltern_master.api.service import NodeView
from saltern_master.cli.target_names import completed

from tests.master.api_stand import Master, join
from tests.master.clusters import SMALL
from tests.master.test_cli_master import SALTERN, answers, run, written
from tests.master.test_cluster_file import SIX_MISTAKES

TWO = SMALL + "- {name: w2, address: 10.9.0.22, labels: {zone: b}}\n"
MOTD = PlanLineView(
    resource="motd",
    verb="hold",
    finding="to change",
    change="create /etc/motd (6 bytes, 0644 root:root)",
    impact="none",
    detail="--- /etc/motd\n+++ /etc/motd\n@@ -0,0 +1 @@\n+\x1b[31mhello\n",
)
OLD = PlanLineView(
    resource="old", verb="remove", finding="to change", change="stop it", impact="restart"
)


@pytest.fixture
def two(two: Master) -> Master:
    """With two nodes that have nothing to change."""
    for name in ("w1", "w2"):
        two.do(two.fake.foresee(name))
    return two


def test_a_plan_of_nothing_is_zero(two: Master, tmp_path: Path) -> None:
    done = run(two, "plan", "-f", written(tmp_path, TWO))

    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "w1, w2 (2 nodes): as declared",
        "2 nodes: 0 to change, 2 as declared; resources: nothing to do",
    ]


def test_a_plan_of_changes_is_two_and_folds_what_is_the_same(two: Master, tmp_path: Path) -> None:
    for name in ("w1", "w2"):
        two.do(two.fake.foresee(name, MOTD, OLD))
    done = run(two, "plan", "-f", written(tmp_path, TWO))

    assert done.exit_code == 2
    assert done.stdout.splitlines() == [
        "w1, w2 (2 nodes): 2 changes, restart",
        "+ motd",
        "    create /etc/motd (6 bytes, 0644 root:root)",
        "      --- /etc/motd",
        "      +++ /etc/motd",
        "      @@ -0,0 +1 @@",
        "      +\\x1b[31mhello",
        "- old",
        "    stop it  [restart]",
        "",
        "2 nodes: 2 to change, 0 as declared; resources: 2 added, 2 removed; at most: restart",
    ]
    assert sorted(done.stderr.splitlines()) == [
        "w1: 2 changes, restart",
        "w2: 2 changes, restart",
    ]


def test_a_node_that_cannot_be_planned_is_named_and_makes_it_one(
    two: Master, tmp_path: Path
) -> None:
    two.do(two.fake.foresee("w1", MOTD))
    two.do(two.fake.set_node("w2", connected=False))
    path = tmp_path / "saved"
    done = run(two, "plan", "-f", written(tmp_path, TWO), "--save", str(path))

    assert done.exit_code == 1
    assert "w2: unreachable: it is not connected" in done.stdout
    assert f"w2 is not in {path}: unreachable: it is not connected" in done.stderr
    assert f"wrote {path}: the plan of w1; for exactly that: saltern apply {path}" in done.stderr


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_a_plan_for_programs_is_one_value(two: Master, tmp_path: Path, output: str) -> None:
    two.do(two.fake.foresee("w1", MOTD))
    done = run(two, "plan", "-f", written(tmp_path, TWO), "--target", "w1", "--output", output)
    read = json.loads if output == "json" else YAML(typ="safe", pure=True).load
    (node,) = read(done.stdout)["nodes"]

    assert done.exit_code == 2
    assert (node["node"], node["lines"][0]["detail"]) == ("w1", MOTD.detail)
    assert "\x1b" not in done.stdout


def test_a_plan_waits_no_longer_than_it_was_told(two: Master, tmp_path: Path) -> None:
    text = TWO + "- {name: w3, address: 10.9.0.23}\n"
    join(two, "w3")
    done = run(two, "plan", "-f", written(tmp_path, text), "--timeout", "1s")

    assert done.exit_code == 1
    assert "w3: not heard yet" in done.stdout


def test_a_saved_plan_is_applied_as_exactly_that(two: Master, tmp_path: Path) -> None:
    two.do(two.fake.foresee("w1", MOTD))
    path = tmp_path / "saved"
    done = run(two, "plan", "-f", written(tmp_path, TWO), "--target", "w1", "--save", str(path))
    assert (done.exit_code, stat.S_IMODE(path.stat().st_mode)) == (2, 0o600)
    assert json.loads(path.read_text())["nodes"]["w1"]["lines"] == [f"hold motd: {MOTD.change}"]

    two.meanwhile(answers(two, 1, {"w1": "changed"}))
    applied = run(two, "apply", str(path))

    assert applied.exit_code == 0, applied.stderr
    assert [line.split()[:2] for line in applied.stdout.splitlines()[1:]] == [["w1", "changed"]]


def test_a_saved_plan_takes_no_other_files_place(two: Master, tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.write_text("mine")
    done = run(two, "plan", "-f", written(tmp_path, TWO), "--save", str(path))

    assert (done.exit_code, done.stdout, path.read_text()) == (1, "", "mine")
    assert f"cannot write {path}: it is there already, and is not overwritten" in done.stderr


def test_a_plan_of_the_applied_file_is_saved_and_applied_too(two: Master, tmp_path: Path) -> None:
    run(two, "apply", written(tmp_path, TWO), "--no-wait")
    path = tmp_path / "saved"
    done = run(two, "plan", "--save", str(path))
    assert (done.exit_code, json.loads(path.read_text())["cluster_file"]) == (0, "")

    assert run(two, "apply", str(path), "--no-wait").exit_code == 0


def test_a_stale_plan_says_what_moved_and_begins_nothing(two: Master, tmp_path: Path) -> None:
    path = tmp_path / "saved"
    run(two, "plan", "-f", written(tmp_path, TWO), "--save", str(path))
    two.do(two.fake.foresee("w2", MOTD))
    done = run(two, "apply", str(path))

    assert done.exit_code == 1
    assert "saltern: cannot apply: the plan is stale" in done.stderr
    assert "\n  w2: it would do something else now\n" in done.stderr
    assert "w1:" not in done.stderr
    assert two.do(two.fake.status()).revision == 0


def test_a_damaged_plan_is_refused_with_all_its_faults(two: Master, tmp_path: Path) -> None:
    path = tmp_path / "saved"
    run(two, "plan", "-f", written(tmp_path, TWO), "--save", str(path))
    plain = json.loads(path.read_text())
    plain["nodes"]["w1"]["body"] = "x"
    del plain["target"]
    path.write_text(json.dumps(plain))
    done = run(two, "apply", str(path))
    cut = tmp_path / "cut"
    cut.write_text(path.read_text()[:200])

    assert done.exit_code == 2
    head, *faults = done.stderr.splitlines()
    assert head == f"saltern: cannot take the saved plan {path}: 3 faults; plan again"
    assert [one.split(":")[0].strip() for one in faults] == ["target", "nodes.w1", "sha256"]
    assert "it is damaged or cut short" in run(two, "apply", str(cut)).stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-f", "/no/such/file"), "saltern: cannot read /no/such/file"),
        (("--timeout", "soon"), "write such as 90s"),
        (("--nonsense",), "No such option"),
        (("--output", "wide"), "wide"),
        (("too", "many"), "unexpected extra argument"),
        ((), "cannot plan: nothing was applied yet"),
        (("-f", "SIX"), "cannot take the cluster file: 6 faults"),
        (("-f", "TWO", "--target", "zoen=b,rolle=x"), "did you mean zone?"),
        (("-f", "TWO", "--target", "w9"), "no node is meant"),
        (("-f", "TWO", "--save", "/no/such/directory/file"), "cannot write /no/such/directory"),
    ],
)
def test_an_error_is_one(two: Master, tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    files = {"SIX": SIX_MISTAKES, "TWO": TWO}
    asked = [written(tmp_path, files[word]) if word in files else word for word in words]
    done = run(two, "plan", *asked)

    assert done.exit_code == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_on_a_terminal_progress_lives_and_the_plan_has_colours(two: Master, tmp_path: Path) -> None:
    two.do(two.fake.foresee("w1", MOTD, OLD))
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [*SALTERN, "plan", "-f", written(tmp_path, TWO)],
            env={**os.environ, "SALTERN_HOME": str(two.home), "TERM": "xterm", "COLUMNS": "120"},
            stdout=theirs,
            stderr=theirs,
            timeout=30,
            check=False,
        )
        os.close(theirs)
        seen = os.read(ours, 65536).decode()
    finally:
        os.close(ours)

    assert done.returncode == 2
    assert "\x1b[32m+ motd\x1b[0m" in seen
    assert "\x1b[31m- old\x1b[0m" in seen
    assert "of 2 nodes have told" in seen
    assert "\x1b[31mhello" not in seen


@pytest.mark.parametrize(
    ("begun", "offered"),
    [
        ("w", ["w1", "w2"]),
        ("ro", ["role="]),
        ("!zo", ["!zone="]),
        ("w1,role=w", ["w1,role=worker"]),
        ("zone=", ["zone=b"]),
        ("label.zone=", ["label.zone=b"]),
        ("la", ["label.os="]),
        ("label.os=", ["label.os=x"]),
        ("os=", []),
        ("nothing=", []),
    ],
)
def test_a_target_is_completed(begun: str, offered: list[str]) -> None:
    nodes = [
        NodeView(name="w1", node_class="worker", state="joined", fingerprint="", roles=("worker",)),
        NodeView(
            name="w2",
            node_class="worker",
            state="joined",
            fingerprint="",
            labels={"zone": "b", "os": "x"},
        ),
    ]

    assert completed(begun, nodes) == offered


def test_a_shell_completes_a_target(two: Master) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from saltern_master.cli import app; app(prog_name='saltern')"],
        env={
            **os.environ,
            "SALTERN_HOME": str(two.home),
            "_SALTERN_COMPLETE": "complete_bash",
            "COMP_WORDS": "saltern plan --target w",
            "COMP_CWORD": "3",
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.stdout.split() == ["w1", "w2"]


def test_nodes_are_listed_by_a_target(two: Master, tmp_path: Path) -> None:
    run(two, "apply", written(tmp_path, TWO), "--no-wait")
    some = run(two, "node", "list", "--target", "zone=b")
    none = run(two, "node", "list", "--target", "zone=b,w1")
    wide = run(two, "node", "list", "--target", "zone=b", "--output", "wide")
    explained = run(two, "node", "list", "--target", "zone=b,role=worker", "--explain")
    wrong = run(two, "node", "list", "--target", "zoen=b")
    nothing = run(two, "node", "list", "--explain")
    data = json.loads(
        run(two, "node", "list", "--target", "zone=b", "--explain", "--output", "json").stdout
    )

    assert [line.split()[0] for line in some.stdout.splitlines()] == ["node", "w2"]
    assert (nothing.exit_code, "give a --target" in nothing.stderr) == (2, True)
    assert (none.exit_code, "no node is meant" in none.stderr) == (0, True)
    assert "w2    yes    yes (b)" in wide.stdout
    assert [line.split() for line in explained.stdout.splitlines()] == [
        ["node", "meant", "zone=b", "role=worker"],
        ["w1", "no", "no", "(nothing", "known)", "yes", "(worker)"],
        ["w2", "yes", "yes", "(b)", "yes", "(worker)"],
    ]
    assert (wrong.exit_code, "did you mean zone?" in wrong.stderr) == (2, True)
    assert [one["terms"][0]["holds"] for one in data] == [False, True]
