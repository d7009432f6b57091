"""Further releases, made of a package that was built: well ones, ill ones, and the one before.

Each is the built package with another version: with a line of Python more where it shall be ill,
and with our own modules as git's history has them where it shall be older.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

DPKG_DEB: Final = "/usr/bin/dpkg-deb"
TREE: Final = "usr/lib/saltern-agent"
FAULTS: Final = {
    "deaf": ("link/link.py", "\n\nMasterLink._connect = lambda *_: None\n"),
    "crashing": ("__main__.py", None),
}
"""What ails one: a module, and what stands at its end; None: at its beginning it raises."""


def release(built: Path, version: str, into: Path, fault: str = "") -> Path:
    """Make a release of another version; `fault`: one of FAULTS."""
    room = unpacked(built, into, version)
    own = room / TREE / "saltern_agent"
    put(own / "__init__.py", r'__version__ = "[^"]*"', f'__version__ = "{version}"')
    if fault:
        name, line = FAULTS[fault]
        text = (own / name).read_text()
        ill = f"raise SystemExit(1)\n{text}" if line is None else f"{text}{line}"
        (own / name).write_text(ill)
    return packed(room, version, into)


def older(built: Path, version: str, into: Path, before: Path) -> Path:
    """Make the release before this one. `before`: its source, by distributions."""
    room = unpacked(built, into, version)
    (tree,) = (room / "usr/lib").glob("saltern-*")
    for theirs in before.glob("*/saltern_*"):
        if (ours := tree / theirs.name).is_dir():
            shutil.rmtree(ours)
            shutil.copytree(theirs, ours)
    own = tree / "saltern_agent/__init__.py"
    if own.exists():
        put(own, r'__version__ = "[^"]*"', f'__version__ = "{version}"')
    return packed(room, version, into)


def unpacked(built: Path, into: Path, version: str) -> Path:
    """Take a package apart; gives the folder."""
    room = into / f"room-{version}"
    shutil.rmtree(room, ignore_errors=True)
    run(DPKG_DEB, "--raw-extract", str(built), str(room))
    return room


def packed(room: Path, version: str, into: Path) -> Path:
    """Put a package together again, of another version."""
    control = room / "DEBIAN/control"
    put(control, r"(?m)^Version: [^-\n]*", f"Version: {version}")
    said = dict(line.split(": ", 1) for line in control.read_text().splitlines() if ": " in line)
    (room / "DEBIAN/md5sums").write_text(sums(room))
    made = into / f"{said['Package']}_{said['Version']}_{said['Architecture']}.deb"
    run(DPKG_DEB, "--root-owner-group", "-Zgzip", "-z1", "--build", str(room), str(made))
    shutil.rmtree(room)
    return made


def put(path: Path, pattern: str, text: str) -> None:
    """Put a text in place of what is there."""
    changed, count = re.subn(pattern, text, path.read_text())
    assert count == 1, f"{path}: {count} times {pattern}"
    path.write_text(changed)


def sums(room: Path) -> str:
    """Give the lines of md5sums."""
    files = (path for path in sorted(room.rglob("*")) if path.is_file() and not path.is_symlink())
    return "".join(
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {inside}\n"
        for path in files
        if not (inside := path.relative_to(room)).is_relative_to("DEBIAN")
    )


def run(*argv: str) -> None:
    """Run a program that has to succeed."""
    subprocess.run(argv, check=True, capture_output=True, timeout=120)
