"""Where packages of the agent come from: files that a person named, or the library's releases.

* Nothing is taken from wherever the command happens to be run: it is installed as root elsewhere.
* Each comes with its SHA-256, which the machine compares with what arrived there.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import file_digest
from pathlib import Path
from stat import S_ISDIR

from saltern_master.errors import MasterError
from saltern_master.joining.choosing import Package, read_package
from saltern_master.library import Library


class NoPackagesError(MasterError):
    """There is no package of the agent to be installed."""


def packages_at(given: Iterable[Path]) -> dict[Package, str]:
    """Give the packages in files and directories that a person named. NoPackagesError."""
    found: dict[Package, str] = {}
    try:
        for place in given:
            is_directory = S_ISDIR(place.stat().st_mode)
            inside = sorted(place.iterdir()) if is_directory else [place]
            packages = [one for one in map(read_package, inside) if one is not None]
            if not packages:
                what = "none is in it" if is_directory else "its name does not say so"
                raise NoPackagesError(
                    f"cannot take {place} for a package of the agent: {what}; such a name is "
                    "saltern-agent_0.1.0-1~deb12_amd64.deb or "
                    "saltern-agent-0.1.0-1.el9.py311.x86_64.rpm"
                )
            found |= {one: _sha256(one.path) for one in packages}
    except OSError as error:
        raise NoPackagesError(f"cannot read {error.filename}: {error.strerror}") from error
    return found


def packages_of(library: Library) -> dict[Package, str]:
    """Give the releases of a library. NoPackagesError."""
    found: dict[Package, str] = {}
    try:
        for release in library.list().releases:
            name = f"saltern-agent_{release.package}_{release.architecture}.deb"
            package = read_package(library.path(release.sha256), name)
            if package is not None:
                found[package] = release.sha256
    except (MasterError, OSError) as error:
        raise NoPackagesError(
            f"cannot take packages of the agent from the library: {error}; give one: --package FILE"
        ) from error
    if not found:
        raise NoPackagesError(
            "cannot add machines: there is no package of the agent in the library; bring it "
            "(saltern releases add FILE.deb), or give it (--package FILE); `make packages` makes it"
        )
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
