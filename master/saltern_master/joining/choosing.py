"""Which package of the agent is for which machine: read from the names of the files. Pure.

    saltern-agent_0.1.0-1~deb12_amd64.deb       Debian 12, which has Python 3.11
    saltern-agent-0.1.0-1.el9.py311.x86_64.rpm  the RHEL family 9, with Python 3.11

* The newest version that fits is taken; of two for one system, the one whose Python is there.
* A machine whose system none is for gets none: a package of a neighbouring release would bring
  wheels for another Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

_VERSION: Final = r"(?P<version>[0-9][A-Za-z0-9.+~]*-[0-9][A-Za-z0-9.+]*)"
DEB: Final = re.compile(
    rf"saltern-agent_(?P<whole>{_VERSION}~deb(?P<release>[0-9]+))_(?P<machine>[a-z0-9]+)\.deb\Z"
)
RPM: Final = re.compile(
    rf"saltern-agent-(?P<whole>{_VERSION}\.el(?P<release>[0-9]+)\.py(?P<python>3[0-9]+))"
    r"\.(?P<machine>[a-z0-9_]+)\.rpm\Z"
)
MACHINES: Final = {"x86_64": ("amd64", "x86_64"), "aarch64": ("arm64", "aarch64")}
"""What `uname -m` says, and Debian's and RPM's words for it."""
RHEL_FAMILY: Final = frozenset({"rhel", "centos", "fedora"})
_TOKEN: Final = re.compile(r"[0-9]+|~|[^0-9~]+")

Form = Literal["deb", "rpm"]


@dataclass(frozen=True, slots=True)
class Package:
    """A package of the agent."""

    name: str  # of the file, as it was made
    path: Path  # where it is now
    form: Form
    version: str  # as the machine's own package manager says it, once it is installed
    release: str  # of the system that it is for: 12, 9
    python: str  # "3.11"; "": that of the release
    machine: str


@dataclass(frozen=True, slots=True)
class System:
    """What a machine is, as far as a package has to fit it."""

    kernel: str = ""  # uname -s
    machine: str = ""  # uname -m
    id: str = ""  # os-release(5): ID, ID_LIKE, VERSION_ID, PRETTY_NAME
    like: tuple[str, ...] = ()
    release: str = ""
    pretty: str = ""
    pythons: tuple[str, ...] = ()  # "3.11": there is a /usr/bin/python3.11

    @property
    def form(self) -> Form | None:
        """Which packages it takes; None: we make none for it.

        A derivative of Debian (ID_LIKE) has releases and Pythons of its own: not that either.
        """
        if self.id == "debian":
            return "deb"
        return "rpm" if RHEL_FAMILY & {self.id, *self.like} and self.id != "fedora" else None

    def __str__(self) -> str:
        return f"{self.pretty or self.id or self.kernel or 'a system of no name'} on {self.machine}"


def read_package(path: Path, name: str = "") -> Package | None:
    """Read the name of a file; None: it is no package of the agent. `name`: where it has another
    one by now, as in a store."""
    name = name or path.name
    if found := DEB.match(name):
        return Package(name, path, "deb", found["whole"], found["release"], "", found["machine"])
    if found := RPM.match(name):
        python = f"{found['python'][0]}.{found['python'][1:]}"
        whole = found["whole"]
        return Package(name, path, "rpm", whole, found["release"], python, found["machine"])
    return None


def choose(packages: Iterable[Package], system: System) -> Package | str:
    """Give the package for a machine; or why there is none, and what to do."""
    given = tuple(packages)
    fitting = [one for one in given if _fits(one, system)]
    if not fitting:
        have = ", ".join(sorted(one.name for one in given)) or "none"
        return f"it is {system}, and no package of the agent is for that (there are: {have})"
    return max(fitting, key=lambda one: (order(one.version), one.python in system.pythons))


def order(version: str) -> tuple[tuple[int, int, str], ...]:
    """Give what versions are compared by: numbers as numbers, "~" before the end (deb-version(7)).

    Of two packages of one version that are for two Pythons, the Python is no part of it.
    """
    bare = re.sub(r"\.el[0-9]+\.py[0-9]+\Z|~deb[0-9]+\Z", "", version)
    return (*(_weight(token) for token in _TOKEN.findall(bare)), (0, 0, ""))


def _weight(token: str) -> tuple[int, int, str]:
    if token == "~":
        return -1, 0, ""
    return (2, int(token), "") if token.isdecimal() and token.isascii() else (1, 0, token)


def _fits(package: Package, system: System) -> bool:
    return (
        package.form == system.form
        and package.release == system.release.partition(".")[0]
        and package.machine in MACHINES.get(system.machine, ())
    )
