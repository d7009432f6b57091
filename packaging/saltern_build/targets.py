"""For which machines packages are made: a distribution's release and one of its Pythons.

* A package holds compiled wheels, so it is for one minor version of Python and for one libc at
  least; both are in its dependencies, and its name says them.
* The Debian revisions sort as the releases do: who upgrades the machine is upgraded too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from saltern_build.errors import PackagingError

Format = Literal["deb", "rpm"]
OLDEST_LIBC: Final = 17  # manylinux2014: the oldest that wheels of today are made for


@dataclass(frozen=True, slots=True)
class Target:
    """One release of a distribution with one Python."""

    name: str
    format: Format
    python: str  # minor version: what the wheels are for
    libc: int  # the N of glibc 2.N: the newest that a wheel may want
    release: str  # what follows the version in the package's own

    @property
    def interpreter(self) -> str:
        """Give the program that runs what is in the package."""
        return f"/usr/bin/python{self.python}"


TARGETS: Final = (
    Target("deb12", "deb", "3.11", 36, "1~deb12"),
    Target("deb13", "deb", "3.13", 40, "1~deb13"),  # it has 2.41; uv and pip need name no newer
    Target("el9-py311", "rpm", "3.11", 34, "1.el9.py311"),
    Target("el9-py312", "rpm", "3.12", 34, "1.el9.py312"),
)

_DEBIAN: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def target_named(name: str) -> Target:
    """Find a target; PackagingError."""
    for target in TARGETS:
        if target.name == name:
            return target
    known = ", ".join(target.name for target in TARGETS)
    raise PackagingError(f"cannot build for {name}: known are {known}")


def architecture(target: Target, machine: str) -> str:
    """Name a machine's architecture (as uname does) as the target's packages do; PackagingError."""
    if machine not in _DEBIAN:
        raise PackagingError(f"cannot build for {machine}: wheels are locked for {_known()}")
    return _DEBIAN[machine] if target.format == "deb" else machine


def file_name(package: str, version: str, target: Target, machine: str) -> str:
    """Name a package's file as its distribution does."""
    arch = architecture(target, machine)
    if target.format == "deb":
        return f"{package}_{version}-{target.release}_{arch}.deb"
    return f"{package}-{version}-{target.release}.{arch}.rpm"


def platforms(target: Target, machine: str) -> tuple[str, ...]:
    """Give the tags of wheels that run on the target, newest libc first (PEP 600)."""
    newest_first = range(target.libc, OLDEST_LIBC - 1, -1)
    return (*(f"manylinux_2_{n}_{machine}" for n in newest_first), f"manylinux2014_{machine}")


def _known() -> str:
    return " and ".join(_DEBIAN)
