"""The command line, a real master, real agents: what goes out well, and what its canary stops."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from tests.master.homes import made_home
from tests.master.test_core_process import running, wait
from tests.master.test_plan_end_to_end import DAEMON, NAMES, agent, cluster_file, ended

SALTERN = (sys.executable, "-c", "from saltern_master.cli import main; main()")
FAST = ("--soak", "0", "--hold", "0")


def saltern(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SALTERN, *words, "--home", str(home)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def written(path: Path, word: str) -> str:
    path.write_text(cluster_file(word))
    return str(path)


@pytest.mark.timeout(150)
def test_a_change_goes_out_and_a_bad_one_is_stopped_by_its_canary_and_taken_back(
    tmp_path: Path,
) -> None:
    home = made_home(tmp_path)
    roots = [tmp_path / name for name in NAMES]
    with (
        running(home) as master,
        agent(master.client, NAMES[0], roots[0]) as first,
        agent(master.client, NAMES[1], roots[1]) as second,
    ):
        client = master.client
        wait("both are here", lambda: sum(one.connected for one in client.status().nodes) == 2)
        assert ended(client, client.apply(cluster_file("one").encode())) == dict.fromkeys(
            NAMES, "changed"
        )

        good = saltern(home.path, "rollout", "start", "-f", written(tmp_path / "two", "two"), *FAST)
        assert good.returncode == 0, good.stderr
        assert "b1  wave 1, done" in good.stderr
        assert "b2  wave 2, done" in good.stderr
        assert (first.read_text(), second.read_text()) == ("two\n", "two\n")

        (roots[0] / "etc/docker/extra").write_text(
            "no directory"
        )  # so that the canary cannot have it
        bad = cluster_file("three").replace(f"/{DAEMON}", "/etc/docker/extra/file")
        (tmp_path / "three").write_text(bad)
        words = ("rollout", "start", "-f", str(tmp_path / "three"), "--on-spent", "undo", *FAST)
        undone = saltern(home.path, *words, "--output", "json")
        events = [json.loads(line) for line in undone.stdout.splitlines()]
        assert undone.returncode == 1, undone.stderr
        last = events[-1]["rollout"]
        assert (last["undoes"], last["revision"]) == (2, 2)
        assert [one["node"] for one in last["nodes"]] == ["b1"]
        assert second.read_text() == "two\n"
        assert not (roots[1] / "etc/docker/extra").exists()

        listed = json.loads(saltern(home.path, "rollout", "list", "--output", "json").stdout)
        assert [(one["rollout"], one["phase"], one["undoneBy"]) for one in listed] == [
            (3, last["phase"], 0),
            (2, "aborted", 3),
            (1, "done", 0),
        ]


@pytest.mark.timeout(150)
def test_who_follows_is_told_of_the_masters_death_and_follows_on(tmp_path: Path) -> None:
    home, root = made_home(tmp_path), tmp_path / NAMES[0]
    with running(home) as master, agent(master.client, NAMES[0], root) as held:
        wait("it is here", lambda: any(one.connected for one in master.client.status().nodes))
        ended(master.client, master.client.apply(cluster_file("one").encode()))
        path = written(tmp_path / "two", "two")
        words = ("rollout", "start", "-f", path, "--hold", "1h", "--home", str(home.path))
        with subprocess.Popen(
            [*SALTERN, *words], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        ) as following:
            assert following.stderr is not None
            told = following.stderr
            heard(told, "b1  wave 1, settling")
            assert held.read_text() == "two\n"
            master.process.kill()
            master.process.wait(20)
            heard(told, "the master does not answer; the rollout goes on when it is back")
            with running(home) as again:
                assert again.client.rollout(1).phase == "running"
                assert saltern(home.path, "rollout", "pause").returncode == 0
                heard(told, "paused by ")
                assert following.wait(30) == 3


def heard(told: IO[str], text: str) -> None:
    """Read lines until one has this text."""
    seen = []
    for line in told:
        seen.append(line)
        if text in line:
            return
    raise AssertionError(f"{text} is not in {seen}")
