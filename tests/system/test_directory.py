"""directory on a real disk: the planned changes and no others."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltern_states.directory import KIND, Directory

from tests.system.disk_node import converge, differences, node_below, snapshot, take_back

pytestmark = pytest.mark.system

PATH = "/etc/kubernetes/manifests"
WANT = Directory(path=PATH, mode="0700", group="daemon", only=("etcd.yaml",))


def test_it_is_made_swept_and_taken_back(tmp_path: Path) -> None:
    top = tmp_path / "root"
    (top / "etc/kubernetes").mkdir(parents=True)
    node, bare = node_below(top, tmp_path / "blobs"), snapshot(top)
    assert converge(KIND, node, WANT) == [f"make directory {PATH} (0700 root:daemon)"]
    whole = snapshot(top)
    assert differences(bare, whole) == {"etc/kubernetes/manifests"}
    assert whole["etc/kubernetes/manifests"][:3] == ("drwx------", 0, 1)
    manifests = top / "etc/kubernetes/manifests"
    for name in ("etcd.yaml", ".etcd.yaml.swp", "etcd.yaml.bak"):
        (manifests / name).write_text("a: 1\n")
    (manifests / "old").mkdir()
    before = snapshot(top)

    swept = converge(KIND, node, WANT)

    assert swept == [f"remove {PATH}/etcd.yaml.bak", f"remove {PATH}/old"]
    assert differences(before, snapshot(top)) == {
        "etc/kubernetes/manifests/etcd.yaml.bak",
        "etc/kubernetes/manifests/old",
    }
    for name in ("etcd.yaml", ".etcd.yaml.swp"):
        (manifests / name).unlink()
    assert take_back(KIND, node, WANT) == [f"remove {PATH}"]
    assert snapshot(top) == bare
