"""Two real agents with one key, the directories of one copied: both are shut out, told, alarmed.

The other node of the same master goes on; nothing that stands on the machine is changed; when the
copy is gone and an operator unlocks it, the node is back.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltern_master.bench.crowd.body import cluster_file
from saltern_master.bench.crowd.crowd import PROGRAMS, Crowd
from saltern_master.lab.fleet import wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]
SECONDS = (
    120.0  # three rounds of heartbeats, each of 15 s, on a machine that has other things to do
)


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


def begin(crowd: Crowd, name: str) -> subprocess.Popen[bytes]:
    own = crowd.folder / name
    places = [(f"--{one}", str(own / one)) for one in ("config", "state", "run", "root")]
    words = [str(PROGRAMS / "saltern-agent"), *(word for pair in places for word in pair), "run"]
    with (crowd.folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(40)


def state(crowd: Crowd, name: str) -> str:
    return {one.name: one.state for one in crowd.client.status().nodes}[name]


def link_of(crowd: Crowd, name: str) -> str:
    own = crowd.folder / name
    words = [str(PROGRAMS / "saltern-agent"), "--run", str(own / "run"), "status"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    return done.stdout


def stands(crowd: Crowd, name: str) -> dict[str, bytes]:
    root = crowd.folder / name / "root"
    return {str(one): one.read_bytes() for one in sorted(root.rglob("*")) if one.is_file()}


def test_both_are_shut_out_and_one_comes_back(crowd: Crowd) -> None:
    crowd.apply(cluster_file(crowd.names, "one"))
    held = stands(crowd, "n001")
    shutil.copytree(crowd.folder / "n001", crowd.folder / "copy", symlinks=True, ignore=_sockets)
    copy = begin(crowd, "copy")
    try:
        wait_for("the node to be locked", lambda: state(crowd, "n001") == "locked", SECONDS)
        view = crowd.client.status()
        assert [(one.kind, one.node) for one in view.alarms] == [("locked", "n001")]
        assert {one.name: one.connected for one in view.nodes} == {"n001": False, "n002": True}
        wait_for("the one to be told", lambda: "(locked)" in link_of(crowd, "n001"), SECONDS)
        wait_for("the other to be told", lambda: "(locked)" in link_of(crowd, "copy"), SECONDS)
        assert stands(crowd, "n001") == held
        crowd.apply(cluster_file(crowd.names, "two"))
        assert state(crowd, "n001") == "locked"
    finally:
        end(copy)

    end(crowd.agents["n001"])
    assert stands(crowd, "n001") == held
    crowd.saltern("node", "unlock", "n001")
    crowd.agents["n001"] = begin(crowd, "n001")
    wait_for("the node to be back", lambda: crowd.connected() == 2, SECONDS)
    assert crowd.client.status().alarms == ()


def test_an_agent_that_is_started_again_and_again_is_not_locked(crowd: Crowd) -> None:
    for number in range(8):
        agent = crowd.agents["n001"]
        agent.kill() if number % 2 else agent.terminate()
        agent.wait(40)
        crowd.agents["n001"] = begin(crowd, "n001")
        if number % 3:
            wait_for("it to be back", lambda: crowd.connected() == 2, SECONDS)
    wait_for("it to be back", lambda: crowd.connected() == 2, SECONDS)

    assert state(crowd, "n001") == "joined"
    assert crowd.client.status().alarms == ()


def _sockets(_directory: str, names: list[str]) -> list[str]:
    return [name for name in names if name.endswith((".sock", ".lock"))]
