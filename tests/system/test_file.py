"""file on a real disk: the planned changes and no others."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltern_states.file import KIND, File

from tests.system.disk_node import converge, differences, node_below, snapshot, take_back

pytestmark = pytest.mark.system

WANT = File(path="/etc/docker/daemon.json", text='{"bridge": "cbr0"}\n', mode="0640", group="1")


def test_it_is_made_mended_and_taken_back(tmp_path: Path) -> None:
    top = tmp_path / "root"
    (top / "etc/docker").mkdir(parents=True)
    (top / "etc/docker/key.json").write_text("theirs")
    node, bare = node_below(top, tmp_path / "blobs"), snapshot(top)

    made = converge(KIND, node, WANT)

    line = f"{WANT.path} (19 bytes, 0640 root:1)"
    whole = snapshot(top)
    assert (made, differences(bare, whole)) == ([f"create {line}"], {"etc/docker/daemon.json"})
    assert whole["etc/docker/daemon.json"][:3] == ("-rw-r-----", 0, 1)
    (top / "etc/docker/daemon.json").write_text("{}")
    (top / "etc/docker/daemon.json").chmod(0o666)
    assert converge(KIND, node, WANT) == [f"write {line}"]
    assert snapshot(top) == whole
    (top / "etc/docker/daemon.json").chmod(0o666)
    assert converge(KIND, node, WANT) == [f"set {WANT.path} to 0640 root:1 (was 0666 root:daemon)"]
    assert snapshot(top) == whole
    assert take_back(KIND, node, WANT) == [f"remove {WANT.path}"]
    assert snapshot(top) == bare
