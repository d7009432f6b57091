"""Files on filesystems that refuse: the sentence says what to do, and nothing was changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from saltern_agent.host.blobs import DiskBlobs
from saltern_states.ports import Entry, Host, HostError

from tests.contracts.grounds import archive
from tests.system.disk_node import differences, node_below, snapshot
from tests.system.event_namespaces import mount_namespace, run

pytestmark = pytest.mark.system

PATH = Path("/mnt/a.conf")


@pytest.fixture
def top(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "root/mnt").mkdir(parents=True)
    with mount_namespace():
        yield tmp_path / "root"


@pytest.fixture
def node(top: Path, tmp_path: Path) -> Host:
    return node_below(top, tmp_path / "blobs")


def mount(at: Path, options: str, kind: str = "tmpfs", source: str = "tmpfs") -> None:
    run("/usr/bin/mount", "-t", kind, "-o", options, "--", source, str(at))


def write(node: Host, content: bytes, owner: str = "root") -> None:
    node.files.write(PATH, node.files.look(PATH), content, 0o640, owner, owner)


def test_owner_and_mode_are_those_that_were_asked_for(node: Host, top: Path) -> None:
    write(node, b"one", "daemon")

    found = (top / "mnt/a.conf").stat()
    assert (stat.filemode(found.st_mode), found.st_uid, found.st_gid) == ("-rw-r-----", 1, 1)
    was = node.files.look(PATH)
    assert was is not None
    node.files.set_access(PATH, was, 0o4750, "root", "daemon")
    assert node.files.look(PATH) == Entry("file", 0o4750, "root", "daemon", was.sha256, 3)


def test_a_read_only_filesystem(node: Host, top: Path) -> None:
    mount(top / "mnt", "ro")
    with pytest.raises(HostError, match=r"cannot write /mnt/a\.conf: its filesystem is read-only"):
        write(node, b"one")


def test_a_full_filesystem_keeps_what_was_there(node: Host, top: Path) -> None:
    mount(top / "mnt", "size=64k")
    write(node, b"one" * 5000)
    before = snapshot(top)

    with pytest.raises(HostError, match=r"cannot write /mnt/a\.conf: its filesystem is full"):
        write(node, b"x" * 60_000)

    assert differences(before, snapshot(top)) == set()


def test_a_file_that_is_a_mount_point(node: Host, top: Path) -> None:
    (top / "mnt/a.conf").write_bytes(b"below")
    (top / "host.conf").write_bytes(b"the host's")
    run("/usr/bin/mount", "--bind", "--", str(top / "host.conf"), str(top / "mnt/a.conf"))
    assert node.files.read(PATH) == b"the host's"
    before = snapshot(top)

    with pytest.raises(HostError, match=r"cannot write /mnt/a\.conf: it is a mount point"):
        write(node, b"one")

    assert differences(before, snapshot(top)) == set()


def test_an_immutable_file(node: Host, top: Path) -> None:
    (top / "mnt/a.conf").write_bytes(b"fixed")
    run("/usr/bin/chattr", "+i", "--", str(top / "mnt/a.conf"))
    try:
        with pytest.raises(HostError, match=r"cannot write /mnt/a\.conf: .*immutable \(lsattr\)"):
            write(node, b"one")
    finally:
        run("/usr/bin/chattr", "-i", "--", str(top / "mnt/a.conf"))
    assert snapshot(top / "mnt").keys() == {".", "a.conf"}


def test_a_device_is_seen_and_not_opened(node: Host, top: Path) -> None:
    # a number that no driver has: to open it would be ENXIO
    os.mknod(top / "mnt/a.conf", stat.S_IFCHR | 0o600, os.makedev(240, 77))

    assert node.files.look(PATH) == Entry("other", 0o600, "root", "root")
    with pytest.raises(HostError, match=r"cannot read /mnt/a\.conf: it is no file"):
        node.files.read(PATH)


def test_on_an_overlay_files_and_trees_are_replaced_like_anywhere(
    node: Host, top: Path, tmp_path: Path
) -> None:
    layers = {name: tmp_path / name for name in ("lower", "upper", "work")}
    for path in layers.values():
        path.mkdir()
    (layers["lower"] / "tree").mkdir()
    (layers["lower"] / "a.conf").write_bytes(b"of the image")
    options = f"lowerdir={layers['lower']},upperdir={layers['upper']},workdir={layers['work']}"
    mount(top / "mnt", options, "overlay", "overlay")
    write(node, b"one")
    tree = Path("/mnt/tree")
    for content in (b"1", b"2"):
        blob = put_blob(node, archive({"bin/a": content}))
        node.trees.unpack(tree, node.trees.look(tree), blob, 0o755, "root", "root")

    assert (layers["lower"] / "a.conf").read_bytes() == b"of the image"
    assert node.files.read(PATH) == b"one"
    assert node.files.read(tree / "bin/a") == b"2"
    assert node.files.names(Path("/mnt")) == ("a.conf", "tree")


def put_blob(node: Host, content: bytes) -> str:
    assert isinstance(node.blobs, DiskBlobs)
    blob = sha256(content).hexdigest()
    node.blobs.add(blob, [content])
    return blob
