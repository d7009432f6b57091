"""Upgrades with a real dpkg, below a directory: its contract, the way back, kills at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from saltern_agent.upgrade.machine import DPKG
from saltern_agent.upgrade.repack import RepackError, repack

from tests.contracts.upgrade_laws import *  # noqa: F403  # each of its tests is one of ours
from tests.upgrade.debs import TREE, build
from tests.upgrade.ground import OPTIONS, FileUnit, audit, dpkg_of, lay_out
from tests.upgrade.kills import kills

pytestmark = pytest.mark.system


class RealGround:
    """A real dpkg, whose records and files are below a directory."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "machine"
        lay_out(self.root)
        self.packages = dpkg_of(self.root)
        self.unit = FileUnit(self.root)

    def deb(self, version: str, fault: str = "") -> Path:
        scripts = {"postinst": "exit 1"} if fault == "postinst" else {}
        made = build(self.folder, version, "well", scripts)
        if fault == "torn":
            made.write_bytes(made.read_bytes()[:-4096])
        return made

    def break_off(self, version: str) -> None:
        """Have dpkg killed while a script of the package runs."""
        mark = self.root / "unpacked"
        script = {"postinst": f"touch {mark}; sleep 60"}
        file = build(self.folder, version, "well", script)
        command = [DPKG, f"--root={self.root}", *OPTIONS, "--install", str(file)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        until = time.monotonic() + 20
        while not mark.exists():
            assert time.monotonic() < until
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        mark.unlink()


@pytest.fixture
def ground(tmp_path: Path) -> RealGround:
    return RealGround(tmp_path)


def files_of(root: Path) -> dict[str, tuple[int, bytes]]:
    """Give all that a package brought, by its path."""
    return {
        str(path.relative_to(root)): (path.stat().st_mode, path.read_bytes())
        for path in sorted((root / TREE).rglob("*"))
        if path.is_file()
    }


def test_the_way_back_brings_what_was_installed(ground: RealGround, tmp_path: Path) -> None:
    scripts = {name: f"echo {name} $1 >> {tmp_path}/ran" for name in ("postinst", "prerm")}
    old = build(tmp_path, "1.0", "well", scripts)
    ground.packages.install(old)
    before = files_of(ground.root)
    with (tmp_path / "back.deb").open("w+b") as file:
        repack("saltern-agent", file, ground.root)
    assert ground.packages.install(ground.deb("2.0")) == ""
    (tmp_path / "ran").unlink()

    assert ground.packages.install(tmp_path / "back.deb") == ""

    assert ground.packages.installed() == "1.0"
    assert files_of(ground.root) == before
    assert audit(ground.root) == ""
    assert (tmp_path / "ran").read_text() == "postinst configure\n"  # 2.0 has no prerm to run
    told = [
        subprocess.run(
            ["/usr/bin/dpkg-deb", "--field", str(one)], check=True, capture_output=True
        ).stdout
        for one in (old, tmp_path / "back.deb")
    ]
    assert sorted(told[0].splitlines()) == sorted(told[1].splitlines())


def test_a_way_back_can_be_made_of_what_a_way_back_brought(
    ground: RealGround, tmp_path: Path
) -> None:
    ground.packages.install(ground.deb("1.0"))
    for name, second in (("first", 1_000_000_000), ("second", 1_000_000_001)):
        # dpkg gives files their times back, and leaves directories the time of what it did there.
        os.utime(ground.root / TREE, (second, second))
        with (tmp_path / name).open("w+b") as file:
            repack("saltern-agent", file, ground.root)
        assert ground.packages.install(tmp_path / name) == ""

    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_there_is_no_way_back_to_what_is_no_package_any_more(
    ground: RealGround, tmp_path: Path
) -> None:
    ground.packages.install(ground.deb("1.0"))
    part = ground.root / TREE / "part03.py"
    with (tmp_path / "back").open("w+b") as file:
        part.write_text("mended by hand\n")
        with pytest.raises(RepackError, match=r"part03.py is not as its package brought it"):
            repack("saltern-agent", file, ground.root)
        part.unlink()
        with pytest.raises(RepackError, match=r"part03.py is missing"):
            repack("saltern-agent", file, ground.root)
        with pytest.raises(RepackError, match="dpkg knows no package nothing"):
            repack("nothing", file, ground.root)


@dataclass
class Meanwhile:
    """A file into which somebody is packing while something else happens, once."""

    file: BinaryIO
    happens: Callable[[], object]
    over: bool = False

    def __getattr__(self, name: str) -> object:
        return getattr(self.file, name)

    def write(self, content: bytes) -> int:
        if not self.over:
            self.over = True
            self.happens()
        return self.file.write(content)


def test_a_release_that_comes_while_the_way_back_is_made_makes_none_of_both(
    ground: RealGround, tmp_path: Path
) -> None:
    """Somebody installs by hand just then: what is half of each would be called whole."""
    ground.packages.install(ground.deb("1.0"))
    other = ground.deb("2.0")
    with (tmp_path / "back").open("w+b") as file:
        meanwhile = Meanwhile(file, lambda: ground.packages.install(other))
        with pytest.raises(RepackError, match="another release was installed meanwhile"):
            repack("saltern-agent", cast(BinaryIO, meanwhile), ground.root)


def test_a_file_that_is_changed_while_the_way_back_is_made_is_none(
    ground: RealGround, tmp_path: Path
) -> None:
    ground.packages.install(ground.deb("1.0"))
    part = ground.root / TREE / "part03.py"
    with (tmp_path / "back").open("w+b") as file:
        meanwhile = Meanwhile(file, lambda: part.write_text("mended by hand just now\n"))
        with pytest.raises(RepackError, match=r"part03.py is not as its package brought it"):
            repack("saltern-agent", cast(BinaryIO, meanwhile), ground.root)


def test_a_package_of_another_encoding_hinders_no_way_back(
    ground: RealGround, tmp_path: Path
) -> None:
    """dpkg takes any bytes in a field; old packages of others have Latin 1 there."""
    ground.packages.install(ground.deb("1.0"))
    status = ground.root / "var/lib/dpkg/status"
    other = (
        "Package: other\nStatus: install ok installed\nMaintainer: J\xf6rg <j@example.org>\n"
        "Architecture: all\nVersion: 1\nDescription: old\n\n"
    )
    for name in ("list", "md5sums"):
        (ground.root / f"var/lib/dpkg/info/other.{name}").touch()
    status.write_bytes(other.encode("latin-1") + status.read_bytes())
    with (tmp_path / "back.deb").open("w+b") as file:
        repack("saltern-agent", file, ground.root)

    assert ground.packages.install(tmp_path / "back.deb") == ""
    assert ground.packages.installed() == "1.0"


@pytest.mark.timeout(240)
def test_twenty_kills_at_random_moments_leave_one_working_agent_each(tmp_path: Path) -> None:
    """`make test-upgrade-kills`: two hundred."""
    tally = kills(tmp_path, seed=int.from_bytes(os.urandom(2), "big"), wanted=20)

    assert tally.broken == [], "\n".join(tally.lines())
    assert sum(tally.kills.values()) >= 20
    assert tally.ends["done"] > 0
