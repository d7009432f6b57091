"""A real agent of a real master leaves clean, is a node no more, and joins anew."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltern_agent.leaving import NO_NODE
from saltern_master.bench.crowd.body import cluster_file
from saltern_master.bench.crowd.crowd import PROGRAMS, Crowd
from saltern_master.lab.fleet import wait_for

from tests.system.test_cloned_node import begin, stands

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
SECONDS = 60.0


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Crowd]:
    tmp_path.chmod(0o711)
    one = Crowd(tmp_path, 2)
    try:
        one.start_master()
        one.join()
        yield one
    finally:
        one.close()


def remove(crowd: Crowd, *words: str) -> subprocess.CompletedProcess[str]:
    home = {"SALTERN_HOME": str(crowd.home)}
    command = [str(PROGRAMS / "saltern"), "node", "remove", "--yes", *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, env=home, check=False
    )


def join(crowd: Crowd, name: str) -> subprocess.CompletedProcess[str]:
    made = json.loads(crowd.saltern("node", "token", name, "--output", "json"))
    own = crowd.folder / name
    places = [(f"--{one}", str(own / one)) for one in ("config", "state", "run", "root")]
    words = [str(PROGRAMS / "saltern-agent"), *(word for pair in places for word in pair)]
    return subprocess.run(
        [*words, "join", "-"],
        input=made["token"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_a_node_leaves_clean_and_joins_anew(crowd: Crowd) -> None:
    bare = stands(crowd, "n001")
    crowd.apply(cluster_file(crowd.names, "one"))
    held = stands(crowd, "n001")
    assert len(held) > len(bare)
    incarnation = crowd.client.node("n001").incarnation

    done = remove(crowd, "n001", "--clean")

    assert done.returncode == 0, done.stderr
    assert crowd.agents["n001"].wait(SECONDS) == NO_NODE
    assert stands(crowd, "n001") == bare
    assert not (crowd.folder / "n001/config/identity").exists()
    assert [one.name for one in crowd.client.status().nodes if one.state == "joined"] == ["n002"]
    assert len(stands(crowd, "n002")) == len(held), "the other keeps what it has"

    again = join(crowd, "n001")
    assert again.returncode == 0, again.stderr
    crowd.agents["n001"] = begin(crowd, "n001")
    wait_for("it to hold its document", lambda: stands(crowd, "n001") == held, SECONDS)
    assert crowd.client.node("n001").incarnation != incarnation
