"""swap against this kernel, with an area in a file of the test's own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltern_states.swap import KIND, Swap

from tests.system.disk_node import converge, differences, node_below, snapshot, take_back
from tests.system.event_namespaces import run

pytestmark = pytest.mark.system

SWAPS = Path("/proc/swaps")


@pytest.fixture
def disk() -> Iterator[Path]:
    """A directory that is on a disk: /tmp is in memory on many machines, and nobody swaps there."""
    with tempfile.TemporaryDirectory(prefix="saltern-swap-", dir="/var/tmp") as folder:
        yield Path(folder)


def test_an_area_is_turned_off_and_stays_off(tmp_path: Path, disk: Path) -> None:
    """Swap areas are in no namespace, so this runs only where the machine has none."""
    if not SWAPS.exists() or len(SWAPS.read_text().splitlines()) > 1:
        pytest.skip("this machine swaps, and this test would turn that off")
    area, top = disk / "an area", tmp_path / "root"
    area.touch(mode=0o600)
    with open(area, "r+b") as file:
        file.write(b"\0" * (1 << 20))
    run("/usr/sbin/mkswap", "--", str(area))
    (top / "etc").mkdir(parents=True)
    fstab = f"UUID=1 / ext4 defaults 0 1\n{str(area).replace(' ', chr(92) + '040')} none swap sw\n"
    (top / "etc/fstab").write_text(fstab)
    node, bare = node_below(top, tmp_path / "blobs"), snapshot(top)
    run("/usr/sbin/swapon", "--", str(area))
    try:
        assert len(converge(KIND, node, Swap())) == 2
        assert len(SWAPS.read_text().splitlines()) == 1
        assert differences(bare, snapshot(top)) == {"etc/fstab"}
        assert len(take_back(KIND, node, Swap())) == 1
        assert snapshot(top) == bare
    finally:
        if str(area.name).split()[0] in SWAPS.read_text():
            run("/usr/sbin/swapoff", "--", str(area))
