"""Releases of the agent: a .deb file's own word on what it is, and for which machines.

A package of the agent brings its libraries as wheels, so it is for one Python: the one that it
depends on. Its release is the version without Debian's revision: 0.2.0 of 0.2.0-1~deb12.

Outside facts: dpkg-deb(1), --field; deb-version(7).
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

import msgspec

from saltern_master.commands import CommandError, run
from saltern_master.errors import MasterError
from saltern_master.library import Release

PACKAGE: Final = "saltern-agent"
DPKG_DEB: Final = "/usr/bin/dpkg-deb"
FIELDS: Final = ("Package", "Version", "Architecture", "Depends", "Pre-Depends")
PYTHON: Final = re.compile(r"\bpython(3\.[0-9]+)\b")


class ReleaseError(MasterError):
    """A file is no release of the agent."""


def read_release(file: Path) -> Release:
    """Read what a .deb file is; ReleaseError: it is no package of the agent."""
    try:
        said = run([DPKG_DEB, "--field", str(file), *FIELDS], seconds=60)
    except CommandError as error:
        raise ReleaseError(f"cannot read {file} as a .deb file: {error}") from error
    fields = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
    if fields.get("Package") != PACKAGE:
        found = fields.get("Package", "nothing")
        raise ReleaseError(f"cannot add {file}: it is a package of {found}, not of {PACKAGE}")
    pythons = set(PYTHON.findall(f"{fields.get('Depends', '')}, {fields.get('Pre-Depends', '')}"))
    if len(pythons) != 1:
        named = ", ".join(sorted(pythons)) or "none"
        raise ReleaseError(
            f"cannot add {file}: a package of the agent depends on one version of Python, and this "
            f"one names {named}"
        )
    with file.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    plain = {
        "version": fields["Version"].rpartition("-")[0] or fields["Version"],
        "package": fields["Version"],
        "python": pythons.pop(),
        "architecture": fields.get("Architecture", ""),
        "sha256": sha256,
        "size": file.stat().st_size,
    }
    try:
        return msgspec.convert(plain, Release)
    except msgspec.ValidationError as error:
        raise ReleaseError(f"cannot add {file}: {error}; build it anew: make packages") from error
