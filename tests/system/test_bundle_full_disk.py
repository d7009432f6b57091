"""Import where the disk is full, or becomes so: it is told, nothing is half, and it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from saltern_master.bundle.bring import bring
from saltern_master.bundle.create import create, plan
from saltern_master.bundle.manifest import BundleError
from saltern_master.bundle.needs import Contents
from saltern_master.bundle.reading import opened
from saltern_master.errors import MasterError
from saltern_master.library import Index, Library

from tests.master.bundles import KEY, chosen, made_library, nothing
from tests.master.clusters import SMALL
from tests.system.event_namespaces import mount_namespace, run

pytestmark = pytest.mark.system
MIB = 1024 * 1024
LARGE = 24 * MIB


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a bundle of what a small cluster needs, and of a large content beside it."""
    maker = made_library(tmp_path / "maker")
    large = maker.add_bytes(b"large" * (LARGE // 5))
    needed = chosen(maker, SMALL)
    contents = Contents(needed.stock, (large,), ())
    planned = plan("demo", SMALL.encode(), contents, (), maker)
    create(planned, [KEY], tmp_path / "file", nothing)
    return tmp_path / "file"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of 96 MiB."""
    (tmp_path / "disk").mkdir()
    with mount_namespace():
        run("/usr/bin/mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(tmp_path / "disk"))
        yield tmp_path / "disk"


def left(disk: Path) -> set[str]:
    """Name what import wrote, but locks."""
    below = (disk / "home").rglob("*")
    return {one.name for one in below if one.is_file() and "lock" not in one.name}


def test_too_little_room_is_told_before_anything_is_written(file: Path, disk: Path) -> None:
    filler = disk / "filler"
    filler.write_bytes(bytes(20 * MIB))  # what is left holds the contents, and spares nothing
    with opened(file) as bundle, pytest.raises(BundleError, match="make room"):
        bring(bundle, Library(disk / "home"), nothing)
    assert left(disk) == set()
    filler.unlink()
    with opened(file) as bundle:
        bring(bundle, Library(disk / "home"), nothing)
        assert Library(disk / "home").list() == bundle.manifest.stock


def test_a_disk_that_fills_meanwhile_leaves_nothing_half(file: Path, disk: Path) -> None:
    library, filler = Library(disk / "home"), disk / "filler"
    with opened(file) as bundle:
        done = 0

        def progress(size: int) -> None:
            nonlocal done
            if done == bundle.manifest.size:  # all was compared, and there was room
                filler.write_bytes(bytes(80 * MIB))
            done += size

        with pytest.raises(MasterError, match="No space left on device"):
            bring(bundle, library, progress)
        assert library.list() == Index()
        assert not [name for name in left(disk) if name.startswith(".")]
        filler.unlink()
        bring(bundle, library, nothing)
        assert library.list() == bundle.manifest.stock
