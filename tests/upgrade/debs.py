"""Tiny packages of an agent, made by dpkg-deb as real ones are; what is in them says whose."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

Behaviour = Literal["well", "silent", "dies", "slow"]
"""What the agent in it does: reach its master; say nothing; reach it and die; be kept waiting."""

TREE = "usr/lib/saltern-agent"
FILES = 12
SCRIPT = "#!/bin/sh\nset -e\n{}\n"
MANIFEST = """\
Package: saltern-agent
Version: {version}
Architecture: all
Maintainer: Nobody <nobody@example.org>
Description: an agent for tests
 It has a second line.
"""


def tree(version: str, behaviour: Behaviour) -> Mapping[str, bytes]:
    """Give the files of a package, by their paths below the root."""
    files = {
        f"{TREE}/part{number:02}.py": f"{version} {number}\n".encode() * 50
        for number in range(FILES)
    }
    own = {f"{TREE}/only-in-{version}": b"", f"{TREE}/version": version.encode()}
    return {**files, **own, f"{TREE}/behaviour": behaviour.encode()}


def build(
    folder: Path,
    version: str,
    behaviour: Behaviour = "well",
    scripts: Mapping[str, str] | None = None,
    fields: str = "",
) -> Path:
    """Make a package; `scripts`: lines of shell by name; `fields`: more of its control file."""
    room = folder / f"room-{version}"
    shutil.rmtree(room, ignore_errors=True)
    sums = ""
    for path, content in tree(version, behaviour).items():
        (room / path).parent.mkdir(parents=True, exist_ok=True)
        (room / path).write_bytes(content)
        sums += f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}  {path}\n"
    (room / "DEBIAN").mkdir(mode=0o755)
    (room / "DEBIAN/control").write_text(MANIFEST.format(version=version) + fields)
    (room / "DEBIAN/md5sums").write_text(sums)
    for name, lines in (scripts or {}).items():
        script = room / "DEBIAN" / name
        script.write_text(SCRIPT.format(lines))
        script.chmod(0o755)
    made = folder / f"saltern-agent_{version}_{behaviour}.deb"
    subprocess.run(
        ["/usr/bin/dpkg-deb", "--root-owner-group", "-Znone", "--build", str(room), str(made)],
        check=True,
        capture_output=True,
    )
    shutil.rmtree(room)
    return made
