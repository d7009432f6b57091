"""The image of Debian's etcd: it runs with what is in it, and with nothing of this machine."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest
from saltern_master.images.etcd import add_etcd_image
from saltern_master.library import Library
from saltern_master.versions import minor_of

pytestmark = pytest.mark.system


def silent(_line: str) -> None:
    return None


def test_it_runs_alone_and_is_the_one_that_is_compiled_in(tmp_path: Path) -> None:
    library = Library(tmp_path / "home")
    image = add_etcd_image(library, silent)
    root = tmp_path / "root"
    with tarfile.open(library.path(image.archive_sha256)) as archive:
        layer = max(archive, key=lambda part: part.size)
        archive.extract(layer, tmp_path)
    root.mkdir()
    subprocess.run(["/usr/bin/tar", "-xf", tmp_path / layer.name, "-C", root], check=True)

    said = subprocess.run(
        ["/usr/sbin/chroot", str(root), "/etcd", "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout

    minor = minor_of("1.20.2")
    assert minor is not None
    assert said.splitlines()[0] == f"etcd Version: {minor.etcd}"
    assert image.name == f"saltern/etcd:{minor.etcd}"
    again = add_etcd_image(Library(tmp_path / "again"), silent)
    assert again == image
