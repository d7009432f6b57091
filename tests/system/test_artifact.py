"""artifact on a real disk: a binary that runs, and a tree that a second program made."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest
from saltern_agent.host.blobs import DiskBlobs
from saltern_states.artifact import KIND, Artifact

from tests.system.disk_node import converge, differences, node_below, snapshot, take_back
from tests.system.event_namespaces import run

pytestmark = pytest.mark.system


def bring(directory: Path, content: bytes) -> str:
    blob = sha256(content).hexdigest()
    DiskBlobs(directory).add(blob, [content])
    return blob


def test_a_binary_runs_after_it_replaced_the_one_that_is_running(tmp_path: Path) -> None:
    top = tmp_path / "root"
    (top / "bin").mkdir(parents=True)
    node, bare = node_below(top, tmp_path / "blobs"), snapshot(top)
    program = top / "bin/echo"
    for content in (Path("/usr/bin/true").read_bytes(), Path("/usr/bin/echo").read_bytes()):
        want = Artifact(path="/bin/echo", sha256=bring(tmp_path / "blobs", content))
        with open(program if program.exists() else os.devnull, "rb"):  # as a running one would
            assert len(converge(KIND, node, want)) == 1
    assert differences(bare, snapshot(top)) == {"bin/echo"}
    assert run(str(program), "works") == "works\n"

    assert take_back(KIND, node, want) == ["remove /bin/echo"]
    assert snapshot(top) == bare


def test_a_tree_is_what_tar_makes_of_the_archive(tmp_path: Path) -> None:
    source, top = tmp_path / "source", tmp_path / "root"
    (source / "share/doc").mkdir(parents=True)
    (source / "share/doc/NOTICE").write_text("notice")
    for number in range(20):
        (source / f"plugin-{number}").write_bytes(os.urandom(50_000))
        (source / f"plugin-{number}").chmod(0o755)
    (source / "first").symlink_to("plugin-0")
    os.link(source / "plugin-1", source / "same")
    run("/usr/bin/tar", "-C", str(source), "-cJf", str(tmp_path / "a.tar.xz"), ".")
    (top / "opt").mkdir(parents=True)
    node, bare = node_below(top, tmp_path / "blobs"), snapshot(top)
    blob = bring(tmp_path / "blobs", (tmp_path / "a.tar.xz").read_bytes())
    want = Artifact(path="/opt/cni", sha256=blob, unpack="tar")

    assert len(converge(KIND, node, want)) == 1

    made = snapshot(top / "opt/cni")
    assert made.pop(".saltern-manifest")[0] == "-rw-------"
    assert made == snapshot(source)
    assert os.listdir(top / "opt") == ["cni"]
    (top / "opt/cni/plugin-3").write_bytes(b"")
    (top / "opt/cni/stray").mkdir()
    assert len(converge(KIND, node, want)) == 1
    again = snapshot(top / "opt/cni")
    del again[".saltern-manifest"]
    assert again == made
    assert take_back(KIND, node, want) == ["remove /opt/cni and all that is in it"]
    assert snapshot(top) == bare
