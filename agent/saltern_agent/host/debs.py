"""What a .deb file says that it is: its package and version, by dpkg-deb's own reading.

A blob's hash says that it is the file that was declared, and not which package that file is of:
apt-get would install whatever it finds in it.

Outside facts: dpkg-deb(1), --field; deb-control(5).
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saltern_states.ports import HostError

DPKG_DEB: Final = "/usr/bin/dpkg-deb"
READ_SECONDS: Final = 60.0
MAX_SHOWN: Final = 500


@dataclass(frozen=True, slots=True)
class Named:
    """The package that a file is of."""

    package: str
    version: str


def read(file: Path, environment: Mapping[str, str]) -> Named:
    """Ask dpkg-deb of one file; HostError: it is no .deb file."""
    command = [DPKG_DEB, "--field", str(file), "Package", "Version"]
    doing = f"cannot install packages: cannot read {file} as a .deb file"
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=dict(environment),
            timeout=READ_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"{doing}: {error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        why = " ".join(said[-MAX_SHOWN:].split())
        raise HostError(f"{doing}: {why}; fetch it again")
    fields = dict(line.split(": ", 1) for line in done.stdout.decode().splitlines() if ": " in line)
    return Named(fields.get("Package", ""), fields.get("Version", ""))


def read_all(files: Sequence[Path], environment: Mapping[str, str]) -> tuple[Named, ...]:
    """Read all; HostError where two are of one package, and apt-get would choose between them."""
    found = tuple(read(file, environment) for file in files)
    counted = Counter(one.package for one in found)
    if twice := sorted(name for name, count in counted.items() if count > 1):
        why = f"{', '.join(twice)} is the package of two of the files; declare one"
        raise HostError(f"cannot install packages: {why}")
    return found
