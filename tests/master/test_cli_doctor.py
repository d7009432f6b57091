"""saltern doctor as a person has it: what it prints, and with what status."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from saltern_master.api.findings import FindingsView, NodeFindings, NotedView
from saltern_master.api.service import FindingView
from saltern_master.cli.doctor import only, status_of
from saltern_master.cli.doctor_page import doctor_lines
from saltern_master.cli.refusals import UsageError

from tests.master.clusters import SMALL

NOW = 1_800_000_000.0
SWAP = FindingView(trap="swap-on", what="swap is on: /x", remedy="swapoff -a", bad=True)
CLOCK = FindingView(
    trap="clock-unsynchronised", what="not\x1b synchronised", remedy="chrony", bad=False
)
MAC = NotedView(
    finding=FindingView(trap="same-mac", what="the same MAC", remedy="another one", bad=True),
    nodes=("w1", "w2"),
)


def view(*nodes: NodeFindings, between: tuple[NotedView, ...] = ()) -> FindingsView:
    return FindingsView(now=NOW, revision=3, file=(), between=between, nodes=nodes)


def node(name: str, *findings: FindingView, ago: float = 60.0) -> NodeFindings:
    return NodeFindings(node=name, connected=True, told_at=NOW - ago, findings=findings)


GONE = NodeFindings(node="w9", connected=False, told_at=NOW - 7200)
MUTE = NodeFindings(node="w8", connected=True, told_at=0.0)


def test_a_healthy_cluster_is_one_line() -> None:
    found = view(node("cp1"), node("w1"), node("w2"))
    assert list(doctor_lines(found, None)) == [
        "no trap found on 3 nodes (files, nodes, between nodes; told 1 min ago)"
    ]
    assert status_of(found) == 0


def test_equal_findings_are_told_once() -> None:
    found = view(
        node("w1", SWAP, ago=5), node("w2", SWAP, CLOCK, ago=90), node("w3", SWAP), between=(MAC,)
    )
    assert list(doctor_lines(found, None)) == [
        "between nodes:",
        "  ! same-mac (w1, w2): the same MAC",
        "      another one",
        "w[1-3] (told 1 min ago):",
        "  ! swap-on: swap is on: /x",
        "      swapoff -a",
        "w2 (told 1 min ago):",
        "  ~ clock-unsynchronised: not\\x1b synchronised",
        "      chrony",
        "2 traps and 1 note; 3 nodes asked (told 1 min ago)",
    ]
    assert status_of(found) == 1


def test_what_bites_later_alone_is_told_and_is_no_trap_yet() -> None:
    found = view(node("w1", CLOCK), node("w2"))
    assert "  ~ clock-unsynchronised: not\\x1b synchronised" in list(doctor_lines(found, None))
    assert status_of(found) == 0


def test_who_could_not_be_asked_is_named() -> None:
    found = view(node("w1"), GONE, MUTE)
    assert list(doctor_lines(found, None)) == [
        "could not be asked: w9 (not connected; it told 2 h ago)",
        "could not be asked: w8 (connected; it never told anything)",
        "no trap found on 1 node (files, nodes, between nodes; told 1 min ago)",
    ]
    assert status_of(found) == 3
    assert list(doctor_lines(view(GONE), None))[-1] == (
        "no trap found on 0 nodes (files, nodes, between nodes)"
    )


def test_some_nodes_alone() -> None:
    found = view(node("w1", SWAP), node("w2"), node("w3"), between=(MAC,))
    assert status_of(only(found, ["w3"])) == 0
    assert only(found, ["w2"]).between == (MAC,)
    with pytest.raises(UsageError, match="cannot look at w7: no such node; there are: w1, w2, w3"):
        only(found, ["w7"])


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from saltern_master.cli import main; main()", "doctor"]
    return subprocess.run(
        [*program, "--home", str(home), *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("text", "status", "last"),
    [
        pytest.param(SMALL, 0, "no trap found in the file", id="good"),
        pytest.param(SMALL.replace("16}", "16, perNode: 26}"), 1, "1 trap", id="trap"),
    ],
)
def test_a_file_needs_no_master(tmp_path: Path, text: str, status: int, last: str) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(text)
    done = run(tmp_path, "-f", str(file))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (status, last)
    assert done.stderr == "no master answers, so no node was asked\n"


def test_what_is_wrong_in_a_file_is_told_as_ever(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(SMALL.replace("10.9.0.21", "10.10.0.21"))
    done = run(tmp_path, "-f", str(file))
    assert done.returncode == 2
    assert "lies in network.pods" in done.stderr


def test_without_a_file_a_master_is_needed(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 1
    assert "cannot reach the master" in done.stderr
